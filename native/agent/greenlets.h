// greenlets.h: stacks that are switched inside a thread. Where the program uses the greenlet package, each measured thread gets a trace function
// of that package (one thread-local slot of its own; a program's own trace function is left alone, and counted).
#ifndef ASY_AGENT_GREENLETS_H
#define ASY_AGENT_GREENLETS_H

#include "agent/thread.h"

// A code object of this file was seen: is it the package's?
void asy_greenlets_file(const char *file, uint32_t len);

// Measuring begins: was the package imported before? Needs the GIL, and no exception set.
void asy_greenlets_look(void);

void asy_greenlets_hook_slow(asy_agent_thread *t);

// A node was made, or a thread is first seen: follow this thread's switches from now on, if there can be any.
static inline void
asy_greenlets_hook(asy_agent_thread *t)
{
    if (asy_the_agent.greenlets && !t->greenlets_hooked) {
        asy_greenlets_hook_slow(t);
    }
}

#endif
