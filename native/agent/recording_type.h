// recording_type.h: a loaded recording for Python, as plain tuples and as columns without a copy.
#ifndef ASY_AGENT_RECORDING_TYPE_H
#define ASY_AGENT_RECORDING_TYPE_H

#include "cpython/api.h"

// Adds the type `Loaded` and the exception RecordingError to the module. -1 with an exception set.
int asy_recording_type_init(PyObject *module);

#endif
