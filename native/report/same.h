// same.h: which entries of a recording's function table are one function to a reader.
#ifndef ASY_REPORT_SAME_H
#define ASY_REPORT_SAME_H

#include <stdint.h>

#include "core/status.h"
#include "record/profile.h"

// same[f] = the lowest index of a function that f is the same as. Callables without code, tags and phases are the same when their
// names are; Python functions keep apart within a process, even with one name and line (two lambdas), and are matched between
// processes in the order in which they were first seen. Caller frees *out.
// Errors: ASY_ENOMEM.
asy_status asy_same_make(const asy_profile *p, uint32_t **out);

#endif
