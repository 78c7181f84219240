// origin.h: where a function comes from, how it is shown, and what waiting in it waits for.
#ifndef ASY_REPORT_ORIGIN_H
#define ASY_REPORT_ORIGIN_H

#include <stdbool.h>

#include "core/status.h"
#include "record/profile.h"

#define ASY_WAIT_TURN "GIL or scheduler" // wanted to run, and could not
#define ASY_WAIT_NO_EVENT                                                                                              \
    "GIL, lock or scheduler" // in Python code itself: `with lock` and iteration have no event of their own

typedef struct {
    bool project;       // under the script's directory or the session's, outside site-packages and the standard library
    bool comprehension; // code of its own for what a reader sees as a part of the function around it
    bool importing;     // the import system's own Python code
    const char *place;  // "lookup.py", "json/decoder.py", "sqlite3", "built-in"; borrowed from the profile or static
    const char *wait;   // what a thread that waits in it waits for: "sleep", "lock", "sqlite3"; borrowed or static
    const char *idle;   // not NULL: locks and polls below it are a thread that has nothing to do ("queue", "join")
    bool turn;          // `wait` is one of these two
    bool
        secondary; // waiting in it follows from what others do (locks, polls, the GIL, child processes that are measured too)
    bool passes; // waiting in it does so below `idle`: reading from another process
} asy_origin;

// One for each function of the profile, which must live longer. The caller frees *out. Errors: ASY_ENOMEM.
asy_status asy_origins_make(const asy_profile *p, asy_origin **out);

#endif
