// engine.h: an engine of this process's own, where no program stands beside it: the arena is private, nobody else reads it.
#ifndef ASY_AGENT_ENGINE_H
#define ASY_AGENT_ENGINE_H

#include "agent/process.h"

// Make sure that there is an engine, the program's or our own. Needs the GIL.
// Errors: ASY_EGONE (a fork child: the engine stayed with its parent), those of asy_session_engine and of asy_os_shared_make.
asy_status asy_engine_need(void);

// The process was forked off one that has an engine, and has none of its own (yet).
static inline bool
asy_engine_forked(void)
{
    return asy_the_agent.alive != NULL && !asy_agent_here();
}

#endif
