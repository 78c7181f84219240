// profile.h: PyEval_SetProfile as 3.11 has it: what a profile callback may read of its frame, and how threads get the hook.
// Layouts: Include/internal/pycore_frame.h of 3.11; asy_profile_check proves them in the running interpreter.
#ifndef ASY_CPYTHON_PROFILE_H
#define ASY_CPYTHON_PROFILE_H

#include "cpython/api.h"

#if !ASY_CPYTHON_MONITORING

// struct _PyInterpreterFrame of 3.11, as far as we read it.
typedef struct asy_profile_iframe {
    PyObject *f_func, *f_globals, *f_builtins, *f_locals;
    PyCodeObject *f_code;
    PyObject *frame_obj;
    struct asy_profile_iframe *previous;
    const uint8_t *prev_instr; // two bytes a unit: opcode, argument
} asy_profile_iframe;

// struct _frame of 3.11, as far as we read it.
typedef struct {
    PyObject_HEAD PyObject *f_back;
    asy_profile_iframe *f_frame;
} asy_profile_frame;

// Hot: every event.
static inline PyCodeObject *
asy_profile_code(PyFrameObject *frame)
{
    return ((asy_profile_frame *)(void *)frame)->f_frame->f_code;
}

// At a call event: does the frame begin (else a suspended one goes on)?
bool asy_profile_begins(PyFrameObject *frame);
// At a call event that is no begin: is something thrown into it (else it is sent something)?
bool asy_profile_thrown(PyFrameObject *frame);
// The frame that called it, borrowed; NULL: none, or one that never had an event.
PyFrameObject *asy_profile_caller(PyFrameObject *frame);
// At a return event of a generator's frame: is it suspended (else it is over)?
bool asy_profile_yields(PyFrameObject *frame);

// True if the layouts above are those of the running interpreter. Needs a frame to be running.
bool asy_profile_check(void);

// Give every thread of the main interpreter the hook, those to come as well, or take it away from all. A thread whose program has set a
// profile function of its own is left alone. No audit event.
void asy_profile_hook_all(Py_tracefunc hook);
void asy_profile_unhook_all(Py_tracefunc hook);

// Where they have one hook, the other.
void asy_profile_swap(Py_tracefunc from, Py_tracefunc to);
// What sys.getprofile() shows in this thread where it has the hook; new, or NULL. `object` is borrowed; NULL: nothing.
PyObject *asy_profile_shown(void);
void asy_profile_show(PyObject *object);

// True if this thread has the hook.
bool asy_profile_hooked(Py_tracefunc hook);
// True if every thread has it that runs Python code, or the interpreter is ending.
bool asy_profile_hooked_all(Py_tracefunc hook);
// True once the interpreter is ending: threads are stopped where they are. Without the GIL too.
bool asy_profile_finalizing(void);
// True if a call of it replaces the hook: sys.setprofile, and cProfile's enable.
bool asy_profile_replaces(PyObject *callable);

#endif
#endif
