// monitor.c: sys.monitoring callbacks, from 3.12 on.
// Each event has a callback object of its own with a vectorcall (tool.c): no argument tuple, no bound method. Events of other threads
// and of other interpreters: monitoring is per interpreter; a thread is made known by its first event.
#include "agent/backend.h"

#if ASY_CPYTHON_MONITORING

#include "agent/delegates.h"
#include "agent/dropin_timer.h"
#include "agent/funcs.h"
#include "agent/tags.h"
#include "agent/tool.h"

// Bits of sys.monitoring.events, stable since PEP 669.
enum {
    EVENT_START = 0,
    EVENT_RESUME = 1,
    EVENT_RETURN = 2,
    EVENT_YIELD = 3,
    EVENT_CALL = 4,
};

static inline uint64_t
token_of(PyObject *code)
{
    return (uint64_t)(uintptr_t)code;
}

static inline uint64_t
token_of_c(PyObject *code)
{
    return (uint64_t)(uintptr_t)code | 1u;
}

// What a callback returns that has no thread's state to write to. NULL: a signal came while the texts of tags were made.
static PyObject *
unmeasured(void)
{
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

// Hot: every Python call.
static PyObject *
on_start(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_ENTERS);
    bool made = false;
    uint64_t token = token_of(args[0]);
    uint32_t func, node;

    (void)self, (void)nargs, (void)names;
    if (t == NULL || (func = asy_funcs_code(t, (PyCodeObject *)args[0])) == 0 || !asy_tags_context(t)) {
        return unmeasured();
    }
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    if (__builtin_expect(made, 0)) {
        node = asy_backend_made(t, (PyCodeObject *)args[0], node, func, &token);
    }
    asy_tree_enter(&t->tree, node, token, ASY_NODE_PY, asy_agent_ticks());
    Py_RETURN_NONE;
}

// A generator or coroutine goes on.
static PyObject *
goes_on(PyCodeObject *code, bool thrown)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_ENTERS);
    bool made = false;
    uint32_t func, node;

    if (t == NULL || (func = asy_funcs_code(t, code)) == 0 || !asy_tags_context(t)) {
        return unmeasured();
    }
    if (thrown && asy_delegates_throw(t, PyEval_GetFrame(), code)) {
        Py_RETURN_NONE;
    }
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    asy_suspend_resume(&asy_the_agent.suspend, &t->tree, node, token_of((PyObject *)code), asy_cpython_frame(),
                       asy_agent_ticks());
    Py_RETURN_NONE;
}

static PyObject *
on_resume(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    (void)self, (void)nargs, (void)names;
    return goes_on((PyCodeObject *)args[0], false);
}

static PyObject *
on_throw(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    (void)self, (void)nargs, (void)names;
    return goes_on((PyCodeObject *)args[0], true);
}

// Hot: every return.
static PyObject *
on_return(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    (void)self, (void)nargs, (void)names;
    if (t == NULL) {
        return unmeasured();
    }
    if (__builtin_expect(!asy_tree_on_top(&t->tree, token_of(args[0])), 0)) {
        asy_backend_leave_odd(t, token_of(args[0]), now, false);
        Py_RETURN_NONE;
    }
    asy_tree_leave_top(&t->tree, now);
    Py_RETURN_NONE;
}

static PyObject *
on_yield(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    (void)self, (void)nargs, (void)names;
    if (t == NULL) {
        return unmeasured();
    }
    asy_suspend_yield(&asy_the_agent.suspend, &t->tree, token_of(args[0]), asy_cpython_frame(), now);
    if (__builtin_expect(asy_delegates_any(), 0)) {
        asy_delegates_yield(t, PyEval_GetFrame(), now);
    }
    Py_RETURN_NONE;
}

static PyObject *
on_unwind(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    (void)self, (void)nargs, (void)names;
    if (t == NULL) {
        return unmeasured();
    }
    if (!asy_cpython_unbegun((PyCodeObject *)args[0], PyLong_AsLong(args[1]))) {
        asy_backend_leave_odd(t, token_of(args[0]), now, true);
    }
    Py_RETURN_NONE;
}

// Hot: every call from Python code, of whatever it is.
static PyObject *
on_call(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_agent_thread *t;
    bool made = false;
    uint32_t func, node, kind;

    (void)self, (void)nargs, (void)names;
    if (asy_funcs_is_python(args[2])) {
        Py_RETURN_NONE;
    }
    t = asy_thread_get(ASY_FIRST_CALLS);
    if (t == NULL) {
        return unmeasured();
    }
    func = asy_funcs_callable(t, args[2], &kind);
    if (__builtin_expect(func == 0, 0)) {
        asy_tool_called(args[2], args[3]);
        asy_tags_call(t, args[2], args[3], token_of_c(args[0]));
        return unmeasured();
    }
    node = asy_tree_child(&t->tree, func, kind, &made);
    if (__builtin_expect(made, 0)) {
        asy_thread_name(t);
    }
    asy_tree_enter(&t->tree, node, token_of_c(args[0]), kind, asy_agent_ticks());
    Py_RETURN_NONE;
}

// The end of something that is not the C call on top. A Python function may show one too, where it could not be inlined: no call of
// ours began there.
static void
c_end_odd(asy_agent_thread *t, uint64_t token, PyObject *callable, uint64_t now)
{
    if (!asy_funcs_is_python(callable) && !asy_tags_ours(callable) && !asy_thread_open_call(t, token)) {
        asy_tree_leave(&t->tree, token, now);
    }
}

// Hot: every return from C. Only an open C call of this very frame can be on top with its token.
static PyObject *
on_c_return(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_begun();
    uint64_t token = token_of_c(args[0]);

    (void)self, (void)nargs, (void)names;
    if (t == NULL) {
        Py_RETURN_NONE;
    }
    if (__builtin_expect(!asy_tree_on_top(&t->tree, token), 0)) {
        c_end_odd(t, token, args[2], now);
        Py_RETURN_NONE;
    }
    asy_tree_leave_top(&t->tree, now);
    Py_RETURN_NONE;
}

static PyObject *
on_c_raise(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_begun();

    (void)self, (void)nargs, (void)names;
    if (!asy_funcs_is_python(args[2]) && !asy_tags_ours(args[2]) && t != NULL &&
        !asy_thread_open_call(t, token_of_c(args[0]))) {
        asy_tree_unwind(&t->tree, token_of_c(args[0]), now);
    }
    Py_RETURN_NONE;
}

// ---- switching them ----

static const asy_tool_callback CALLBACKS[ASY_TOOL_EVENTS] = {
    {"PY_START", on_start},   {"PY_RESUME", on_resume},  {"PY_THROW", on_throw},
    {"PY_RETURN", on_return}, {"PY_YIELD", on_yield},    {"PY_UNWIND", on_unwind},
    {"CALL", on_call},        {"C_RETURN", on_c_return}, {"C_RAISE", on_c_raise},
};

// ---- and with trees on timers of the program's ----

static PyObject *
on_start_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    PyObject *r = on_start(self, args, nargs, names);

    asy_timed_enter((PyCodeObject *)args[0]);
    return r;
}

static PyObject *
on_resume_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    PyObject *r = on_resume(self, args, nargs, names);

    asy_timed_enter((PyCodeObject *)args[0]);
    return r;
}

static PyObject *
on_throw_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    PyObject *r = on_throw(self, args, nargs, names);

    asy_timed_enter((PyCodeObject *)args[0]);
    return r;
}

static PyObject *
on_return_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_timed_leave((PyCodeObject *)args[0]);
    return on_return(self, args, nargs, names);
}

static PyObject *
on_yield_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_timed_leave((PyCodeObject *)args[0]);
    return on_yield(self, args, nargs, names);
}

static PyObject *
on_unwind_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    if (!asy_cpython_unbegun((PyCodeObject *)args[0], PyLong_AsLong(args[1]))) {
        asy_timed_leave((PyCodeObject *)args[0]);
    }
    return on_unwind(self, args, nargs, names);
}

static PyObject *
on_call_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    PyObject *r = on_call(self, args, nargs, names);

    asy_timed_enter_c((PyCodeObject *)args[0], args[2]);
    return r;
}

static PyObject *
on_c_return_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_timed_leave_c((PyCodeObject *)args[0], args[2]);
    return on_c_return(self, args, nargs, names);
}

static PyObject *
on_c_raise_timed(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_timed_leave_c((PyCodeObject *)args[0], args[2]);
    return on_c_raise(self, args, nargs, names);
}

static const asy_tool_callback TIMED[ASY_TOOL_EVENTS] = {
    {"PY_START", on_start_timed},   {"PY_RESUME", on_resume_timed},  {"PY_THROW", on_throw_timed},
    {"PY_RETURN", on_return_timed}, {"PY_YIELD", on_yield_timed},    {"PY_UNWIND", on_unwind_timed},
    {"CALL", on_call_timed},        {"C_RETURN", on_c_return_timed}, {"C_RAISE", on_c_raise_timed},
};

asy_status
asy_backend_open(void)
{
    return asy_tool_open(asy_the_agent.timed != 0 ? TIMED : CALLBACKS);
}

asy_status
asy_backend_timed(bool on)
{
    return asy_tool_replace(on ? TIMED : CALLBACKS);
}

asy_status
asy_backend_on(void)
{
    unsigned long bits = 0;
    asy_status st = asy_backend_open(); // it may have been taken away meanwhile

    for (size_t i = 0; i < ASY_TOOL_EVENTS; i++) {
        bool c = CALLBACKS[i].call == on_c_return || CALLBACKS[i].call == on_c_raise; // come with CALL
        if (!c && (asy_the_agent.c_calls || CALLBACKS[i].call != on_call)) {
            bits |= asy_tool_event(CALLBACKS[i].event);
        }
    }
    return st == ASY_OK ? asy_tool_events(bits) : st;
}

void
asy_backend_off(void)
{
    asy_backend_look();
    asy_tool_off();
}

bool
asy_backend_kept(void)
{
    return asy_tool_kept();
}

void
asy_backend_look(void)
{
    asy_tool_kept(); // events are the interpreter's: of all threads or of none
}

void
asy_backend_thread_ends(const asy_agent_thread *t)
{
    (void)t;
}

bool
asy_backend_special(PyObject *callable)
{
    return asy_tool_special(callable);
}

void
asy_backend_forked(void)
{
    if (asy_the_agent.tool_id >= 0) {
        asy_tool_off();
    }
}

#endif
