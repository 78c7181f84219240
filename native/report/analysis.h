// analysis.h: whose time it is: each function's own time, running or waiting, and what threads wait for.
// A function's *own time* is its self time plus everything below it that is not itself an anchor. Anchors are the project's
// functions; where they have little to do with it, every Python function is one. Comprehensions are part of the function around them.
#ifndef ASY_REPORT_ANALYSIS_H
#define ASY_REPORT_ANALYSIS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "report/cost.h"
#include "report/origin.h"
#include "report/view.h"

// Three kinds of waiting: for something outside (sleep, sqlite3, socket), for other threads (lock, GIL), for work to come (queue, join).
// Where the threads leave most of the wall time unexplained, nobody works while they wait for locks: then a lock is something outside.
typedef enum { ASY_WAIT_OUTSIDE, ASY_WAIT_OTHERS, ASY_WAIT_IDLE, ASY_WAIT_KINDS } asy_wait_kind;

typedef struct {
    const char *name; // borrowed
    asy_wait_kind kind;
    uint64_t ns;
} asy_wait_sum;

typedef struct {
    uint64_t calls;
    uint64_t run_ns;
    uint64_t wait_ns[ASY_WAIT_KINDS];
} asy_own;

typedef struct {
    const asy_view *view;     // borrowed
    const asy_origin *origin; // borrowed
    asy_wall wall;            // of the whole program, whatever the view selects
    bool any_python;          // anchors are all Python functions
    bool locks_outside;       // a lock is waited for like something outside
    asy_own sum;              // of everything but time outside of any call
    asy_own *own;             // per function
    uint32_t *anchor;         // per node: the function whose own time it is, ASY_VIEW_NONE = nobody's
    uint8_t *wait_kind;       // per node: of its waiting
    uint64_t *aside_ns;       // per function: waiting in it itself, for locks or for work, that is not where time goes
    asy_wait_sum *waits;      // largest first
    uint32_t wait_count;
} asy_analysis;

// Errors: ASY_ENOMEM.
asy_status asy_analysis_make(const asy_view *v, const asy_origin *origin, asy_analysis *out);
void asy_analysis_clear(asy_analysis *a);

// Running, or waiting for something outside: what a node's time is worth when one asks where the time goes.
uint64_t asy_analysis_busy_ns(const asy_analysis *a, uint32_t node);

// BUSY = RUN + WAIT (for something outside); IDLE = all other waiting.
typedef enum { ASY_MEASURE_BUSY, ASY_MEASURE_RUN, ASY_MEASURE_WAIT, ASY_MEASURE_IDLE } asy_measure;

uint64_t asy_analysis_measure(const asy_own *own, asy_measure m);
// The functions with the most own time, largest first; returns how many of `max` there are.
uint32_t asy_analysis_top(const asy_analysis *a, asy_measure m, uint32_t *funcs, uint32_t max);

typedef struct {
    uint32_t func; // called directly by the anchor; the anchor itself = its own code
    uint64_t run_ns, wait_ns;
} asy_piece;

// What the own time of `func` is made of, largest first. *pieces is the caller's to free. Errors: ASY_ENOMEM.
asy_status asy_analysis_pieces(const asy_analysis *a, uint32_t func, asy_piece **pieces, uint32_t *count);

typedef struct {
    uint32_t func;  // ASY_VIEW_NONE = called from outside of any function
    uint64_t calls; // by it
    uint64_t all;   // by everyone but itself
} asy_caller;

// Who calls `func` most: the nearest anchor above, else what called it directly. Errors: ASY_ENOMEM.
asy_status asy_analysis_caller(const asy_analysis *a, uint32_t func, asy_caller *out);

#endif
