// replay.h: lists of events, and what a call tree makes of them, as text.
// An event list is text, one event a line, '#' after a blank begins a comment:
//
//     +10 START f            the clock has moved by 10 ticks and the thread ran; ~10: it waited; -3: the clock went back
//     +5  CALL f len         f calls a C callable ("class:int", "object:partial" for other kinds)
//     +5  C_RETURN f         ... which returns to f; or C_RAISE f
//     +5  YIELD g@1          of the frame 1 of g; START, RESUME, THROW, RETURN, UNWIND alike
//     +5  TAG_IN acme@1      a tag named acme whose identity is 1; TAG_OUT acme@1
//     +0  TAG_INHERIT acme@1 a context that is entered has inherited it
//     +5  SWITCH 2           to greenlet 2 (0 is the thread's first); FORGET 2
//     +0  INHERIT f@1        was open when measuring began
//     +0  REBASE program     a phase: what happens outside of any call
//
// "+10 ~5 START f" is possible: ran 10, then waited 5. Without a time +1 is meant.
// The text of a tree: one node a line, children indented and in the order in which they were made, counts that are 0
// left out, then "losses:" and "overhead:" where there are any.
#ifndef ASY_TESTS_CORE_REPLAY_H
#define ASY_TESTS_CORE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/suspend.h"
#include "core/tree.h"

#define REPLAY_NAMES_MAX 1024u
#define REPLAY_WORD_BYTES 128u
#define REPLAY_CHUNKS_MAX 2048u

typedef enum {
    EV_START,
    EV_RESUME,
    EV_YIELD,
    EV_RETURN,
    EV_UNWIND,
    EV_THROW,
    EV_CALL,
    EV_C_RETURN,
    EV_C_RAISE,
    EV_TAG_IN,
    EV_TAG_OUT,
    EV_TAG_INHERIT,
    EV_SWITCH,
    EV_FORGET,
    EV_INHERIT,
    EV_REBASE,
    EV_KINDS
} replay_kind;

typedef struct {
    replay_kind kind;
    uint32_t func;   // of the Python function, the C callable, the tag, the phase
    uint32_t caller; // CALL, C_RETURN, C_RAISE: the Python function that calls
    uint64_t id;     // of the frame, the tag or the greenlet
    int64_t ran;     // ticks since the event before; may be negative
    int64_t waited;  // ticks after that
} replay_event;

// Names of functions: the index is the function's id.
typedef struct {
    char name[REPLAY_NAMES_MAX][96];
    uint32_t kind[REPLAY_NAMES_MAX]; // asy_node_kind
    uint32_t count;
} replay_names;

uint32_t replay_name(replay_names *names, const char *text, uint32_t kind);

// Read the next event at *at and move on. False at the end; `problem` is set where a line makes no sense.
bool replay_parse(const char **at, replay_names *names, replay_event *event, const char **problem);

// What can be set about the world that a tree lives in. Zero means the value in brackets.
typedef struct {
    uint32_t node_max;     // [1,000,000]
    uint64_t gap;          // ticks [1,000,000,000]
    uint64_t read_ticks;   // what a reading of the CPU clock takes [0]
    uint64_t ticks_per_ns; // [1]
    uint32_t chunks_max;   // chunks that can be had after the first [all]; UINT32_MAX = none
    uint32_t fail_alloc;   // this allocation of private memory fails, from 1 [none]
    bool fail_after;       // and all after it
    uint32_t suspend_sets; // [64]
    uint64_t start;        // ticks when it begins [0]
} replay_world;

typedef struct {
    replay_world world;
    replay_names names;
    asy_tree tree;
    asy_suspend suspend;
    uint8_t *thread_chunk;
    void *chunks[REPLAY_CHUNKS_MAX];
    uint32_t chunk_count;
    uint32_t allocs;      // asked for so far
    int64_t live;         // private bytes not given back
    uint64_t now;         // ticks; the clock
    uint64_t cpu;         // ticks; the thread's CPU clock
    uint64_t started;     // ticks
    uint64_t ran, waited; // truth, whole ticks of the events so far
    uint64_t entered;     // events that begin a call
    uint64_t losses[ASY_LOSS_COUNT];
} replay;

// A tree in a world of its own. Owned by the caller; NULL if asy_tree_begin has no memory.
replay *replay_new(const replay_world *world);
void replay_free(replay *r); // checks nothing
void replay_event_feed(replay *r, const replay_event *event);
// Feed a whole list. NULL, or what is wrong with it and where (borrowed from it).
const char *replay_feed(replay *r, const char *script);

// NULL, or which invariant does not hold: all time is somebody's, all calls are counted, parents precede their children,
// waiting is a part of self.
const char *replay_check(const replay *r);
// The tree as text; the caller frees it.
char *replay_text(const replay *r);

// One node's line, also for the reference model.
typedef struct {
    uint64_t calls, resumes, self, wait, suspended, unwinds, open;
} replay_counts;
void replay_print_node(FILE *out, const replay_names *names, uint32_t indent, uint32_t func, uint32_t kind,
                       const replay_counts *counts);
void replay_print_losses(FILE *out, const uint64_t losses[ASY_LOSS_COUNT], uint64_t overhead);

#endif
