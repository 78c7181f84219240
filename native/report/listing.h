// listing.h: the tables of functions.
#ifndef ASY_REPORT_LISTING_H
#define ASY_REPORT_LISTING_H

#include "report/origin.h"
#include "report/out.h"
#include "report/rows.h"

// How rows are to be shown; everything is borrowed.
typedef struct {
    const asy_profile *p;
    const asy_origin *origin;
    const char *head; // title of the function column
    int indent;
    asy_rows_order order; // its column stays in the narrowest table
    bool
        suspended; // suspended time too, where one of the rows has any; below 100 columns it takes the place of the time per call
} asy_listing;

// Print rows: self, total, cpu, calls, time per call, function, place; less where it is narrow. Project code is bold, or marked with "*"
// without color. Returns whether there is any. Errors stick in `o`.
bool asy_listing_print(asy_out *o, const asy_listing *l, const asy_row *rows, uint32_t count);
bool asy_listing_has_project(const asy_origin *origin, const asy_row *rows, uint32_t count);
// What the mark of project code means.
const char *asy_listing_legend(const asy_out *o);

// "lookup.py:31", "sqlite3 (waiting)". The caller frees; NULL without memory.
char *asy_listing_place(const asy_profile *p, const asy_origin *origin, uint32_t func, bool waiting);

#endif
