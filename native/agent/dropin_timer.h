// dropin_timer.h: a profile with a timer of the program's own, as cProfile.Profile(timer, timeunit): a call tree beside that of the engine,
// whose time is what the timer says. Only while there is one, callbacks that drive it stand in for the usual ones.
// A tree belongs to the thread that began it, and to the profile that made it.
#ifndef ASY_AGENT_DROPIN_TIMER_H
#define ASY_AGENT_DROPIN_TIMER_H

#include "agent/window.h"

typedef struct asy_timed asy_timed;

// *out is owned. unit: seconds that an integer of the timer stands for; 0: it gives seconds. Errors: ASY_ENOMEM.
asy_status asy_timed_make(PyObject *timer, double unit, asy_timed **out);
void asy_timed_free(asy_timed *t);

// The calling thread's events drive it from here. `owner` is borrowed until asy_timed_end.
asy_status asy_timed_begin(asy_timed *t, PyObject *owner, bool builtins);
// Calls that are open end now, as the timer sees it. Runs Python code: it can be freed and begun no more before it is back. False: it
// was begun by another thread, whose events may be at it.
bool asy_timed_end(asy_timed *t);

// The timer is being asked, perhaps by this very thread.
bool asy_timed_asking(const asy_timed *t);

// What was counted up to now, owned, and no more in the tree where `forget` says so. NULL: no memory.
asy_window_row *asy_timed_row(asy_timed *t, bool forget);
// Seconds of a unit of its times.
double asy_timed_factor(const asy_timed *t);

// ---- events, from the back ends ----
void asy_timed_enter(PyCodeObject *code);
void asy_timed_leave(PyCodeObject *code);
void asy_timed_enter_c(PyCodeObject *code, PyObject *callable);
void asy_timed_leave_c(PyCodeObject *code, PyObject *callable);

#endif
