// names.h: what a row is called in which many short threads are counted.
#ifndef ASY_CORE_NAMES_H
#define ASY_CORE_NAMES_H

#include <stdint.h>

#define ASY_NAMES_MERGED 64u             // rows of merged threads, each of another name
#define ASY_NAMES_OTHERS "other threads" // the row of all further names

// Threads that do the same have names that differ in numbers: "Thread-12 (worker)" → "Thread-* (worker)", "pool-3_0" → "pool-*_*".
// The function in parentheses keeps its own. Returns the length, at most `len`. `out` may be `name`.
uint32_t asy_names_merged(const char *name, uint32_t len, char *out);

#endif
