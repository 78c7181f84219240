// dropin_show.h: what a program and other tools see of a profile that is enabled, where they look for cProfile: the tool id of profilers in
// sys.monitoring, or sys.getprofile(). Neither is needed to measure; where another one has it, it is left alone.
#ifndef ASY_AGENT_DROPIN_SHOW_H
#define ASY_AGENT_DROPIN_SHOW_H

#include "agent/process.h"

// A profile was enabled. *before is what was shown, new or NULL, for asy_dropin_hide.
void asy_dropin_show(PyObject *profiler, PyObject **before);
// It is disabled, perhaps in another thread. Takes *before. Leaves an exception that is set as it is.
void asy_dropin_hide(PyObject *profiler, PyObject **before);

// What nobody can reach but through sys.getprofile(), new, so that it can be disabled; NULL: nothing.
PyObject *asy_dropin_forgotten(void);

#endif
