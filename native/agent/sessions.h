// sessions.h: profiles begin and end one at a time: the engine may have to be made, which runs Python code, and the first and the last
// one switch events for all.
#ifndef ASY_AGENT_SESSIONS_H
#define ASY_AGENT_SESSIONS_H

#include "agent/process.h"

// Make the lock, once a process. -1 with an exception set.
int asy_sessions_init(void);

// False with an exception set: this very thread is at it already (a signal handler came in between).
bool asy_sessions_lock(void);
void asy_sessions_unlock(void);

// The exception of a measurement that could not begin, if none is set. NULL.
PyObject *asy_sessions_raise(asy_status st);

#endif
