// listing.h: the tables of functions.
#ifndef ASY_REPORT_LISTING_H
#define ASY_REPORT_LISTING_H

#include "report/origin.h"
#include "report/out.h"
#include "report/rows.h"

// Print rows: self, total, cpu, calls, time per call, function, place. Project code is bold, or marked with "*" without color.
// `head` is the title of the function column. Errors stick in `o`.
void asy_listing_print(asy_out *o, const asy_profile *p, const asy_origin *origin, const asy_row *rows, uint32_t count,
                       const char *head, int indent);
// The same with suspended time, where one of the rows has any; below 100 columns it takes the place of the time per call.
// Returns whether something is project code.
bool asy_listing_suspended(asy_out *o, const asy_profile *p, const asy_origin *origin, const asy_row *rows,
                           uint32_t count, const char *head, int indent);

bool asy_listing_has_project(const asy_origin *origin, const asy_row *rows, uint32_t count);
// What the mark of project code means.
const char *asy_listing_legend(const asy_out *o);

// "lookup.py:31", "sqlite3 (waiting)". The caller frees; NULL without memory.
char *asy_listing_place(const asy_profile *p, const asy_origin *origin, uint32_t func, bool waiting);

#endif
