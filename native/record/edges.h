// edges.h: functions and who called them, without the paths: what a pstats file holds, and what any calling tree can be folded to.
// Recursion is counted as cProfile does: a total counts only activations that are not below another of the same function (for an
// edge: of the same function called by the same caller).
#ifndef ASY_RECORD_EDGES_H
#define ASY_RECORD_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct {
    uint64_t calls;
    uint64_t primitive; // calls that were the outermost; at most `calls`
    uint64_t self_ns, wait_ns;
    uint64_t total_ns, total_wait_ns;
} asy_edge_counts;

typedef struct {
    uint32_t caller, callee; // functions of the profile
    asy_edge_counts counts;
} asy_edge;

typedef struct asy_edges {
    uint32_t func_count;    // the profile's
    asy_edge_counts *funcs; // owned, per function; all 0 where nothing is known of it
    asy_edge *edges;        // owned, no two with the same caller and callee
    uint32_t edge_count, edge_cap;
    bool untimed;        // of a file that has only the calls by caller, no times
    uint64_t below_zero; // times that a file has below zero; they are 0 here
} asy_edges;

// Caller frees with asy_edges_free; NULL without memory.
asy_edges *asy_edges_new(uint32_t func_count);
void asy_edges_free(asy_edges *e);
// Errors: ASY_ENOMEM, ASY_ELIMIT (2^32 of them).
asy_status asy_edges_add(asy_edges *e, const asy_edge *edge);

typedef enum { ASY_EDGES_BY_CALLER, ASY_EDGES_BY_CALLEE } asy_edges_side;

// The edges of function f are e->edges[order[i]] for i from first[f] up to first[f + 1].
typedef struct {
    uint32_t *first, *order; // owned
} asy_edges_index;

// Errors: ASY_ENOMEM; *out is empty then.
asy_status asy_edges_sort(const asy_edges *e, asy_edges_side side, asy_edges_index *out);
void asy_edges_index_clear(asy_edges_index *x);

#endif
