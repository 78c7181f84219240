// profile.c: the hook of 3.11 in every thread.
// A new thread's first frame asks the arena allocator for its stack chunk, under the GIL: there it gets the hook, whoever
// started the thread (notes: no other place sees threads of C libraries).
#include "cpython/profile.h"

#if !ASY_CPYTHON_MONITORING

#include <opcode.h>
#include <string.h>

static struct {
    PyObjectArenaAllocator below;
    Py_tracefunc hook; // NULL = off
    bool wrapped;
} arenas;

static bool
is_resume(const uint8_t *unit)
{
    return unit[0] == RESUME || unit[0] == RESUME_QUICK;
}

bool
asy_profile_begins(PyFrameObject *frame)
{
    const asy_profile_iframe *f = ((asy_profile_frame *)(void *)frame)->f_frame;

    return is_resume(f->prev_instr) && (f->prev_instr[1] & 3) == 0;
}

bool
asy_profile_thrown(PyFrameObject *frame)
{
    return !is_resume(((asy_profile_frame *)(void *)frame)->f_frame->prev_instr);
}

PyFrameObject *
asy_profile_caller(PyFrameObject *frame)
{
    const asy_profile_iframe *f = ((asy_profile_frame *)(void *)frame)->f_frame->previous;

    return f != NULL ? (PyFrameObject *)(void *)f->frame_obj : NULL;
}

bool
asy_profile_yields(PyFrameObject *frame)
{
    const asy_profile_iframe *f = ((asy_profile_frame *)(void *)frame)->f_frame;

    return f->prev_instr[0] == YIELD_VALUE;
}

bool
asy_profile_check(void)
{
    PyFrameObject *frame = PyEval_GetFrame(), *caller;
    PyCodeObject *code;
    bool same;

    if (frame == NULL) {
        return false;
    }
    code = PyFrame_GetCode(frame);
    caller = PyFrame_GetBack(frame);
    same = asy_profile_caller(frame) == caller && ((asy_profile_frame *)(void *)frame)->f_frame->f_code == code &&
           ((asy_profile_frame *)(void *)frame)->f_frame->frame_obj == (PyObject *)frame &&
           (int)(((asy_profile_frame *)(void *)frame)->f_frame->prev_instr - (const uint8_t *)code->co_code_adaptive) ==
               PyFrame_GetLasti(frame);
    Py_DECREF(code);
    Py_XDECREF((PyObject *)caller);
    return same;
}

static void
thread_hook(PyThreadState *ts, Py_tracefunc hook)
{
    if (ts->c_profilefunc == NULL) {
        ts->c_profilefunc = hook;
        if (ts->tracing == 0) {
            ts->cframe->use_tracing = 255;
        }
    }
}

static void *
arena_alloc(void *ctx, size_t size)
{
    PyThreadState *ts = _PyThreadState_UncheckedGet();

    (void)ctx;
    if (arenas.hook != NULL && ts != NULL && ts->c_profilefunc == NULL && ts->interp == PyInterpreterState_Main()) {
        thread_hook(ts, arenas.hook);
    }
    return arenas.below.alloc(arenas.below.ctx, size);
}

static void
arena_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    arenas.below.free(arenas.below.ctx, p, size);
}

void
asy_profile_hook_all(Py_tracefunc hook)
{
    PyObjectArenaAllocator ours = {NULL, arena_alloc, arena_free};

    if (!arenas.wrapped) {
        PyObject_GetArenaAllocator(&arenas.below);
        PyObject_SetArenaAllocator(&ours);
        arenas.wrapped = true; // for the life of the process: somebody may have wrapped us
    }
    arenas.hook = hook;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        thread_hook(ts, hook);
    }
}

void
asy_profile_unhook_all(Py_tracefunc hook)
{
    arenas.hook = NULL;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        if (ts->c_profilefunc == hook) {
            ts->c_profilefunc = NULL;
            if (ts->tracing == 0 && ts->c_tracefunc == NULL) {
                ts->cframe->use_tracing = 0;
            }
        }
    }
}

void
asy_profile_swap(Py_tracefunc from, Py_tracefunc to)
{
    if (arenas.hook == from) {
        arenas.hook = to;
    }
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        if (ts->c_profilefunc == from) {
            ts->c_profilefunc = to;
        }
    }
}

PyObject *
asy_profile_shown(void)
{
    return Py_XNewRef(PyThreadState_Get()->c_profileobj);
}

void
asy_profile_show(PyObject *object)
{
    PyThreadState *ts = PyThreadState_Get();

    if (arenas.hook == NULL || ts->c_profilefunc == arenas.hook || ts->c_profilefunc == NULL) {
        PyObject *before = ts->c_profileobj;
        ts->c_profileobj = Py_XNewRef(object);
        Py_XDECREF(before);
    }
}

bool
asy_profile_hooked(Py_tracefunc hook)
{
    return PyThreadState_Get()->c_profilefunc == hook;
}

bool
asy_profile_hooked_all(Py_tracefunc hook)
{
    if (asy_profile_finalizing()) {
        return true; // the stacks of threads that were stopped are gone
    }
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        if (ts->c_profilefunc != hook && ts->cframe->current_frame != NULL) {
            return false;
        }
    }
    return true;
}

bool
asy_profile_finalizing(void)
{
    return _Py_IsFinalizing() != 0;
}

// cProfile.Profile, or what is derived from it, too.
static bool
is_profiler(const PyTypeObject *type)
{
    while (type != NULL && strcmp(type->tp_name, "_lsprof.Profiler") != 0) {
        type = type->tp_base;
    }
    return type != NULL;
}

bool
asy_profile_replaces(PyObject *callable)
{
    const PyCFunctionObject *f = (const PyCFunctionObject *)callable;

    if (!PyCFunction_Check(callable) || f->m_self == NULL) {
        return false;
    }
    return PyModule_Check(f->m_self) ? strcmp(f->m_ml->ml_name, "setprofile") == 0
                                     : strcmp(f->m_ml->ml_name, "enable") == 0 && is_profiler(Py_TYPE(f->m_self));
}

#endif
