// delegates.h: generators and coroutines that delegate (`yield from`, `await`) while something is thrown into them.
// A throw goes straight to the innermost one, and those outside of it have no event. They are put on the stack with it, and leave it
// when it yields; each that goes on is there already.
#ifndef ASY_AGENT_DELEGATES_H
#define ASY_AGENT_DELEGATES_H

#include "agent/thread.h"

// atomic: something was thrown past a suspended frame since measuring began.
extern bool asy_delegates_seen;

static inline bool
asy_delegates_any(void)
{
    return __atomic_load_n(&asy_delegates_seen, __ATOMIC_RELAXED);
}

// From now on they have to be thought of; with `quietly`, also in frames that go on without an event (3.11), at each event.
void asy_delegates_see(bool quietly);
void asy_delegates_forget(void);

// Something is thrown into `frame` (NULL: not known). True: it stands on the stack, as one that delegated. Else those that delegate to it have been put
// there, and it has yet to follow.
bool asy_delegates_throw(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code);

// `frame` (NULL: not known) has yielded to whatever threw: so have those that delegate to it. Only where there were any.
void asy_delegates_yield(asy_agent_thread *t, PyFrameObject *frame, uint64_t now);

// `frame` is running, which no event told (3.11, after what it delegated to has returned): put right.
void asy_delegates_ran(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code, uint64_t now);

#endif
