// codes.h: which code object stands behind a function's number, for results that show code objects.
// While nobody holds them, what is kept is borrowed and forgotten at a death; while somebody does, every one that is met lives on.
#ifndef ASY_AGENT_CODES_H
#define ASY_AGENT_CODES_H

#include "agent/process.h"

// First sight of a code object, or of another one with the same content. With the agent's lock held.
void asy_codes_met(uint32_t func, PyCodeObject *code);
// A code object of that number has died. Takes the lock.
void asy_codes_gone(uint32_t func);
// The runtime is another one. With the lock held.
void asy_codes_forget(void);

// All that are known, and all that will be met, live until the release. Needs an attached thread state; a release may run Python code.
void asy_codes_hold(void);
void asy_codes_release(void);

// The code object of that number, or, where none lives, a stand-in with its file, line and name. New; NULL with an exception set.
PyObject *asy_codes_get(uint32_t func);

#endif
