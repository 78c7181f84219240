// session.h: measuring begins and ends. One engine a process, many sessions over it.
#ifndef ASY_AGENT_SESSION_H
#define ASY_AGENT_SESSION_H

#include "agent/process.h"

// Open the engine on the arena behind fd (once a process), with its callbacks. Needs the GIL. Where a
// signal came in between, its exception is set on return: to be called once more.
asy_status asy_session_engine(int fd, uint64_t nonce);

// The runtime was finalised and initialised again: every object of before is gone, the numbers go on. Needs the GIL.
asy_status asy_session_renew(void);

// Events on (a new epoch) or off. Needs the GIL.
asy_status asy_session_measure(bool on);

#endif
