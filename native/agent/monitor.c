// monitor.c: sys.monitoring callbacks, from 3.12 on.
// Each event has a callback object of its own with a vectorcall: no argument tuple, no bound method. Events of other threads and of
// other interpreters: monitoring is per interpreter; a thread is made known by its first event.
#include "agent/backend.h"

#if ASY_CPYTHON_MONITORING

#include "agent/funcs.h"
#include "agent/tags.h"

// Bits of sys.monitoring.events, stable since PEP 669.
enum {
    EVENT_START = 0,
    EVENT_RESUME = 1,
    EVENT_RETURN = 2,
    EVENT_YIELD = 3,
    EVENT_CALL = 4,
};

typedef struct {
    PyObject_HEAD vectorcallfunc call;
} callback;

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

// Hot: every Python call.
static PyObject *
on_start(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_ENTERS);
    bool made = false;
    uint64_t token = token_of(args[0]);
    uint32_t func, node;

    (void)self, (void)nargs, (void)names;
    if (t == NULL || (func = asy_funcs_code(t, (PyCodeObject *)args[0])) == 0) {
        Py_RETURN_NONE;
    }
    asy_tags_context(t);
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    if (__builtin_expect(made, 0)) {
        node = asy_backend_made(t, (PyCodeObject *)args[0], node, func, &token);
    }
    asy_tree_enter(&t->tree, node, token, ASY_NODE_PY, asy_agent_ticks());
    Py_RETURN_NONE;
}

// A generator or coroutine goes on, by itself or because something is thrown into it.
static PyObject *
on_resume(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_ENTERS);
    bool made = false;
    uint32_t func, node;

    (void)self, (void)nargs, (void)names;
    if (t == NULL || (func = asy_funcs_code(t, (PyCodeObject *)args[0])) == 0) {
        Py_RETURN_NONE;
    }
    asy_tags_context(t);
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    asy_suspend_resume(&asy_the_agent.suspend, &t->tree, node, token_of(args[0]), asy_cpython_frame(),
                       asy_agent_ticks());
    Py_RETURN_NONE;
}

// Hot: every return.
static PyObject *
on_return(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    (void)self, (void)nargs, (void)names;
    if (t == NULL) {
        Py_RETURN_NONE;
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
    if (t != NULL) {
        asy_suspend_yield(&asy_the_agent.suspend, &t->tree, token_of(args[0]), asy_cpython_frame(), now);
    }
    Py_RETURN_NONE;
}

static PyObject *
on_unwind(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    (void)self, (void)nargs, (void)names;
    if (t != NULL) {
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
        Py_RETURN_NONE;
    }
    func = asy_funcs_callable(t, args[2], &kind);
    if (__builtin_expect(func == 0, 0)) {
        asy_tags_call(t, args[2], args[3], token_of_c(args[0]));
        Py_RETURN_NONE;
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
    if (!asy_funcs_is_python(callable) && !asy_tags_ours(callable)) {
        asy_tree_leave(&t->tree, token, now);
    }
}

// Hot: every return from C. Only an open C call of this very frame can be on top with its token.
static PyObject *
on_c_return(PyObject *self, PyObject *const *args, size_t nargs, PyObject *names)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_tls;
    uint64_t token = token_of_c(args[0]);

    (void)self, (void)nargs, (void)names;
    if (t == NULL || t->tree.thread == NULL) {
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
    asy_agent_thread *t = asy_thread_tls;

    (void)self, (void)nargs, (void)names;
    if (!asy_funcs_is_python(args[2]) && !asy_tags_ours(args[2]) && t != NULL && t->tree.thread != NULL) {
        asy_tree_unwind(&t->tree, token_of_c(args[0]), now);
    }
    Py_RETURN_NONE;
}

// ---- the callback objects ----

static void
callback_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMemberDef callback_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(callback, call), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot callback_slots[] = {
    {Py_tp_dealloc, callback_dealloc},
    {Py_tp_members, callback_members},
    {Py_tp_call, PyVectorcall_Call},
    {0, NULL},
};

static PyType_Spec callback_spec = {
    .name = "assay._agent.Callback",
    .basicsize = sizeof(callback),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = callback_slots,
};

static const struct {
    const char *event;
    vectorcallfunc call;
    bool c; // only when C calls are counted
} EVENTS[] = {
    {"PY_START", on_start, false},   {"PY_RESUME", on_resume, false}, {"PY_THROW", on_resume, false},
    {"PY_RETURN", on_return, false}, {"PY_YIELD", on_yield, false},   {"PY_UNWIND", on_unwind, false},
    {"CALL", on_call, true},         {"C_RETURN", on_c_return, true}, {"C_RAISE", on_c_raise, true},
};
#define EVENT_COUNT (sizeof(EVENTS) / sizeof(EVENTS[0]))

// The bit of an event; -1 with no exception set.
static long
event_bit(const char *name)
{
    PyObject *events = PyObject_GetAttrString(asy_the_agent.monitoring, "events");
    PyObject *value = events != NULL ? PyObject_GetAttrString(events, name) : NULL;
    long bit = value != NULL ? PyLong_AsLong(value) : -1;

    Py_XDECREF(events);
    Py_XDECREF(value);
    PyErr_Clear();
    return bit;
}

static bool
tool_take(asy_agent *a)
{
    static const int wanted[] = {5, 4, 3};

    for (size_t i = 0; i < 3; i++) {
        PyObject *r = PyObject_CallMethod(a->monitoring, "use_tool_id", "is", wanted[i], "assay");
        if (r != NULL) {
            Py_DECREF(r);
            a->tool_id = wanted[i];
            return true;
        }
        PyErr_Clear();
    }
    return false;
}

static asy_status
callbacks_register(asy_agent *a)
{
    PyObject *type = PyType_FromSpec(&callback_spec);
    asy_status st = type != NULL ? ASY_OK : ASY_ENOMEM;

    for (size_t i = 0; st == ASY_OK && i < EVENT_COUNT; i++) {
        long bit = event_bit(EVENTS[i].event);
        callback *cb = PyObject_New(callback, (PyTypeObject *)type);
        PyObject *r = NULL;
        if (cb != NULL) {
            cb->call = EVENTS[i].call;
            a->callbacks[i] = (PyObject *)cb;
            r = PyObject_CallMethod(a->monitoring, "register_callback", "ilO", a->tool_id, bit, cb);
        }
        st = r != NULL ? ASY_OK : ASY_EINVAL;
        Py_XDECREF(r);
    }
    Py_XDECREF(type);
    PyErr_Clear();
    return st;
}

asy_status
asy_backend_open(void)
{
    asy_agent *a = &asy_the_agent;

    if (a->tool_id >= 0) {
        return ASY_OK;
    }
    a->monitoring = Py_XNewRef(PySys_GetObject("monitoring"));
    if (a->monitoring == NULL || !tool_take(a)) {
        PyErr_Clear();
        return ASY_ELIMIT;
    }
    return callbacks_register(a);
}

static asy_status
events_set(unsigned long bits)
{
    asy_agent *a = &asy_the_agent;
    PyObject *r = PyObject_CallMethod(a->monitoring, "set_events", "ik", a->tool_id, bits);

    if (r == NULL) {
        PyErr_Clear();
        return ASY_EINVAL;
    }
    Py_DECREF(r);
    return ASY_OK;
}

asy_status
asy_backend_on(void)
{
    unsigned long bits = 0;

    for (size_t i = 0; i < EVENT_COUNT; i++) {
        // C_RETURN and C_RAISE come with CALL and may not be asked for by themselves
        if (!EVENTS[i].c || (asy_the_agent.c_calls && EVENTS[i].call == on_call)) {
            bits |= (unsigned long)event_bit(EVENTS[i].event);
        }
    }
    return events_set(bits);
}

void
asy_backend_off(void)
{
    events_set(0);
}

void
asy_backend_forked(void)
{
    PyObject *exc = PyErr_GetRaisedException();

    if (asy_the_agent.tool_id >= 0 && asy_the_agent.fork_seen == 1) {
        asy_the_agent.fork_seen = 2;
        events_set(0);
    }
    PyErr_SetRaisedException(exc);
}

#endif
