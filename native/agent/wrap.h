// wrap.h: the two context managers, assay.tag and assay.profile, as decorators.
#ifndef ASY_AGENT_WRAP_H
#define ASY_AGENT_WRAP_H

#include "cpython/api.h"

// What `manager(func)` is, called with `args` and `names`: func, each call of it inside the manager. New; NULL with an exception set,
// for anything but one positional argument a TypeError that begins with `what` ("a tag").
PyObject *asy_wrap_call(PyObject *manager, PyObject *args, PyObject *names, const char *what);

#endif
