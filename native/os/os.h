// os.h: what we ask of the operating system, said once. linux.c is the only implementation so far.
// No CPython, no knowledge of arenas. Descriptors that come from here are close-on-exec.
#ifndef ASY_OS_OS_H
#define ASY_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

// Anonymous shared memory, all zeros, sparse, its size fixed for good. Where a limit of ours forbids `bytes`, it is halved down
// to `least_bytes`; *made_bytes is what it became. Caller closes *fd; *fd is -1 on error.
// Errors: ASY_ENOMEM, ASY_ENOSPC (even the least is over the file-size limit), ASY_EIO.
asy_status asy_os_shared_make(uint64_t bytes, uint64_t least_bytes, int *fd, uint64_t *made_bytes);

// A descriptor that becomes readable when the process has ended. -1: not to be had; *gone: because there is no such process.
int asy_os_process_watch(uint64_t pid, bool *gone);

// How a process ended that is not our child, of whom `fd` is such a descriptor (-1: none). *exited: 0 not to be had, 1 with the exit
// status *status, 2 killed by the signal *status.
void asy_os_process_end(int fd, uint64_t pid, int *exited, int *status);

// When a process started, ns of CLOCK_MONOTONIC, rounded down to some 10 ms. 0: gone or unreadable.
uint64_t asy_os_process_start_ns(uint64_t pid);

// When a process started, in clock ticks since boot: tells a pid that is used again from the one it was. 0: gone or unreadable.
uint64_t asy_os_process_start(uint64_t pid);

// CPU time that a thread of any process has used, ns; what it has used since the last tick may be missing. False: gone or unreadable.
bool asy_os_thread_cpu_ns(uint64_t pid, uint64_t thread, uint64_t *ns);

// Stopped by a signal (not by a tracer).
bool asy_os_process_stopped(uint64_t pid);

// Signals that wait for it as a process, bit n - 1 for signal n. 0: none, or gone.
uint64_t asy_os_process_pending(uint64_t pid);

// The calling process is killed as soon as its parent ends. Errors: ASY_EPERM.
asy_status asy_os_die_with_parent(void);

// The calling process leaves no core file, wherever the system would send one.
void asy_os_leave_no_core(void);

// Close every descriptor of the calling process.
void asy_os_close_all(void);

// Path of the running program's file, terminated. Errors: ASY_ENOENT, ASY_ELIMIT (does not fit).
asy_status asy_os_program_path(char *path, size_t size);

// Not guessable. Errors: ASY_EIO.
asy_status asy_os_random(uint64_t *value);

// Columns of a terminal; 0: `fd` is none.
int asy_os_terminal_width(int fd);

#endif
