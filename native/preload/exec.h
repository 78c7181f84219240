// exec.h: the exec and spawn family, wrapped.
// A child that can load us gets the environment that the caller passed, byte for byte; another one gets it without our two
// variables. The wrappers work between vfork and exec: stack memory only.
#ifndef ASY_PRELOAD_EXEC_H
#define ASY_PRELOAD_EXEC_H

#include "preload/session.h"

// Once, from the constructor: find the functions behind ours.
void asy_exec_init(void);

// From now on `tell` hears of each exec of the calling process: 1 before it, 0 when it has failed.
void asy_exec_tell(void (*tell)(int about));

// From now on a Python that is started without our variables (with an environment of the program's own) is counted here, as
// those that have them count themselves. `session` is borrowed for good.
void asy_exec_count(const asy_session *session);

#endif
