// wrapped.h: calls into the C library and zstd that fail, or do half of their work, when a test says so (linked with --wrap).
#ifndef WRAPPED_H
#define WRAPPED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    long fail_at;       // this allocation from now on fails (0: the next one); -1: none
    bool failed;        // it has happened
    bool halting;       // read and write are interrupted each second time, else move at most 7 bytes
    long calls;         // of read and write
    long write_fail_at; // this write fails with write_errno; -1: none
    int write_errno;
} wrapped_state;
extern wrapped_state wrapped;

#endif
