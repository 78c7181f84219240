// dropin_type.c: _lsprof.Profiler, the type under cProfile.Profile.
// Enabled, it has a window on the engine (window.h); when it is disabled, what the window counted is added to what others before it did.
#include "agent/dropin.h"

#include "agent/backend.h"
#include "agent/codes.h"
#include "agent/dropin_show.h"
#include "agent/sessions.h"

// While its timer is asked, a profile stays as it is. False with an exception set.
static bool
may_change(const asy_profiler *p, const char *verb)
{
    if (p->timed != NULL && asy_timed_asking(p->timed)) {
        PyErr_Format(PyExc_RuntimeError, "cannot %s profiler in external timer", verb);
        return false;
    }
    return true;
}

// ---- beginning ----

static asy_status
begin_timed(asy_profiler *p)
{
    asy_status st = ASY_OK;

    if (p->timer != NULL && p->timed == NULL) {
        st = asy_timed_make(p->timer, p->unit, &p->timed);
    }
    if (st == ASY_OK && p->timed != NULL) {
        st = asy_timed_begin(p->timed, (PyObject *)p, p->builtins);
    }
    return st;
}

static bool
enable_locked(asy_profiler *p)
{
    asy_status st;

    if (p->window != NULL) {
        return true;
    }
    st = asy_window_begin(&(asy_window_wish){NULL, p->threads, p->builtins}, &p->window);
    if (st == ASY_OK) {
        st = begin_timed(p);
        if (st != ASY_OK) {
            asy_window_end(p->window);
            asy_window_free(p->window);
            p->window = NULL;
        }
    }
    if (st != ASY_OK) {
        asy_sessions_raise(st);
        return false;
    }
    asy_codes_hold();
    asy_dropin_show((PyObject *)p, &p->shown);
    return true;
}

// ---- ending ----

// What the window counted, into the sum. Takes the window. False with an exception set.
static bool
collect(asy_profiler *p, asy_window *w)
{
    asy_window_row *rows = w->lost || p->timed != NULL ? NULL : w->rows;
    bool done = true;

    if (rows != NULL) {
        w->rows = NULL;
    }
    while (rows != NULL) {
        asy_window_row *row = rows;

        rows = row->next;
        if (done) {
            done = asy_dropin_add(p, row, p->builtins);
        } else {
            asy_window_row_free(row);
        }
    }
    asy_window_free(w);
    return done;
}

// *ended: it was enabled, and is no more.
static bool
disable_locked(asy_profiler *p, bool *ended)
{
    asy_window *w = p->window;

    *ended = w != NULL;
    if (w == NULL) {
        return true; // another thread was faster
    }
    asy_window_end(w);
    p->window = NULL;
    asy_dropin_hide((PyObject *)p, &p->shown);
    return collect(p, w);
}

// The timer is asked without the lock: it is the program's code.
static bool
disable_timed(asy_profiler *p)
{
    asy_window_row *row;

    if (p->timed == NULL) {
        return true;
    }
    if (!asy_timed_end(p->timed)) {
        PyErr_SetString(PyExc_RuntimeError, "a profile with a timer ends in the thread that began it");
        return false;
    }
    row = asy_timed_row(p->timed, true);
    if (row == NULL) {
        PyErr_NoMemory();
        return false;
    }
    return asy_dropin_add(p, row, true);
}

static bool
profiler_disable_all(asy_profiler *p)
{
    bool done, ended;

    if (p->window == NULL) {
        return true;
    }
    if (!disable_timed(p) || !asy_sessions_lock()) {
        return false;
    }
    done = disable_locked(p, &ended);
    asy_sessions_unlock();
    if (ended) {
        asy_codes_release();
    }
    return done;
}

// ---- methods ----

static PyObject *
profiler_enable(PyObject *self, PyObject *args, PyObject *names)
{
    static char *keywords[] = {"subcalls", "builtins", NULL};
    asy_profiler *p = (asy_profiler *)self;
    int subcalls = -1, builtins = -1;
    bool done;

    if (!PyArg_ParseTupleAndKeywords(args, names, "|pp:enable", keywords, &subcalls, &builtins)) {
        return NULL;
    }
    if (!may_change(p, "enable")) {
        return NULL;
    }
    p->subcalls = subcalls >= 0 ? subcalls != 0 : p->subcalls;
    p->builtins = builtins >= 0 ? builtins != 0 : p->builtins;
    if (!asy_sessions_lock()) {
        return NULL;
    }
    done = enable_locked(p);
    asy_sessions_unlock();
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
profiler_disable(PyObject *self, PyObject *none)
{
    asy_profiler *p = (asy_profiler *)self;
    PyObject *forgotten;
    bool done;

    (void)none;
    if (!may_change(p, "disable") || !profiler_disable_all(p)) {
        return NULL;
    }
    forgotten = asy_dropin_forgotten();
    done = forgotten == NULL || profiler_disable_all((asy_profiler *)forgotten);
    Py_XDECREF(forgotten);
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
profiler_clear(PyObject *self, PyObject *none)
{
    asy_profiler *p = (asy_profiler *)self;
    bool enabled = p->window != NULL, done = true;

    (void)none;
    if (!may_change(p, "clear") || !profiler_disable_all(p)) {
        return NULL;
    }
    asy_dropin_clear(p);
    if (enabled) {
        if (!asy_sessions_lock()) {
            return NULL;
        }
        done = enable_locked(p);
        asy_sessions_unlock();
    }
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
profiler_getstats(PyObject *self, PyObject *none)
{
    (void)none;
    return asy_dropin_stats((asy_profiler *)self);
}

// Those of the standard's own callbacks that others can reach: nothing comes to them here.
static PyObject *
profiler_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)self, (void)args;
    if (nargs < 2) {
        return PyErr_Format(PyExc_TypeError, "a callback of events expects at least 2 arguments, got %zd", nargs);
    }
    Py_RETURN_NONE;
}

// ---- the object ----

static int
profiler_init(PyObject *self, PyObject *args, PyObject *names)
{
    static char *keywords[] = {"timer", "timeunit", "subcalls", "builtins", "threads", NULL};
    asy_profiler *p = (asy_profiler *)self;
    PyObject *timer = NULL, *old;
    double unit = 0;
    int subcalls = 1, builtins = 1, threads = 0;

    if (!may_change(p, "reinitialize")) {
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, names, "|Odppp:Profiler", keywords, &timer, &unit, &subcalls, &builtins,
                                     &threads)) {
        return -1;
    }
    timer = timer == Py_None ? NULL : timer;
    if (timer != NULL && threads) {
        PyErr_SetString(PyExc_ValueError, "a timer of its own measures one thread: threads=True goes without");
        return -1;
    }
    if (!profiler_disable_all(p)) {
        return -1;
    }
    asy_dropin_clear(p);
    asy_timed_free(p->timed);
    p->timed = NULL;
    old = p->timer;
    p->timer = Py_XNewRef(timer);
    p->unit = unit;
    p->subcalls = subcalls != 0;
    p->builtins = builtins != 0;
    p->threads = threads != 0;
    Py_XDECREF(old);
    return 0;
}

static PyObject *
profiler_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    asy_profiler *p = (asy_profiler *)type->tp_alloc(type, 0);

    (void)args, (void)names;
    if (p != NULL) {
        p->subcalls = p->builtins = true;
    }
    return (PyObject *)p;
}

static int
profiler_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((asy_profiler *)self)->timer);
    Py_VISIT(((asy_profiler *)self)->shown);
    return 0;
}

static void
profiler_dealloc(PyObject *self)
{
    asy_profiler *p = (asy_profiler *)self;
    PyTypeObject *type = Py_TYPE(self);
    asy_cpython_raised raised = asy_cpython_raised_take();

    PyObject_GC_UnTrack(self);
    if (!profiler_disable_all(p)) {
        PyErr_WriteUnraisable(NULL);
    }
    if (p->window != NULL) {
        p->window = NULL; // open for ever: its memory stays
        p->timed = NULL;
    }
    asy_dropin_clear(p);
    asy_timed_free(p->timed);
    Py_CLEAR(p->timer);
    Py_CLEAR(p->shown);
    asy_cpython_raised_back(raised);
    type->tp_free(self);
    Py_DECREF(type);
}

#define CALLBACK(name) {name, (PyCFunction)(void (*)(void))profiler_callback, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    {"enable", (PyCFunction)(void (*)(void))profiler_enable, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("enable($self, /, subcalls=True, builtins=True)\n--\n\nBegin to count, also the calls of a function by "
               "its callers, and of C functions.")},
    {"disable", profiler_disable, METH_NOARGS, PyDoc_STR("disable($self, /)\n--\n\nCount no more.")},
    {"clear", profiler_clear, METH_NOARGS, PyDoc_STR("clear($self, /)\n--\n\nForget what was counted.")},
    {"getstats", profiler_getstats, METH_NOARGS,
     PyDoc_STR("getstats($self, /)\n--\n\nA list of profiler_entry objects, one for each function.")},
    CALLBACK("_pystart_callback"),
    CALLBACK("_pyreturn_callback"),
    CALLBACK("_ccall_callback"),
    CALLBACK("_creturn_callback"),
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(profiler_doc, "Profiler(timer=None, timeunit=0.0, subcalls=True, builtins=True, threads=False)\n--\n\n"
                           "Counts the calls of the thread that enables it, or of all threads, as cProfile does.");

static PyType_Slot slots[] = {
    {Py_tp_new, profiler_new},
    {Py_tp_init, profiler_init},
    {Py_tp_methods, methods},
    {Py_tp_traverse, profiler_traverse},
    {Py_tp_dealloc, profiler_dealloc},
    {Py_tp_doc, (void *)profiler_doc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "_lsprof.Profiler",
    .basicsize = sizeof(asy_profiler),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int
asy_dropin_init(PyObject *module)
{
    asy_agent *a = &asy_the_agent;

    if (a->profiler_type == NULL) {
        a->profiler_type = (PyTypeObject *)PyType_FromSpec(&spec);
    }
    if (a->profiler_type == NULL || asy_dropin_stats_init(module) != 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Profiler", (PyObject *)a->profiler_type);
}
