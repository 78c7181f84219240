// rows.c: flat rows, callers and callees, each from one walk over the tree.
// Rows are indexed by function during the walk (the last is "outside of any function") and packed at the end.
#include "report/rows.h"

#include <stdlib.h>
#include <string.h>

#include "report/edge_rows.h"

typedef struct {
    const asy_view *view;
    asy_row *rows;    // func_count + 1
    uint32_t *depth;  // per row: activations of it (of the edge, for callers and callees) above
    uint32_t *active; // per function: activations above
    uint32_t outside;
} gather;

static asy_status
begin(gather *g, const asy_view *v)
{
    size_t n = (size_t)v->profile->func_count + 1;

    *g = (gather){.view = v, .outside = v->profile->func_count};
    g->rows = calloc(n, sizeof *g->rows);
    g->depth = calloc(n, sizeof *g->depth);
    g->active = calloc(n, sizeof *g->active);
    return g->rows == NULL || g->depth == NULL || g->active == NULL ? ASY_ENOMEM : ASY_OK;
}

// Move the rows that hold something to the front; the array goes to the caller.
static void
finish(gather *g, asy_row **rows, uint32_t *count)
{
    uint32_t n = 0;

    for (uint32_t f = 0; f <= g->outside; f++) {
        asy_row row = g->rows[f];

        if ((row.calls | row.resumes | row.self_ns | row.total_ns | row.open) != 0) {
            row.func = f == g->outside ? ASY_VIEW_NONE : f;
            g->rows[n++] = row;
        }
    }
    *rows = g->rows;
    *count = n;
    g->rows = NULL;
}

static void
release(gather *g)
{
    free(g->rows);
    free(g->depth);
    free(g->active);
}

static uint32_t
func_of(const gather *g, uint32_t node)
{
    return node == 0 ? g->outside : g->view->nodes[node].func;
}

static bool
is_call(const gather *g, uint32_t node)
{
    return node != 0 && asy_view_kind(&g->view->nodes[node]) != ASY_NODE_TAG;
}

static void
add_node(asy_row *row, const asy_view_node *n)
{
    row->calls += n->calls;
    row->resumes += n->resumes;
    row->unwinds += n->unwinds;
    row->open += n->open;
    row->self_ns += n->self_ns;
    row->wait_ns += n->wait_ns;
    row->suspended_ns += n->suspended_ns;
}

static void
add_label(asy_row *row, const asy_view_node *n)
{
    row->self_ns += n->self_ns;
    row->wait_ns += n->wait_ns;
}

// `n` is entered or left, and its row is `at`.
static void
count_call(gather *g, const asy_view_node *n, uint32_t at, bool entering)
{
    asy_row *row = &g->rows[at];

    if (!entering) {
        g->depth[at]--;
        g->active[n->func]--;
        return;
    }
    add_node(row, n);
    if (g->active[n->func]++ == 0) {
        row->primitive += n->calls;
    }
    if (g->depth[at]++ == 0) {
        row->total_ns += n->total_ns;
        row->total_wait_ns += n->total_wait_ns;
    }
}

asy_status
asy_rows_flat(const asy_view *v, asy_row **rows, uint32_t *count)
{
    asy_view_walk w = {0, true};
    gather g;
    asy_status st;

    if (v->profile->edges != NULL) {
        return asy_edge_rows_flat(v->profile->edges, rows, count);
    }
    *rows = NULL;
    st = begin(&g, v);
    while (st == ASY_OK && asy_view_step(v, &w)) {
        const asy_view_node *n = &v->nodes[w.node];

        if (is_call(&g, w.node)) {
            count_call(&g, n, n->func, w.entering);
        } else if (w.entering && n->owner != 0) {
            add_label(&g.rows[v->nodes[n->owner].func], n);
        }
    }
    if (st == ASY_OK) {
        finish(&g, rows, count);
    }
    release(&g);
    return st;
}

asy_status
asy_rows_callers(const asy_view *v, uint32_t func, asy_row **rows, uint32_t *count)
{
    asy_view_walk w = {0, true};
    gather g;
    asy_status st;

    if (v->profile->edges != NULL) {
        return asy_edge_rows_around(v->profile->edges, ASY_EDGES_BY_CALLEE, func, rows, count);
    }
    *rows = NULL;
    st = begin(&g, v);
    while (st == ASY_OK && asy_view_step(v, &w)) {
        const asy_view_node *n = &v->nodes[w.node];
        uint32_t owner = n->owner, caller;

        if (func_of(&g, owner) != func) {
            continue;
        }
        caller = func_of(&g, v->nodes[v->nodes[owner].parent].owner);
        if (owner == w.node) {
            count_call(&g, n, caller, w.entering);
        } else if (w.entering) {
            add_label(&g.rows[caller], n);
        }
    }
    if (st == ASY_OK) {
        finish(&g, rows, count);
    }
    release(&g);
    return st;
}

asy_status
asy_rows_callees(const asy_view *v, uint32_t func, asy_row **rows, uint32_t *count)
{
    asy_view_walk w = {0, true};
    gather g;
    asy_status st;

    if (v->profile->edges != NULL) {
        return asy_edge_rows_around(v->profile->edges, ASY_EDGES_BY_CALLER, func, rows, count);
    }
    *rows = NULL;
    st = begin(&g, v);
    while (st == ASY_OK && asy_view_step(v, &w)) {
        const asy_view_node *n = &v->nodes[w.node];

        if (!is_call(&g, w.node)) {
            continue;
        }
        if (func_of(&g, v->nodes[n->parent].owner) == func) {
            count_call(&g, n, n->func, w.entering);
        } else if (w.entering) {
            g.active[n->func]++;
        } else {
            g.active[n->func]--;
        }
    }
    if (st == ASY_OK) {
        finish(&g, rows, count);
    }
    release(&g);
    return st;
}

// ---- order ----

static int
compare_u64(uint64_t a, uint64_t b) // larger first
{
    return (a < b) - (a > b);
}

static int
compare_index(const asy_row *a, const asy_row *b)
{
    return (a->func > b->func) - (a->func < b->func);
}

static int
by_self(const void *a, const void *b)
{
    const asy_row *x = a, *y = b;
    int c = compare_u64(x->self_ns, y->self_ns);

    return c != 0 ? c : compare_index(x, y);
}

static int
by_total(const void *a, const void *b)
{
    const asy_row *x = a, *y = b;
    int c = compare_u64(x->total_ns, y->total_ns);

    return c != 0 ? c : compare_index(x, y);
}

static int
by_cpu(const void *a, const void *b)
{
    const asy_row *x = a, *y = b;
    int c = compare_u64(x->self_ns - x->wait_ns, y->self_ns - y->wait_ns);

    return c != 0 ? c : compare_index(x, y);
}

static int
by_calls(const void *a, const void *b)
{
    const asy_row *x = a, *y = b;
    int c = compare_u64(x->calls, y->calls);

    return c != 0 ? c : by_self(a, b);
}

static int
by_suspended(const void *a, const void *b)
{
    const asy_row *x = a, *y = b;
    int c = compare_u64(x->suspended_ns, y->suspended_ns);

    return c != 0 ? c : by_self(a, b);
}

static int
by_name(const void *a, const void *b, void *ctx)
{
    const asy_profile *p = ctx;
    const asy_row *x = a, *y = b;
    const char *left = x->func == ASY_VIEW_NONE ? "" : p->funcs[x->func].name;
    const char *right = y->func == ASY_VIEW_NONE ? "" : p->funcs[y->func].name;
    int c = strcmp(left, right);

    return c != 0 ? c : compare_index(x, y);
}

void
asy_rows_sort(const asy_profile *p, asy_row *rows, uint32_t count, asy_rows_order order)
{
    switch (order) {
    case ASY_ROWS_SELF: qsort(rows, count, sizeof *rows, by_self); break;
    case ASY_ROWS_TOTAL: qsort(rows, count, sizeof *rows, by_total); break;
    case ASY_ROWS_CPU: qsort(rows, count, sizeof *rows, by_cpu); break;
    case ASY_ROWS_CALLS: qsort(rows, count, sizeof *rows, by_calls); break;
    case ASY_ROWS_SUSPENDED: qsort(rows, count, sizeof *rows, by_suspended); break;
    case ASY_ROWS_NAME: qsort_r(rows, count, sizeof *rows, by_name, (void *)(uintptr_t)p); break;
    }
}
