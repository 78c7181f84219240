// exec.h: the exec and spawn family, wrapped.
// A child that can load us gets the environment that the caller passed, and our two variables where they are not in it; another one gets it
// without them, and is named where it is a Python. The wrappers work between vfork and exec: stack memory only.
#ifndef ASY_PRELOAD_EXEC_H
#define ASY_PRELOAD_EXEC_H

#include "preload/session.h"

// Once, from the constructor: find the functions behind ours.
void asy_exec_init(void);

// From now on `tell` hears of each exec of the calling process: 1 before it, 0 when it has failed.
void asy_exec_tell(void (*tell)(int about));

// From now on what is started belongs to this session, of which `value` is the variable's. Both are borrowed for good.
void asy_exec_session(const asy_session *session, const char *value);

#endif
