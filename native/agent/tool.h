// tool.h: our tool id at sys.monitoring: taken, given events, and watched for a program that takes it away.
// Needs the GIL (or an attached thread state). Only where there is sys.monitoring.
#ifndef ASY_AGENT_TOOL_H
#define ASY_AGENT_TOOL_H

#include "agent/process.h"

#define ASY_TOOL_EVENTS 9u

// A callback object of an event. `call` is the vectorcall.
typedef struct {
    const char *event;
    vectorcallfunc call;
} asy_tool_callback;

// Take a free tool id and register the callbacks; nothing where both are ours still. Errors: ASY_ELIMIT (none is free), ASY_ENOMEM.
asy_status asy_tool_open(const asy_tool_callback callbacks[ASY_TOOL_EVENTS]);

// Where the tool is ours still: these callbacks in place of those. Errors: ASY_EINVAL.
asy_status asy_tool_replace(const asy_tool_callback callbacks[ASY_TOOL_EVENTS]);

// Where the tool is ours still: no more events.
void asy_tool_off(void);

// The bit of an event; 0 with no exception set: there is no such event.
unsigned long asy_tool_event(const char *name);

// Ask for these events and no others. Errors: ASY_EINVAL (the interpreter refused).
asy_status asy_tool_events(unsigned long bits);

// True if a call of it may take our tool away: asy_tool_called has to see each.
bool asy_tool_special(PyObject *callable);

// The program calls something special; `argument` is the first one.
void asy_tool_called(PyObject *callable, PyObject *argument);

// False: the tool, one of its callbacks or an event is ours no longer. Counted once until it is opened again. Leaves an exception
// that is set as it is.
bool asy_tool_kept(void);

#endif
