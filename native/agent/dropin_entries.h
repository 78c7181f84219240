// dropin_entries.h: the flat tables that cProfile shows, derived from call trees.
// An entry is a function, a subentry a pair of caller and callee. A call inside another one of the same entry counts as recursive, and
// adds nothing to the entry's total time; likewise for pairs. What cProfile does not show belongs to its caller.
// Pure: no Python, no globals.
#ifndef ASY_AGENT_DROPIN_ENTRIES_H
#define ASY_AGENT_DROPIN_ENTRIES_H

#include "agent/window.h"

typedef struct {
    uint64_t calls, recursive;
    int64_t total, self; // in the unit of the tree
} asy_dropin_counts;

typedef struct {
    uint32_t func, kind; // kind: ASY_NODE_PY or ASY_NODE_C
    asy_dropin_counts n;
    uint32_t first; // subentry, in the order of `next`; UINT32_MAX: none
    uint32_t level; // activations on the path of the walk
} asy_dropin_entry;

typedef struct {
    uint32_t caller, callee; // entries
    asy_dropin_counts n;
    uint32_t next, level;
} asy_dropin_pair;

typedef struct {
    asy_dropin_entry *entries; // owned
    asy_dropin_pair *pairs;    // owned
    uint32_t entry_count, pair_count;
} asy_dropin_table;

// The number that stands for a C function, 0 for one that is not shown.
typedef uint32_t (*asy_dropin_shown)(uint32_t func);

// finished: calls that are open still do not count. Errors: ASY_ENOMEM. *out is owned (asy_dropin_table_free), empty on error.
asy_status asy_dropin_entries_make(const asy_window_row *row, asy_dropin_shown shown, bool finished,
                                   asy_dropin_table *out);
void asy_dropin_table_free(asy_dropin_table *table);

#endif
