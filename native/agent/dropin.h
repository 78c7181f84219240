// dropin.h: what the files of the drop-in for cProfile share: the object behind _lsprof.Profiler.
#ifndef ASY_AGENT_DROPIN_H
#define ASY_AGENT_DROPIN_H

#include "agent/dropin_timer.h"
#include "agent/window.h"

// Code objects by function number, open addressing.
typedef struct {
    uint32_t *funcs;  // owned; 0 = empty
    PyObject **codes; // owned, and so is each
    uint32_t mask, used;
} asy_dropin_codes;

typedef struct {
    PyObject_HEAD asy_window *window; // owned; NULL: not enabled
    asy_window_row *sum;              // owned: of all windows that ended; NULL: nothing
    asy_dropin_codes codes;           // of what `sum` shows
    PyObject *timer;                  // owned, or NULL
    double unit;
    asy_timed *timed; // owned; NULL without a timer
    PyObject *shown;  // owned: what asy_dropin_hide wants
    bool subcalls, builtins, threads;
} asy_profiler;

// Make the types, once a process, and add them to the module. -1 with an exception set.
int asy_dropin_init(PyObject *module);

// dropin_stats.c: what was counted, as a list of profiler_entry, new. NULL with an exception set.
PyObject *asy_dropin_stats(asy_profiler *p);
// Add a row to the sum; takes it. builtins false: C functions belong to their callers. False: no memory.
bool asy_dropin_add(asy_profiler *p, asy_window_row *row, bool builtins);
void asy_dropin_clear(asy_profiler *p);
int asy_dropin_stats_init(PyObject *module);

#endif
