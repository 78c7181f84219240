// tool.c: our tool id at sys.monitoring.
// A program that switches it off is noticed when it calls the functions that can, and where a measurement ends: nothing is asked for
// each event. Callbacks belong to the interpreter alone, so one that dies has been replaced.
#include "agent/tool.h"

#if ASY_CPYTHON_MONITORING

#include <string.h>

#define EVENT_BITS 17 // of sys.monitoring.events that one callback can have, in 3.12 and later

typedef struct {
    PyObject_HEAD vectorcallfunc call;
    int tool_id;
} callback;

// Counted once, until the tool is opened again. Not while nothing is measured, and not in a fork child.
static void
lose(void)
{
    asy_agent *a = &asy_the_agent;
    int kept = 0;

    if (__atomic_load_n(&a->measuring, __ATOMIC_RELAXED) && asy_agent_here() && a->tool_ready &&
        __atomic_compare_exchange_n(&a->tool_lost, &kept, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        asy_arena_lose(&a->arena, a->slot, ASY_LOSS_HOOK, 1);
    }
}

// ---- the callback objects ----

static void
callback_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    bool missed = ((callback *)self)->tool_id == asy_the_agent.tool_id;

    PyObject_Free(self);
    Py_DECREF(type);
    if (missed) {
        asy_the_agent.tool_whole = false;
        lose();
    }
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

// ---- taking it ----

unsigned long
asy_tool_event(const char *name)
{
    PyObject *events = PyObject_GetAttrString(asy_the_agent.monitoring, "events");
    PyObject *value = events != NULL ? PyObject_GetAttrString(events, name) : NULL;
    unsigned long bit = value != NULL ? PyLong_AsUnsignedLong(value) : 0;

    Py_XDECREF(events);
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return bit;
}

// Another tool has the id that was ours, perhaps without callbacks of its own: it would go on calling those we left there.
static void
callbacks_withdraw(asy_agent *a)
{
    int old = a->tool_id;

    a->tool_id = -1;
    for (int bit = 0; old >= 0 && bit < EVENT_BITS; bit++) {
        PyObject *was = PyObject_CallMethod(a->monitoring, "register_callback", "ikO", old, 1ul << bit, Py_None);
        if (was != NULL && was != Py_None && Py_TYPE(was)->tp_dealloc != callback_dealloc) {
            Py_XDECREF(PyObject_CallMethod(a->monitoring, "register_callback", "ikO", old, 1ul << bit, was));
        }
        Py_XDECREF(was);
        PyErr_Clear();
    }
}

static bool
tool_take(asy_agent *a)
{
    static const int wanted[] = {5, 4, 3};

    callbacks_withdraw(a);
    a->tool_whole = false;
    Py_XSETREF(a->tool_name,
               PyUnicode_FromString("assay")); // this very object is found there as long as the tool is ours
    for (size_t i = 0; a->tool_name != NULL && i < 3; i++) {
        PyObject *r = PyObject_CallMethod(a->monitoring, "use_tool_id", "iO", wanted[i], a->tool_name);
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
callbacks_register(asy_agent *a, const asy_tool_callback *callbacks)
{
    PyObject *type = PyType_FromSpec(&callback_spec);
    asy_status st = type != NULL ? ASY_OK : ASY_ENOMEM;

    for (size_t i = 0; st == ASY_OK && i < ASY_TOOL_EVENTS; i++) {
        callback *cb = PyObject_New(callback, (PyTypeObject *)type);
        PyObject *r = NULL;
        if (cb != NULL) {
            cb->call = callbacks[i].call;
            cb->tool_id = a->tool_id;
            r = PyObject_CallMethod(a->monitoring, "register_callback", "ikO", a->tool_id,
                                    asy_tool_event(callbacks[i].event), cb);
        }
        st = r != NULL ? ASY_OK : ASY_EINVAL;
        Py_XDECREF(r);
        Py_XDECREF((PyObject *)cb);
    }
    Py_XDECREF(type);
    PyErr_Clear();
    return st;
}

static bool
name_is_ours(asy_agent *a)
{
    PyObject *name = a->tool_id >= 0 ? PyObject_CallMethod(a->monitoring, "get_tool", "i", a->tool_id) : NULL;
    bool ours = name != NULL && name == a->tool_name;

    Py_XDECREF(name);
    PyErr_Clear();
    return ours;
}

asy_status
asy_tool_open(const asy_tool_callback callbacks[ASY_TOOL_EVENTS])
{
    asy_agent *a = &asy_the_agent;
    asy_status st;

    if (a->monitoring == NULL) {
        a->monitoring = Py_XNewRef(PySys_GetObject("monitoring"));
    }
    if (a->monitoring == NULL || (!name_is_ours(a) && !tool_take(a))) {
        PyErr_Clear();
        return ASY_ELIMIT;
    }
    if (a->tool_whole) {
        return ASY_OK;
    }
    __atomic_store_n(&a->tool_lost, 1,
                     __ATOMIC_RELAXED); // what is replaced now is no loss; asy_tool_events begins anew
    st = callbacks_register(a, callbacks);
    a->tool_whole = st == ASY_OK;
    return st;
}

asy_status
asy_tool_replace(const asy_tool_callback callbacks[ASY_TOOL_EVENTS])
{
    asy_agent *a = &asy_the_agent;
    asy_cpython_raised raised = asy_cpython_raised_take();
    int lost = __atomic_load_n(&a->tool_lost, __ATOMIC_RELAXED);
    asy_status st = ASY_OK;

    if (a->tool_whole && name_is_ours(a)) {                   // else they come with the next opening
        __atomic_store_n(&a->tool_lost, 1, __ATOMIC_RELAXED); // those that die now are no loss
        st = callbacks_register(a, callbacks);
        a->tool_whole = st == ASY_OK;
        __atomic_store_n(&a->tool_lost, st == ASY_OK ? lost : 1, __ATOMIC_RELAXED);
    }
    asy_cpython_raised_back(raised);
    return st;
}

asy_status
asy_tool_events(unsigned long bits)
{
    asy_agent *a = &asy_the_agent;
    PyObject *r;

    a->tool_events = bits; // first: other threads may have events before the call is back
    r = PyObject_CallMethod(a->monitoring, "set_events", "ik", a->tool_id, bits);
    if (r == NULL) {
        PyErr_Clear();
        return ASY_EINVAL;
    }
    Py_DECREF(r);
    if (bits != 0) {
        __atomic_store_n(&a->tool_lost, 0, __ATOMIC_RELAXED);
    }
    return ASY_OK;
}

void
asy_tool_off(void)
{
    asy_cpython_raised raised = asy_cpython_raised_take();

    if (name_is_ours(&asy_the_agent)) {
        asy_tool_events(0);
    }
    asy_cpython_raised_back(raised);
}

// ---- is it ours still ----

// Functions of sys.monitoring that may take a tool's events away.
static const char *const TAKERS[] = {"set_events", "register_callback", "free_tool_id", "clear_tool_id"};

bool
asy_tool_special(PyObject *callable)
{
    const PyCFunctionObject *f = (const PyCFunctionObject *)callable;

    if (!PyCFunction_Check(callable) || f->m_self == NULL || f->m_self != asy_the_agent.monitoring) {
        return false;
    }
    for (size_t i = 0; i < sizeof(TAKERS) / sizeof(TAKERS[0]); i++) {
        if (strcmp(f->m_ml->ml_name, TAKERS[i]) == 0) {
            return true;
        }
    }
    return false;
}

void
asy_tool_called(PyObject *callable, PyObject *argument)
{
    if (asy_tool_special(callable) && PyLong_CheckExact(argument) && !PyErr_Occurred()) {
        if (PyLong_AsLong(argument) == asy_the_agent.tool_id) {
            lose();
        }
        PyErr_Clear();
    }
}

static bool
events_are_ours(asy_agent *a)
{
    PyObject *bits = PyObject_CallMethod(a->monitoring, "get_events", "i", a->tool_id);
    bool ours = bits != NULL && PyLong_AsUnsignedLong(bits) == a->tool_events;

    Py_XDECREF(bits);
    PyErr_Clear();
    return ours;
}

bool
asy_tool_kept(void)
{
    asy_agent *a = &asy_the_agent;
    asy_cpython_raised raised = asy_cpython_raised_take();
    bool kept =
        a->tool_whole && !__atomic_load_n(&a->tool_lost, __ATOMIC_RELAXED) && name_is_ours(a) && events_are_ours(a);

    if (!kept) {
        lose();
    }
    asy_cpython_raised_back(raised);
    return kept;
}

#endif
