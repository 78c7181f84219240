// profile_type.c: assay.profile(): a window as a context manager and decorator.
// Profiles begin and end one at a time (sessions.h).
#include "agent/profile_type.h"

#include <stdlib.h>

#include "agent/sessions.h"
#include "agent/window.h"
#include "agent/wrap.h"

typedef struct {
    PyObject_HEAD asy_tag *only; // owned; NULL: everything
    asy_tag *shown;              // owned: whose labels the recording has in place of those of `only`; NULL: those
    asy_window *window;          // owned; NULL: not begun
    PyObject *recording;         // owned; NULL until somebody asks
    uint64_t depth;              // entered and not left
    uint64_t begun;              // how often it began: its windows
} profile;

static bool
begin_locked(profile *p)
{
    asy_window *w;
    asy_status st;

    if (p->depth != 0) {
        p->depth++;
        return true;
    }
    st = asy_window_begin(&(asy_window_wish){p->only, true, true}, &w);
    if (st != ASY_OK) {
        asy_sessions_raise(st);
        return false;
    }
    p->depth = 1;
    p->begun++;
    asy_window_free(p->window);
    p->window = w;
    Py_CLEAR(p->recording);
    return true;
}

static bool
profile_begin(profile *p)
{
    bool done;

    if ((p->only != NULL && !asy_tag_ready(p->only)) || !asy_sessions_lock()) {
        return false;
    }
    done = begin_locked(p);
    asy_sessions_unlock();
    return done;
}

static bool
end_locked(profile *p, bool keep)
{
    if (p->depth == 0) {
        PyErr_SetString(PyExc_RuntimeError, "the profile is not running");
        return false;
    }
    if (p->depth == 1 && keep) {
        asy_window_end(p->window);
    } else if (p->depth == 1) {
        asy_window_drop(p->window);
        asy_window_free(p->window);
        p->window = NULL;
    }
    p->depth--;
    return true;
}

static bool
profile_end(profile *p, bool keep)
{
    bool done;

    if (!asy_sessions_lock()) {
        return false;
    }
    done = end_locked(p, keep);
    asy_sessions_unlock();
    return done;
}

// ---- methods ----

static PyObject *
profile_enter(PyObject *self, PyObject *none)
{
    (void)none;
    return profile_begin((profile *)self) ? Py_NewRef(self) : NULL;
}

static PyObject *
profile_exit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)args, (void)nargs;
    return profile_end((profile *)self, true) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
profile_drop(PyObject *self, PyObject *none)
{
    (void)none;
    return profile_end((profile *)self, false) ? Py_NewRef(Py_None) : NULL;
}

static bool
finished(const profile *p)
{
    const char *why = p->window == NULL ? "the profile was never started"
                      : p->depth != 0   ? "the profile is still running"
                      : p->window->lost
                          ? "the process was forked while the profile ran: its counts stayed with the parent"
                          : NULL;

    if (why != NULL) {
        PyErr_SetString(PyExc_RuntimeError, why);
    }
    return why == NULL;
}

static asy_status
window_write(const profile *p, void **bytes, size_t *len)
{
    asy_text labels[ASY_SYMBOL_STRINGS];
    char *room = p->shown != NULL ? malloc(ASY_SCRATCH_BYTES) : NULL;
    asy_status st = p->shown == NULL || room != NULL ? ASY_OK : ASY_ENOMEM;

    if (st == ASY_OK) {
        st = asy_window_write(p->window, labels, room != NULL ? asy_tag_labels(p->shown, room, labels) : 0, bytes, len);
    }
    free(room);
    return st;
}

// The bytes of the recording, new, and which of the profile's windows it is of. A profile that begins again frees the one before.
static PyObject *
bytes_of(profile *p, uint64_t *window)
{
    void *bytes = NULL;
    size_t len = 0;
    PyObject *out = NULL;
    asy_status st = ASY_EINVAL;
    bool whole;

    if (!asy_sessions_lock()) {
        return NULL;
    }
    *window = p->begun;
    whole = finished(p);
    if (whole) {
        st = window_write(p, &bytes, &len);
    }
    asy_sessions_unlock();
    if (st == ASY_OK) {
        out = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
        free(bytes);
    } else if (whole) {
        asy_sessions_raise(st);
    }
    return out;
}

static PyObject *
profile_bytes(PyObject *self, PyObject *none)
{
    uint64_t window;

    (void)none;
    return bytes_of((profile *)self, &window);
}

static PyObject *
reading_call(const char *function, PyObject *first, PyObject *second)
{
    PyObject *module = PyImport_ImportModule("assay.recording");
    PyObject *out =
        module != NULL ? PyObject_CallMethod(module, function, second != NULL ? "OO" : "O", first, second) : NULL;

    Py_XDECREF(module);
    return out;
}

// *out: what was read of the window before, new; NULL: nothing yet. False with an exception set.
static bool
recording_known(profile *p, PyObject **out)
{
    bool whole;

    *out = NULL;
    if (!asy_sessions_lock()) {
        return false;
    }
    whole = finished(p);
    *out = whole ? Py_XNewRef(p->recording) : NULL;
    asy_sessions_unlock();
    return whole;
}

// What was read of a window is the profile's recording, if that has not begun again and nobody was faster. Takes `made`; new.
static PyObject *
recording_keep(profile *p, PyObject *made, uint64_t window)
{
    PyObject *kept = made;

    if (!asy_sessions_lock()) {
        Py_DECREF(made);
        return NULL;
    }
    if (p->begun == window && p->recording == NULL) {
        p->recording = Py_NewRef(made);
    } else if (p->begun == window) {
        kept = Py_NewRef(p->recording);
    }
    asy_sessions_unlock();
    if (kept != made) {
        Py_DECREF(made);
    }
    return kept;
}

static PyObject *
profile_recording(PyObject *self, void *none)
{
    profile *p = (profile *)self;
    PyObject *bytes, *made;
    uint64_t window;

    (void)none;
    if (!recording_known(p, &made) || made != NULL) {
        return made;
    }
    bytes = bytes_of(p, &window);
    made = bytes != NULL ? reading_call("load", bytes, NULL) : NULL; // runs Python code: without the lock
    Py_XDECREF(bytes);
    return made != NULL ? recording_keep(p, made, window) : NULL;
}

static PyObject *
profile_save(PyObject *self, PyObject *path)
{
    PyObject *bytes = profile_bytes(self, NULL);
    PyObject *out = bytes != NULL ? reading_call("write", bytes, path) : NULL;

    Py_XDECREF(bytes);
    return out;
}

static bool
is_labelled(PyObject *tag)
{
    if (!Py_IS_TYPE(tag, asy_the_agent.tag_type) || ((asy_tag *)tag)->names == NULL) {
        PyErr_Format(PyExc_TypeError, "a tag with labels is needed, not %R", tag);
        return false;
    }
    return true;
}

static PyObject *
profile_show_as(PyObject *self, PyObject *tag)
{
    profile *p = (profile *)self;
    PyObject *before;

    if (p->only == NULL) {
        return PyErr_Format(PyExc_RuntimeError, "only what a profile of one tag shows has other labels");
    }
    if (!is_labelled(tag) || !asy_tag_ready((asy_tag *)tag) || !asy_sessions_lock()) {
        return NULL;
    }
    before = (PyObject *)p->shown;
    p->shown = (asy_tag *)Py_NewRef(tag);
    asy_sessions_unlock();
    Py_XDECREF(before);
    return Py_NewRef(Py_None);
}

static PyObject *
profile_running(PyObject *self, void *none)
{
    (void)none;
    return PyBool_FromLong(((profile *)self)->depth != 0);
}

static PyObject *
profile_call(PyObject *self, PyObject *args, PyObject *names)
{
    return asy_wrap_call(self, args, names, "a profile");
}

static PyObject *
profile_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    static char *known[] = {"only", NULL};
    PyObject *only = Py_None;
    profile *p;

    if (!PyArg_ParseTupleAndKeywords(args, names, "|$O:profile", known, &only) ||
        (only != Py_None && !is_labelled(only))) {
        return NULL;
    }
    p = PyObject_GC_New(profile, type);
    if (p != NULL) {
        p->only = only != Py_None ? (asy_tag *)Py_NewRef(only) : NULL;
        p->shown = NULL;
        p->window = NULL;
        p->recording = NULL;
        p->depth = 0;
        p->begun = 0;
        PyObject_GC_Track((PyObject *)p);
    }
    return (PyObject *)p;
}

static int
profile_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((profile *)self)->recording);
    Py_VISIT((PyObject *)((profile *)self)->only);
    Py_VISIT((PyObject *)((profile *)self)->shown);
    return 0;
}

static void
profile_dealloc(PyObject *self)
{
    profile *p = (profile *)self;
    PyTypeObject *type = Py_TYPE(self);
    asy_cpython_raised raised =
        asy_cpython_raised_take(); // a frame that an exception leaves may have held the last reference

    PyObject_GC_UnTrack(self);
    while (p->depth != 0 && profile_end(p, false)) {
        // nobody else can end it any more
    }
    if (p->depth != 0) {
        PyErr_WriteUnraisable(NULL);
        p->window = NULL; // open for ever: its memory stays
    }
    asy_window_free(p->window);
    Py_XDECREF(p->recording);
    Py_XDECREF((PyObject *)p->only);
    Py_XDECREF((PyObject *)p->shown);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    asy_cpython_raised_back(raised);
}

PyMethodDef asy_profile_type_methods[] = {
    {"__enter__", profile_enter, METH_NOARGS, PyDoc_STR("Begin to count.")},
    {"__exit__", (PyCFunction)(void (*)(void))profile_exit, METH_FASTCALL,
     PyDoc_STR("Count no more. Exceptions go on.")},
    {"drop", profile_drop, METH_NOARGS,
     PyDoc_STR("drop($self, /)\n--\n\nCount no more, and forget what was counted: takes less time than to keep it.")},
    {"show_as", profile_show_as, METH_O,
     PyDoc_STR(
         "show_as($self, tag, /)\n--\n\nIn the recording the labels of this tag stand in place of those of `only`.")},
    {"bytes", profile_bytes, METH_NOARGS,
     PyDoc_STR("bytes($self, /)\n--\n\nThe recording as a file holds it (docs/format.md).")},
    {"save", profile_save, METH_O,
     PyDoc_STR("save($self, path, /)\n--\n\nWrite the recording to a file, for `assay report`.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef profile_getset[] = {
    {"recording", profile_recording, NULL,
     PyDoc_STR("What was counted: an assay.Recording. RuntimeError while it runs."), NULL},
    {"running", profile_running, NULL, PyDoc_STR("True between start and stop."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    profile_doc,
    "profile(*, only=None)\n--\n\n"
    "Counts every call of the process while it is entered: `with assay.profile() as p: ...`, then `p.recording`.\n\n"
    "As a decorator: each call of the function; the recording is of the last one. Profiles nest and overlap; what is\n"
    "entered several times at once lasts from the first entry to the last exit. only: a tag; what runs inside it is\n"
    "counted, in whatever thread, and nothing else is in the recording.");

static PyType_Slot profile_slots[] = {
    {Py_tp_new, profile_new},
    {Py_tp_call, profile_call},
    {Py_tp_methods, asy_profile_type_methods},
    {Py_tp_getset, profile_getset},
    {Py_tp_traverse, profile_traverse},
    {Py_tp_dealloc, profile_dealloc},
    {Py_tp_doc, (void *)profile_doc},
    {0, NULL},
};

static PyType_Spec profile_spec = {
    .name = "assay._agent.profile",
    .basicsize = sizeof(profile),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = profile_slots,
};

// ---- start() and stop() ----

// It is on the list from when it has begun until it ends: both are one step for other threads.
static bool
start_locked(profile *p)
{
    if (!begin_locked(p)) {
        return false;
    }
    if (PyList_Append(asy_the_agent.started, (PyObject *)p) != 0) {
        asy_cpython_raised raised = asy_cpython_raised_take();

        end_locked(p, true);
        asy_cpython_raised_back(raised);
        return false;
    }
    return true;
}

static PyObject *
start(PyObject *module, PyObject *none)
{
    PyObject *p = PyObject_CallNoArgs((PyObject *)asy_the_agent.profile_type);
    bool done = false;

    (void)module, (void)none;
    if (p != NULL && asy_sessions_lock()) {
        done = start_locked((profile *)p);
        asy_sessions_unlock();
    }
    if (!done) {
        Py_CLEAR(p);
    }
    return p;
}

// What was started last, new, off the list. NULL with an exception set.
static PyObject *
started_pop(void)
{
    PyObject *started = asy_the_agent.started;
    Py_ssize_t last = PyList_GET_SIZE(started) - 1;
    PyObject *p;

    if (last < 0) {
        PyErr_SetString(PyExc_RuntimeError, "stop() without start()");
        return NULL;
    }
    p = Py_NewRef(PyList_GET_ITEM(started, last));
    if (PyList_SetSlice(started, last, last + 1, NULL) != 0) {
        Py_DECREF(p); // the list holds it
        return NULL;
    }
    return p;
}

static PyObject *
stop(PyObject *module, PyObject *none)
{
    PyObject *p;
    bool done;

    (void)module, (void)none;
    if (!asy_sessions_lock()) {
        return NULL;
    }
    p = started_pop();
    done = p != NULL && end_locked((profile *)p, true);
    asy_sessions_unlock();
    if (!done) {
        Py_CLEAR(p);
    }
    return p;
}

PyMethodDef asy_profile_functions[] = {
    {"start", start, METH_NOARGS, PyDoc_STR("start()\n--\n\nBegin to count; the profile is also what stop() returns.")},
    {"stop", stop, METH_NOARGS, PyDoc_STR("stop()\n--\n\nEnd what the last start() began, and return its profile.")},
    {NULL, NULL, 0, NULL},
};

int
asy_profile_type_init(PyObject *module)
{
    asy_agent *a = &asy_the_agent;

    if (a->profile_type == NULL) {
        a->profile_type = (PyTypeObject *)PyType_FromSpec(&profile_spec);
    }
    if (a->started == NULL) {
        a->started = PyList_New(0);
    }
    if (asy_sessions_init() != 0 || a->profile_type == NULL || a->started == NULL ||
        PyModule_AddFunctions(module, asy_profile_functions) != 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "profile", (PyObject *)a->profile_type);
}
