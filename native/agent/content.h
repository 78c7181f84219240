// content.h: what a code object says, as one number: two compilations of the same source position say the same.
// Runs no Python code, whatever the program has put among the constants. Call without the agent's lock.
#ifndef ASY_AGENT_CONTENT_H
#define ASY_AGENT_CONTENT_H

#include "agent/process.h"

static inline uint64_t
asy_content_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15ULL;
    return h ^ (h >> 29);
}

uint64_t asy_content_bytes(uint64_t h, const char *p, size_t n);

// Position, names, line table, instructions and constants, those of inner functions too. Never 0.
uint64_t asy_content_code(PyCodeObject *code);

#endif
