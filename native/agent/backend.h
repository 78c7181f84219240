// backend.h: how events reach us: sys.monitoring from 3.12 on, PyEval_SetProfile before. One of monitor.c and
// setprofile.c is compiled to something, by ASY_CPYTHON_MONITORING.
#ifndef ASY_AGENT_BACKEND_H
#define ASY_AGENT_BACKEND_H

#include "agent/thread.h"

// Make callback objects, take a tool id. Needs the GIL. Errors: ASY_ELIMIT (no tool id is free), ASY_ENOMEM.
asy_status asy_backend_open(void);
// Events on and off, for every thread. Errors: ASY_EINVAL (the interpreter refused), and those of asy_backend_open.
asy_status asy_backend_on(void);
void asy_backend_off(void);

// Events also drive trees with timers of the program's (dropin_timer.h), or do so no more. Errors: ASY_EINVAL, ASY_ENOMEM.
asy_status asy_backend_timed(bool on);

// False: the program has taken our events away, in part or whole; that is counted (once, until they are switched on again). Needs the GIL.
bool asy_backend_kept(void);
// The same for every thread, where measuring or a window ends.
void asy_backend_look(void);
// A thread ends: were its events there to the last? Without the GIL, with the agent's lock held.
void asy_backend_thread_ends(const asy_agent_thread *t);
// True if a call of it may do so: each has to be seen.
bool asy_backend_special(PyObject *callable);

// The frames that are open when a thread is first seen go on its stack. In a fork child the program goes on where its parent stood.
void asy_backend_inherit(asy_agent_thread *t, asy_first first);
// The main thread's state was made: put the start-up phase under its stack.
void asy_backend_main_thread(asy_agent_thread *t);
// In a fork child that stays unmeasured, from inside an event: no more events.
void asy_backend_forked(void);

// A node of a Python function was made: is it the program's first? Learn the thread's name. Returns the node to enter: `node`, or the
// program's; *token is then the program's too.
uint32_t asy_backend_made(asy_agent_thread *t, PyCodeObject *code, uint32_t node, uint32_t func, uint64_t *token);
// The end of a call whose token is not on top: the program's own first frame, or something out of order.
void asy_backend_leave_odd(asy_agent_thread *t, uint64_t token, uint64_t now, bool unwound);

#endif
