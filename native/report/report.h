// report.h: `assay report`: a recording as a page of text, or as JSON.
#ifndef ASY_REPORT_REPORT_H
#define ASY_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "report/cost.h"
#include "report/origin.h"
#include "report/out.h"
#include "report/rows.h"
#include "report/view.h"

typedef struct {
    const char *path;        // of the recording, to show
    asy_view_select select;  // its labels come from `tags`
    const char *const *tags; // "key=value" each, all must hold; a key may hold "=" itself
    uint32_t tag_count;
    asy_rows_order order;
    bool plain; // nobody asked for an order: what only waits for other threads is left out, as in a summary
    bool by_tag, by_process, tree;
    const char *callers, *callees; // functions asked for; NULL = not
    const char *only;              // pattern of functions to list; NULL = all
    uint32_t limit;                // rows; 0 = all
} asy_report;

// Errors: ASY_ENOMEM, ASY_EINVAL with *problem (a sentence, the caller frees): a filter or function that the recording does not have;
// failures to write stick in `o`.
asy_status asy_report_text(const asy_profile *p, const asy_report *r, asy_out *o, char **problem);
// docs/json.md says what is in it. Only `select` and `only` count.
asy_status asy_report_json(const asy_profile *p, const asy_report *r, asy_out *o, char **problem);

// ---- parts ----

typedef struct {
    const asy_profile *p;
    const asy_report *r;
    asy_view_select select; // the report's, with its labels
    asy_view_label labels[ASY_VIEW_LABELS];
    asy_origin *origin; // owned
    asy_view *view;     // owned
    asy_wall wall;
    asy_out *o;
    char **problem;
    uint64_t set_aside_ns; // self time of functions that were left out because they only wait for other threads
    bool marked;           // your code was, by its style or by a star: a legend is due
    void *context;         // of whoever writes it, borrowed
} asy_page;

// Check the filters, make a page with its view, origins and wall time, and let `write` fill it. Errors: as asy_report_text.
asy_status asy_page_make(const asy_profile *p, const asy_report *r, asy_out *o, char **problem,
                         asy_status (*write)(asy_page *g), void *context);

// Does the pattern (a shell pattern if it has any of *?[, else a part of the text) match name, place or place:line?
bool asy_page_matches(const asy_page *g, uint32_t func, const char *pattern);

// ASY_EINVAL with the page's problem: nothing there matches --only.
asy_status asy_page_none_matches(asy_page *g);
// Where there is nothing to list.
void asy_page_nothing(asy_page *g);
asy_status asy_page_tree(asy_page *g);
asy_status asy_page_processes(asy_page *g);

#endif
