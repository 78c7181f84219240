// edges.h: a view folded to functions and their callers.
#ifndef ASY_REPORT_EDGES_H
#define ASY_REPORT_EDGES_H

#include "record/edges.h"
#include "report/view.h"

// `key`: per function of the profile, the one that it is counted as (the lowest of those that are the same to whoever reads the
// result), so that recursion is seen between them. Time under a label is its owner's; what is called from outside of any function
// has no caller. Caller frees *out with asy_edges_free; NULL on error. Errors: ASY_ENOMEM, ASY_ELIMIT.
asy_status asy_edges_of_view(const asy_view *v, const uint32_t *key, asy_edges **out);

#endif
