// dropin_names.h: the names under which cProfile shows C functions: "<built-in method builtins.len>",
// "<method 'append' of 'list' objects>". Made at a function's first sight, whoever measures: the object may die before somebody asks.
#ifndef ASY_AGENT_DROPIN_NAMES_H
#define ASY_AGENT_DROPIN_NAMES_H

#include "agent/process.h"

typedef struct asy_dropin_name {
    const char *text; // owned, UTF-8, terminated; NULL: cProfile does not show it
    uint32_t same;    // the number that stands for all which cProfile takes for one
} asy_dropin_name;

// First sight of a C callable. Without the agent's lock. Runs no Python code; leaves exceptions as they are.
void asy_dropin_names_met(uint32_t func, PyObject *callable);

// {NULL, func} where there is none. Takes the lock; the text stays as it is while the process lives.
asy_dropin_name asy_dropin_names_find(uint32_t func);

#endif
