// edge_rows.c: see edge_rows.h.
#include "report/edge_rows.h"

#include <stdlib.h>

#include "report/units.h"

static asy_row
row_of(uint32_t func, const asy_edge_counts *n)
{
    return (asy_row){.func = func,
                     .calls = n->calls,
                     .primitive = n->primitive,
                     .self_ns = n->self_ns,
                     .wait_ns = n->wait_ns,
                     .total_ns = n->total_ns,
                     .total_wait_ns = n->total_wait_ns};
}

asy_status
asy_edge_rows_flat(const asy_edges *e, asy_row **rows, uint32_t *count)
{
    *count = 0;
    *rows = calloc((size_t)e->func_count + 1, sizeof **rows);
    if (*rows == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t f = 0; f < e->func_count; f++) {
        const asy_edge_counts *n = &e->funcs[f];

        if ((n->calls | n->self_ns | n->total_ns) != 0) {
            (*rows)[(*count)++] = row_of(f, n);
        }
    }
    return ASY_OK;
}

asy_status
asy_edge_rows_around(const asy_edges *e, asy_edges_side side, uint32_t func, asy_row **rows, uint32_t *count)
{
    uint32_t n = 0;

    *count = 0;
    for (uint32_t i = 0; i < e->edge_count; i++) {
        n += (side == ASY_EDGES_BY_CALLER ? e->edges[i].caller : e->edges[i].callee) == func;
    }
    *rows = calloc((size_t)n + 1, sizeof **rows);
    if (*rows == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 0; i < e->edge_count; i++) {
        const asy_edge *edge = &e->edges[i];

        if (side == ASY_EDGES_BY_CALLER && edge->caller == func) {
            (*rows)[(*count)++] = row_of(edge->callee, &edge->counts);
        } else if (side == ASY_EDGES_BY_CALLEE && edge->callee == func) {
            (*rows)[(*count)++] = row_of(edge->caller, &edge->counts);
        }
    }
    return ASY_OK;
}

void
asy_edges_title(const asy_edges *e, asy_words *parts)
{
    uint64_t calls = 0, primitive = 0, self_ns = 0;

    for (uint32_t f = 0; f < e->func_count; f++) {
        calls += e->funcs[f].calls;
        primitive += e->funcs[f].primitive;
        self_ns += e->funcs[f].self_ns;
    }
    asy_words_add(parts, "pstats file");
    asy_words_add(parts, "%s in %s calls", asy_units_time(self_ns).s, asy_units_count(calls).s);
    if (primitive != calls) {
        asy_words_add(parts, "%s without recursion", asy_units_count(primitive).s);
    }
}

void
asy_edges_remarks(const asy_edges *e, asy_words *remarks)
{
    if (e->below_zero > 0) {
        asy_words_add(remarks, "%s time%s in this file %s below zero, shown as 0: whoever wrote it lost track",
                      asy_units_count(e->below_zero).s, e->below_zero == 1 ? "" : "s",
                      e->below_zero == 1 ? "is" : "are");
    }
    if (e->untimed) {
        asy_words_add(remarks, "this file has calls by caller, but no times: the module profile wrote it");
    }
}
