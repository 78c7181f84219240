// dropin_show.c: "cProfile" at sys.monitoring from 3.12 on, the profile itself as the thread's profile function before.
#include "agent/dropin_show.h"

#include "agent/backend.h"
#include "cpython/profile.h"

#if ASY_CPYTHON_MONITORING

#define PROFILER_ID 2

// Taken with the first, given back with the last; the name's very object tells that it is ours.
void
asy_dropin_show(PyObject *profiler, PyObject **before)
{
    asy_agent *a = &asy_the_agent;

    (void)profiler;
    *before = NULL;
    if (a->profilers++ != 0) {
        return;
    }
    Py_XSETREF(a->profilers_name, PyUnicode_FromString("cProfile"));
    if (a->profilers_name != NULL) {
        Py_XDECREF(PyObject_CallMethod(a->monitoring, "use_tool_id", "iO", PROFILER_ID, a->profilers_name));
    }
    PyErr_Clear();
}

void
asy_dropin_hide(PyObject *profiler, PyObject **before)
{
    asy_agent *a = &asy_the_agent;
    asy_cpython_raised raised;
    PyObject *name;

    (void)profiler, (void)before;
    if (--a->profilers != 0) {
        return;
    }
    raised = asy_cpython_raised_take();
    name = PyObject_CallMethod(a->monitoring, "get_tool", "i", PROFILER_ID);
    if (name != NULL && name == a->profilers_name) {
        Py_XDECREF(PyObject_CallMethod(a->monitoring, "free_tool_id", "i", PROFILER_ID));
    }
    Py_XDECREF(name);
    asy_cpython_raised_back(raised);
}

PyObject *
asy_dropin_forgotten(void)
{
    return NULL; // nothing but the program holds one
}

#else

void
asy_dropin_show(PyObject *profiler, PyObject **before)
{
    *before = asy_profile_shown();
    asy_profile_show(profiler);
    asy_the_agent.profilers++;
}

void
asy_dropin_hide(PyObject *profiler, PyObject **before)
{
    asy_cpython_raised raised = asy_cpython_raised_take();
    PyObject *shown = asy_profile_shown();

    asy_the_agent.profilers--;
    if (shown == profiler) {
        asy_profile_show(*before);
    }
    Py_XDECREF(shown);
    Py_CLEAR(*before);
    asy_cpython_raised_back(raised);
}

PyObject *
asy_dropin_forgotten(void)
{
    PyObject *shown = asy_profile_shown();

    if (shown != NULL && (Py_REFCNT(shown) != 2 || !PyObject_TypeCheck(shown, asy_the_agent.profiler_type))) {
        Py_CLEAR(shown);
    }
    return shown;
}

#endif
