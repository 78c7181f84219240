// window_scope.c: a window that looks at one tag: its nodes on whatever path, and all below them.
// The tag's nodes become children of the root: what called it is not in the window.
#include "agent/window.h"

#include <stdlib.h>
#include <string.h>

uint32_t *
asy_window_scope_places(const asy_agent_thread *t, uint32_t scope, uint32_t count, uint32_t *inside)
{
    uint32_t *places = malloc(count * sizeof(*places));

    *inside = 0;
    for (uint32_t i = 0; places != NULL && i < count; i++) {
        const asy_node *n =
            asy_tree_node(&t->tree, i); // parents come before their children, the root is outside of any tag
        bool in = scope == 0 || i == 0 || n->func == scope || (n->parent != 0 && places[n->parent] != ASY_WINDOW_OUT);
        places[i] = in ? (*inside)++ : ASY_WINDOW_OUT;
    }
    return places;
}

// How long the thread ran in the scope.
static uint64_t
running_ns(const asy_window_row *row)
{
    uint64_t ticks = 0;

    for (uint32_t i = 0; i < row->count; i++) {
        ticks += row->nodes[i].n.self_ticks - row->nodes[i].n.wait_ticks;
    }
    return (uint64_t)(((unsigned __int128)ticks * asy_the_agent.ns_q20) >> 20);
}

asy_window_row *
asy_window_scope_row(asy_window_row *row)
{
    asy_window_row *whole = calloc(1, sizeof(*whole));
    bool done = whole != NULL && (whole->nodes = calloc(1, sizeof(*whole->nodes))) != NULL;

    if (done) {
        asy_window_node *nodes = whole->nodes;
        *whole = *row;
        whole->next = NULL;
        whole->nodes = nodes;
        whole->count = whole->room = 1;
        whole->cpu_ns = running_ns(row);
        whole->overhead_ticks = whole->overhead_events = 0;
        done = asy_window_row_join(whole, row);
        free(whole->slots); // rows that have some stand for many threads
        whole->slots = NULL;
    }
    if (!done && whole != NULL) {
        asy_window_row_free(whole);
        whole = NULL;
    }
    asy_window_row_free(row);
    return whole;
}
