// harvest.h: from a live arena to a recording.
// The program polls while the target runs; the Python API harvests once, in the process. Untrusting: an arena is written by
// a process that may have died in the middle of anything, or that is hostile.
// Not thread-safe: one harvester an arena.
#ifndef ASY_HARVEST_HARVEST_H
#define ASY_HARVEST_HARVEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/clock.h"
#include "record/writer.h"

typedef struct asy_harvest asy_harvest;

// `arena` and `writer` are borrowed until asy_harvest_free. `begin` is the session's first clock pair: recording times are ns since it.
asy_status asy_harvest_new(asy_arena *arena, asy_writer *writer, asy_clock_pair begin, asy_harvest **out);
void asy_harvest_free(asy_harvest *h);

// Look at every chunk: take in symbols and nodes; finish and free the chunks of threads that ended. Cheap when little happened.
// `write` also writes a checkpoint: what is new, and the counts that changed since the last one.
// Errors: only of the writer and of memory; a damaged chunk is counted and left.
asy_status asy_harvest_poll(asy_harvest *h, asy_clock_pair now, bool write);

// A process has died (`ticks`: when, as near as known): its open calls end then; its chunks and rows are finished and freed.
// exited, status: as in asy_profile_process.
asy_status asy_harvest_process_died(asy_harvest *h, uint64_t pid, uint64_t ticks, int exited, int status);
// The same of the process, or program image of one, that has this row of the process table.
asy_status asy_harvest_row_died(asy_harvest *h, uint32_t slot, uint64_t ticks, int exited, int status);

// What lives is taken as it stands, everything is written. The writer's end block is the caller's.
asy_status asy_harvest_finish(asy_harvest *h, asy_clock_pair now);

// For the summary and for tests.
typedef struct {
    uint64_t threads_seen, threads_live, processes_seen, nodes, damaged_chunks;
    uint64_t programs; // processes in which the program began, not only the interpreter
} asy_harvest_totals;
asy_harvest_totals asy_harvest_count(const asy_harvest *h);

#endif
