// view.h: a part of a recording as one calling tree, with our own cost taken off.
// The trees of the selected threads are merged by (parent, function). Children follow their parents in index order, so sums over
// subtrees are one pass from the end; nothing here is recursive.
#ifndef ASY_REPORT_VIEW_H
#define ASY_REPORT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "record/profile.h"

#define ASY_VIEW_NONE UINT32_MAX

typedef enum {
    ASY_VIEW_PROGRAM = 0, // below __main__'s <module>, and the other threads
    ASY_VIEW_STARTUP,     // the rest of the main threads: start-up and shutdown of the interpreter
    ASY_VIEW_ALL,
} asy_view_part;

typedef struct {
    const char *key, *value;
} asy_view_label;

#define ASY_VIEW_LABELS 32u

// What to look at. All conditions hold together; zeroed = the whole program. Strings are borrowed during asy_view_make.
typedef struct {
    const char *thread;           // name, or serial in decimal; NULL = all
    const asy_view_label *labels; // only what ran with all of these (of nested labels with one key the inner counts)
    uint32_t label_count;         // up to ASY_VIEW_LABELS; 0 = all
    uint64_t pid;                 // 0 = all
    uint32_t one;                 // 1 + index of the only thread, beside the rest; 0 = all
    uint32_t process;             // 1 + index of the only process; 0 = all
    const uint32_t
        *same; // another view's of this profile, to make many without looking for it each time; they have none then
    asy_view_part part;
} asy_view_select;

typedef struct {
    uint32_t parent; // lower than this node's index; the root is its own
    uint32_t func;   // the first of the functions that are the same; ASY_VIEW_NONE for the root
    uint32_t kind;   // asy_node_kind | ASY_NODE_F_* of any of the merged
    uint32_t open;
    uint32_t begun_open; // without what was open when measuring began
    uint32_t owner; // this node, or for a label the nearest node above that is none: time under a label is its caller's
    uint32_t first_child, next; // next = sibling; 0 = none
    uint64_t calls, resumes, unwinds;
    uint64_t self_ns, wait_ns; // our own cost is off; wait <= self
    uint64_t total_ns, total_wait_ns;
    uint64_t suspended_ns;
} asy_view_node;

typedef struct {
    uint64_t calls, self_ns, wait_ns;
} asy_view_sum;

typedef struct {
    const asy_profile *profile; // borrowed, longer-lived
    asy_view_node *nodes;       // [0] is the root: time outside of any call
    uint32_t node_count;
    uint32_t
        *same; // per function: the lowest index of one that is the same (over processes, and for what is not Python)
    uint64_t threads, processes; // that have a share
    uint64_t taken_off_ns;       // our own cost, calibrated, that was taken off the nodes
    uint64_t uncertain_ns;       // the part of it that did not fit into the time measured there
    uint64_t overhead_ns;        // our own slow paths, measured and charged to nobody
    asy_view_sum startup;        // what ASY_VIEW_PROGRAM leaves out of the selected threads
} asy_view;

// Caller frees with asy_view_free; NULL on error. A selection that matches nothing is a view with threads == 0.
// Errors: ASY_ENOMEM, ASY_ELIMIT (more than 2^30 nodes, or too many labels).
asy_status asy_view_make(const asy_profile *p, const asy_view_select *select, asy_view **out);
void asy_view_free(asy_view *v);

// The same with direct recursion laid flat: a node below one of the same function is merged into it (calls, self, children).
asy_status asy_view_collapse(const asy_view *v, asy_view **out);

static inline uint32_t
asy_view_kind(const asy_view_node *n)
{
    return n->kind & 0xffu;
}

// Walks in depth-first order without a stack: begin with {0, true}, the root being entered; after each step `node` is entered or
// left.  Returns false when the root has been left.
typedef struct {
    uint32_t node;
    bool entering;
} asy_view_walk;

static inline bool
asy_view_step(const asy_view *v, asy_view_walk *w)
{
    const asy_view_node *n = &v->nodes[w->node];

    if (w->entering && n->first_child != 0) {
        w->node = n->first_child;
    } else if (w->entering) {
        w->entering = false;
    } else if (w->node == 0) {
        return false;
    } else if (n->next != 0) {
        w->node = n->next;
        w->entering = true;
    } else {
        w->node = n->parent;
    }
    return true;
}

#endif
