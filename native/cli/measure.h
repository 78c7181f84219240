// measure.h: one measured session of `assay run`: its memory, its harvest, its recording.
// Not thread-safe. What fails after the start is kept for the end: the program runs on.
#ifndef ASY_CLI_MEASURE_H
#define ASY_CLI_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "record/writer.h"

typedef struct asy_measure asy_measure;

typedef struct {
    uint64_t arena_bytes; // less where a limit of ours demands it
    uint64_t options;     // ASY_OPT_* of core/arena.h
} asy_measure_plan;

// Make the memory and begin the recording in `out_fd` (borrowed until asy_measure_free). *problem: on error, a static clause.
// Errors: ASY_ENOMEM, ASY_ENOSPC, ASY_EIO.
asy_status asy_measure_new(const asy_measure_plan *plan, int out_fd, const asy_write_session *session,
                           asy_measure **out, const char **problem);
void asy_measure_free(asy_measure *m);

// Value of the session's variable for the child.
void asy_measure_session_value(const asy_measure *m, char *text, size_t size);

// Harvest, unless that was a moment ago; write a checkpoint when one is due (gaps of 1/8, 1/4, 1/2 … s, then of 30 s).
void asy_measure_poll(asy_measure *m);

// Descriptors that become readable when a measured process other than `child` ends: at most `room`.
int asy_measure_others(asy_measure *m, uint64_t child, int *fds, int room);

// The child has ended just now. exited, status: as in asy_profile_process.
void asy_measure_child_died(asy_measure *m, uint64_t pid, int exited, int status);

// How far it came.
typedef enum {
    ASY_MEASURED_NOTHING,
    ASY_MEASURED_START,   // interpreters, but no program of theirs
    ASY_MEASURED_PROGRAM, // at least one
} asy_measured;

// Take what is left, say what was not measured, write the end.
// Errors: of the recording; what was written before stays readable, and is left in the file. asy_measure_bytes may have more.
asy_status asy_measure_finish(asy_measure *m, asy_measured *measured);

// The whole recording, where its file could not hold it: borrowed until asy_measure_free. NULL: it is in the file.
const void *asy_measure_bytes(const asy_measure *m, size_t *len);

// Something of what was measured is in the file: known after asy_measure_finish.
bool asy_measure_saved(const asy_measure *m);

// Why nothing was measured, a sentence: borrowed from `m`, valid after asy_measure_finish. "": something was.
const char *asy_measure_unmeasured(const asy_measure *m);

#endif
