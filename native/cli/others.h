// others.h: the measured processes that are not our child: which there are, and how each ends.
// Not thread-safe.
#ifndef ASY_CLI_OTHERS_H
#define ASY_CLI_OTHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/status.h"
#include "harvest/harvest.h"

typedef struct {
    uint64_t serial; // of the row's use that is watched, 0 = none
    uint64_t pid;
    uint64_t start_time; // as we see it: in a time namespace of its own the process sees another one
    int fd;              // owned; -1 = none: its start time tells
} asy_other;

typedef struct {
    asy_arena *arena;     // borrowed
    asy_harvest *harvest; // borrowed
    asy_clock_kind clock;
    asy_clock_pair begin;
    asy_other rows[ASY_PROC_MAX]; // by row of the process table; all zero = new
    uint32_t top;                 // no row from `top` on was ever claimed
    int fd_count;
} asy_others;

// `begin`: the session's first clock pair. What is borrowed has to be there until the last look.
void asy_others_begin(asy_others *o, asy_arena *arena, asy_harvest *harvest, asy_clock_kind clock,
                      asy_clock_pair begin);
void asy_others_free(asy_others *o);

// Meet new rows; take over what has ended: `child` alone is left to its parent, us, as long as it runs the same program.
// Errors: those of asy_harvest_row_died; the first one.
asy_status asy_others_look(asy_others *o, uint64_t child);

// Descriptors that become readable when one ends: at most `room`.
int asy_others_fds(const asy_others *o, int *fds, int room);

#endif
