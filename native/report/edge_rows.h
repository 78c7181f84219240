// edge_rows.h: rows of functions from what has no tree, only functions and their callers.
#ifndef ASY_REPORT_EDGE_ROWS_H
#define ASY_REPORT_EDGE_ROWS_H

#include "record/edges.h"
#include "report/rows.h"
#include "report/words.h"

// As asy_rows_flat, asy_rows_callers and asy_rows_callees, which use these where a profile has edges. Errors: ASY_ENOMEM.
asy_status asy_edge_rows_flat(const asy_edges *e, asy_row **rows, uint32_t *count);
// The edges on whose `side` the function stands: as callee, so the rows are its callers; as caller, so they are what it called.
asy_status asy_edge_rows_around(const asy_edges *e, asy_edges_side side, uint32_t func, asy_row **rows,
                                uint32_t *count);

// What stands in a page's title, and below it.
void asy_edges_title(const asy_edges *e, asy_words *parts);
void asy_edges_remarks(const asy_edges *e, asy_words *remarks);

#endif
