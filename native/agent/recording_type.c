// recording_type.c: asy_profile to Python objects. Everything in a loaded profile is in range and valid text (record/profile.h).
// Immutable once made: any thread may read it.
#include "agent/recording_type.h"

#include "agent/process.h"
#include "record/profile.h"

typedef struct {
    PyObject_HEAD asy_profile *p; // owned
} loaded;

// One column of a thread's nodes: a strided view into the profile.
typedef struct {
    PyObject_HEAD PyObject *owner; // the loaded recording, owned
    char *at;
    Py_ssize_t shape, stride;
    const char *format; // "I" or "Q"
} column;

// ---- columns ----

static int
column_buffer(PyObject *self, Py_buffer *view, int flags)
{
    column *c = (column *)self;

    if ((flags & PyBUF_WRITABLE) != 0 || (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only and strided");
        view->obj = NULL;
        return -1;
    }
    *view = (Py_buffer){
        .buf = c->at,
        .obj = Py_NewRef(self),
        .itemsize = c->format[0] == 'I' ? 4 : 8,
        .readonly = 1,
        .ndim = 1,
        .format = (flags & PyBUF_FORMAT) != 0 ? (char *)(uintptr_t)c->format : NULL,
        .shape = &c->shape,
        .strides = &c->stride,
    };
    view->len = c->shape * view->itemsize;
    return 0;
}

static void
column_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(((column *)self)->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot column_slots[] = {
    {Py_bf_getbuffer, column_buffer},
    {Py_tp_dealloc, column_dealloc},
    {0, NULL},
};

static PyType_Spec column_spec = {
    .name = "assay._agent.Column",
    .basicsize = sizeof(column),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = column_slots,
};

static PyObject *
column_view(PyObject *owner, const asy_profile_thread *t, size_t offset, const char *format)
{
    column *c = PyObject_New(column, asy_the_agent.column_type);
    PyObject *view;

    if (c == NULL) {
        return NULL;
    }
    c->owner = Py_NewRef(owner);
    c->at = (char *)t->nodes + offset;
    c->shape = t->node_count;
    c->stride = sizeof(asy_profile_node);
    c->format = format;
    view = PyMemoryView_FromObject((PyObject *)c);
    Py_DECREF(c);
    return view;
}

// ---- rows ----

static PyObject *
text(const char *s)
{
    return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
}

static PyObject *
losses_list(const uint64_t *losses)
{
    PyObject *list = PyList_New(ASY_LOSS_COUNT);

    for (int i = 0; list != NULL && i < ASY_LOSS_COUNT; i++) {
        PyObject *n = PyLong_FromUnsignedLongLong(losses[i]);
        if (n == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, n);
    }
    return list;
}

// A list of `count` objects, made one by one. New, or NULL.
static PyObject *
list_of(PyObject *self, uint32_t count, PyObject *(*make)(PyObject *, uint32_t))
{
    PyObject *list = PyList_New(count);

    for (uint32_t i = 0; list != NULL && i < count; i++) {
        PyObject *one = make(self, i);
        if (one == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, one);
    }
    return list;
}

static PyObject *
note_make(PyObject *self, uint32_t i)
{
    return text(((loaded *)self)->p->notes[i]);
}

static PyObject *
func_make(PyObject *self, uint32_t i)
{
    const asy_profile_func *f = &((loaded *)self)->p->funcs[i];
    PyObject *labels = PyTuple_New(f->label_count);

    for (uint32_t k = 0; labels != NULL && k < f->label_count; k++) {
        PyObject *one = text(f->labels[k]);
        if (one == NULL) {
            Py_CLEAR(labels);
            break;
        }
        PyTuple_SET_ITEM(labels, k, one);
    }
    return labels == NULL ? NULL
                          : Py_BuildValue("IIINNNN", (unsigned)f->kind, (unsigned)f->flags, (unsigned)f->line,
                                          text(f->name), text(f->file), text(f->module), labels);
}

static PyObject *
process_make(PyObject *self, uint32_t i)
{
    const asy_profile_process *p = &((loaded *)self)->p->processes[i];

    return Py_BuildValue("KKKKKKKKNNNLIKKiiKKKKKN", p->pid, p->parent_pid, p->image, p->merged, p->start_ns, p->end_ns,
                         p->python_version, p->flags, text(p->executable), text(p->command), text(p->cwd),
                         p->main_thread == UINT32_MAX ? -1LL : (long long)p->main_thread, (unsigned)p->program_node,
                         p->program_ns, p->program_end_ns, p->exited, p->status, p->cost_py_in_ps, p->cost_py_out_ps,
                         p->cost_c_in_ps, p->cost_c_out_ps, p->resident_bytes, losses_list(p->losses));
}

static PyObject *
thread_make(PyObject *self, uint32_t i)
{
    const asy_profile_thread *t = &((loaded *)self)->p->threads[i];

    return Py_BuildValue("IKKNKKKKKNKKI", (unsigned)t->process, t->serial, t->native_id, text(t->name), t->start_ns,
                         t->end_ns, t->cpu_ns, t->flags, t->merged, PyBool_FromLong(t->ended), t->overhead_ns,
                         t->overhead_events, (unsigned)t->node_count);
}

static PyObject *
loaded_session(PyObject *self, PyObject *none)
{
    const asy_profile *p = ((loaded *)self)->p;

    (void)none;
    return Py_BuildValue("KKNNNNNKNN", p->start_unix_ns, p->duration_ns, text(p->command), text(p->directory),
                         text(p->script), text(p->assay_version), PyBool_FromLong(p->complete), p->cut_at,
                         losses_list(p->losses), list_of(self, p->note_count, note_make));
}

static PyObject *
loaded_functions(PyObject *self, PyObject *none)
{
    (void)none;
    return list_of(self, ((loaded *)self)->p->func_count, func_make);
}

static PyObject *
loaded_processes(PyObject *self, PyObject *none)
{
    (void)none;
    return list_of(self, ((loaded *)self)->p->process_count, process_make);
}

static PyObject *
loaded_threads(PyObject *self, PyObject *none)
{
    (void)none;
    return list_of(self, ((loaded *)self)->p->thread_count, thread_make);
}

#define COLUMN(name, format) {offsetof(asy_profile_node, name), format}

// parent, function, kind, open, calls, resumes, unwinds, self, wait, suspended
static PyObject *
loaded_columns(PyObject *self, PyObject *which)
{
    static const struct {
        size_t offset;
        const char *format;
    } columns[] = {
        COLUMN(parent, "I"),  COLUMN(func, "I"),         COLUMN(kind, "I"),    COLUMN(open, "I"),
        COLUMN(calls, "Q"),   COLUMN(resumes, "Q"),      COLUMN(unwinds, "Q"), COLUMN(self_ns, "Q"),
        COLUMN(wait_ns, "Q"), COLUMN(suspended_ns, "Q"),
    };
    const Py_ssize_t count = sizeof(columns) / sizeof(columns[0]);
    const asy_profile *p = ((loaded *)self)->p;
    unsigned long thread = PyLong_AsUnsignedLong(which);
    PyObject *out;

    if (PyErr_Occurred() || thread >= p->thread_count) {
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_IndexError, "no thread %lu", thread);
    }
    out = PyTuple_New(count);
    for (Py_ssize_t i = 0; out != NULL && i < count; i++) {
        PyObject *view = column_view(self, &p->threads[thread], columns[i].offset, columns[i].format);
        if (view == NULL) {
            Py_CLEAR(out);
            break;
        }
        PyTuple_SET_ITEM(out, i, view);
    }
    return out;
}

// ---- the type ----

static PyObject *
load_raise(asy_status st, const char *problem, PyObject *source)
{
    if (st == ASY_ENOMEM) {
        return PyErr_NoMemory();
    }
    if (st == ASY_ENOENT || st == ASY_EPERM) {
        return PyErr_Format(st == ASY_ENOENT ? PyExc_FileNotFoundError : PyExc_PermissionError, "%S: %s", source,
                            asy_status_text(st));
    }
    if (PyBytes_Check(source)) {
        return PyErr_Format(asy_the_agent.recording_error, "%s", problem != NULL ? problem : asy_status_text(st));
    }
    return PyErr_Format(asy_the_agent.recording_error, "%S: %s", source,
                        problem != NULL ? problem : asy_status_text(st));
}

// Loaded(bytes) or Loaded(path)
static PyObject *
loaded_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    PyObject *source, *path = NULL;
    const char *problem = NULL;
    asy_profile *p = NULL;
    asy_status st;
    loaded *l;

    if (names != NULL || !PyArg_ParseTuple(args, "O:Loaded", &source)) {
        return NULL;
    }
    if (PyBytes_Check(source)) {
        st = asy_profile_load_bytes(PyBytes_AS_STRING(source), (size_t)PyBytes_GET_SIZE(source), &p, &problem);
    } else if (PyUnicode_FSConverter(source, &path)) {
        st = asy_profile_load_file(PyBytes_AS_STRING(path), &p, &problem);
        Py_DECREF(path);
    } else {
        return NULL;
    }
    if (st != ASY_OK) {
        return load_raise(st, problem, source);
    }
    l = PyObject_New(loaded, type);
    if (l == NULL) {
        asy_profile_free(p);
        return NULL;
    }
    l->p = p;
    return (PyObject *)l;
}

static void
loaded_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    asy_profile_free(((loaded *)self)->p);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef loaded_methods[] = {
    {"session", loaded_session, METH_NOARGS, NULL},     {"functions", loaded_functions, METH_NOARGS, NULL},
    {"processes", loaded_processes, METH_NOARGS, NULL}, {"threads", loaded_threads, METH_NOARGS, NULL},
    {"columns", loaded_columns, METH_O, NULL},          {NULL, NULL, 0, NULL},
};

static PyType_Slot loaded_slots[] = {
    {Py_tp_new, loaded_new},
    {Py_tp_methods, loaded_methods},
    {Py_tp_dealloc, loaded_dealloc},
    {0, NULL},
};

static PyType_Spec loaded_spec = {
    .name = "assay._agent.Loaded",
    .basicsize = sizeof(loaded),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = loaded_slots,
};

int
asy_recording_type_init(PyObject *module)
{
    asy_agent *a = &asy_the_agent;

    if (a->column_type == NULL) {
        a->column_type = (PyTypeObject *)PyType_FromSpec(&column_spec);
    }
    if (a->loaded_type == NULL) {
        a->loaded_type = (PyTypeObject *)PyType_FromSpec(&loaded_spec);
    }
    if (a->recording_error == NULL) {
        a->recording_error = PyErr_NewExceptionWithDoc(
            "assay.RecordingError", "A file is no recording, or damaged; the text names the byte offset.",
            PyExc_ValueError, NULL);
    }
    if (a->column_type == NULL || a->loaded_type == NULL || a->recording_error == NULL ||
        PyModule_AddObjectRef(module, "RecordingError", a->recording_error) != 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Loaded", (PyObject *)a->loaded_type);
}
