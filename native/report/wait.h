// wait.h: what waiting in a function waits for.
#ifndef ASY_REPORT_WAIT_H
#define ASY_REPORT_WAIT_H

#include "record/profile.h"
#include "report/origin.h"

// Sets `wait`, `turn` and `secondary` of a function's origin.
void asy_wait_name(const asy_profile_func *f, asy_origin *o);

// What threads have to wait for that have nothing to do, in a Python function of the standard library ("queue.py", "Queue.get"); `path` may
// be NULL. NULL: they do not wait in it so.
const char *asy_wait_idle(const char *path, const char *name);

#endif
