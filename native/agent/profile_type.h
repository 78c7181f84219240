// profile_type.h: the Python type assay.profile, and start() and stop().
#ifndef ASY_AGENT_PROFILE_TYPE_H
#define ASY_AGENT_PROFILE_TYPE_H

#include "cpython/api.h"

// Make the type, once a process, and add what is exported to the module. -1 with an exception set.
int asy_profile_type_init(PyObject *module);

extern PyMethodDef asy_profile_type_methods[];
extern PyMethodDef asy_profile_functions[]; // of the module

#endif
