// edges.c: see edges.h.
#include "record/edges.h"

#include <stdlib.h>

asy_edges *
asy_edges_new(uint32_t func_count)
{
    asy_edges *e = calloc(1, sizeof *e);

    if (e == NULL) {
        return NULL;
    }
    e->func_count = func_count;
    e->funcs = calloc((size_t)func_count + 1, sizeof *e->funcs);
    if (e->funcs == NULL) {
        free(e);
        return NULL;
    }
    return e;
}

void
asy_edges_free(asy_edges *e)
{
    if (e != NULL) {
        free(e->funcs);
        free(e->edges);
        free(e);
    }
}

asy_status
asy_edges_add(asy_edges *e, const asy_edge *edge)
{
    if (e->edge_count == e->edge_cap) {
        uint32_t cap = e->edge_cap == 0 ? 256 : 2 * e->edge_cap;
        asy_edge *grown;

        if (cap < e->edge_cap) {
            return ASY_ELIMIT;
        }
        grown = realloc(e->edges, cap * sizeof *grown);
        if (grown == NULL) {
            return ASY_ENOMEM;
        }
        e->edges = grown;
        e->edge_cap = cap;
    }
    e->edges[e->edge_count++] = *edge;
    return ASY_OK;
}

static uint32_t
side_of(const asy_edge *edge, asy_edges_side side)
{
    return side == ASY_EDGES_BY_CALLER ? edge->caller : edge->callee;
}

asy_status
asy_edges_sort(const asy_edges *e, asy_edges_side side, asy_edges_index *out)
{
    uint32_t *first = calloc((size_t)e->func_count + 2, sizeof *first);
    uint32_t *order = calloc((size_t)e->edge_count + 1, sizeof *order);

    *out = (asy_edges_index){0};
    if (first == NULL || order == NULL) {
        free(first);
        free(order);
        return ASY_ENOMEM;
    }
    // One place too far to the right while they are put in order: each start moves to its end, which is the next one's start.
    for (uint32_t i = 0; i < e->edge_count; i++) {
        first[side_of(&e->edges[i], side) + 2]++;
    }
    for (uint32_t f = 0; f < e->func_count; f++) {
        first[f + 2] += first[f + 1];
    }
    for (uint32_t i = 0; i < e->edge_count; i++) {
        order[first[side_of(&e->edges[i], side) + 1]++] = i;
    }
    *out = (asy_edges_index){.first = first, .order = order};
    return ASY_OK;
}

void
asy_edges_index_clear(asy_edges_index *x)
{
    free(x->first);
    free(x->order);
    *x = (asy_edges_index){0};
}
