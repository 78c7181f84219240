// tag.c: assay.tag(**labels): a context manager and decorator.
// What it does to stacks and contexts is in tags.c.
#include "agent/tag.h"

#include <pthread.h>
#include <string.h>

#include "agent/funcs.h"
#include "agent/wrap.h"

#define LABELS_MAX (ASY_SYMBOL_STRINGS / 2)

// ---- texts ----

// str(value), or where that fails "<its type>". New; NULL with an exception set that is no Exception.
static PyObject *
text_of(PyObject *value)
{
    PyObject *text = PyUnicode_CheckExact(value) ? Py_NewRef(value) : PyObject_Str(value);

    if (text == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear();
        text = PyUnicode_FromFormat("<%s>", Py_TYPE(value)->tp_name);
    }
    return text;
}

// Positions of the names, sorted by name.
static void
names_sort(PyObject *names, Py_ssize_t *order)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        Py_ssize_t j = i;
        for (; j > 0 && PyUnicode_Compare(PyTuple_GET_ITEM(names, order[j - 1]), PyTuple_GET_ITEM(names, i)) > 0; j--) {
            order[j] = order[j - 1];
        }
        order[j] = i;
    }
}

// key, value, … New, or NULL with an exception set.
static PyObject *
texts_make(const asy_tag *tag)
{
    Py_ssize_t order[LABELS_MAX], n = PyTuple_GET_SIZE(tag->names);
    PyObject *texts = PyTuple_New(2 * n);

    names_sort(tag->names, order);
    for (Py_ssize_t i = 0; texts != NULL && i < n; i++) {
        PyObject *text = text_of(PyTuple_GET_ITEM(tag->values, order[i]));
        if (text == NULL) {
            Py_CLEAR(texts);
            break;
        }
        PyTuple_SET_ITEM(texts, 2 * i, Py_NewRef(PyTuple_GET_ITEM(tag->names, order[i])));
        PyTuple_SET_ITEM(texts, 2 * i + 1, text);
    }
    return texts;
}

// Borrowed from the tag; NULL with an exception set.
static PyObject *
texts_get(asy_tag *tag)
{
    PyObject *texts = __atomic_load_n(&tag->texts, __ATOMIC_ACQUIRE), *none = NULL;

    if (texts != NULL) {
        return texts;
    }
    texts = texts_make(tag);
    if (texts != NULL &&
        !__atomic_compare_exchange_n(&tag->texts, &none, texts, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        Py_DECREF(texts); // another thread was first
        texts = none;
    }
    return texts;
}

uint32_t
asy_tag_labels(const asy_tag *tag, char *room, asy_text *parts)
{
    PyObject *texts = __atomic_load_n(&tag->texts, __ATOMIC_ACQUIRE);
    uint32_t n = texts != NULL ? (uint32_t)PyTuple_GET_SIZE(texts) : 0, used = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t most = (ASY_SCRATCH_BYTES - used) / (n - i);
        parts[i].bytes = room + used;
        parts[i].len = asy_cpython_utf8(PyTuple_GET_ITEM(texts, i), room + used,
                                        most < ASY_SYMBOL_STRING_MAX ? most : ASY_SYMBOL_STRING_MAX);
        used += parts[i].len;
    }
    return n;
}

bool
asy_tag_ready(asy_tag *tag)
{
    if (tag->names == NULL || texts_get(tag) != NULL) {
        return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return false;
    }
    PyErr_Clear(); // MemoryError
    return true;
}

uint32_t
asy_tag_func(asy_agent_thread *t, asy_tag *tag)
{
    uint32_t func = __atomic_load_n(&tag->func, __ATOMIC_RELAXED);
    asy_text parts[ASY_SYMBOL_STRINGS];
    uint32_t n = func == 0 ? asy_tag_labels(tag, t->scratch, parts) : 0;

    if (n != 0) {
        func = asy_funcs_labels(parts, n);
        __atomic_store_n(&tag->func, func, __ATOMIC_RELAXED);
    }
    return func;
}

// ---- letting go ----

// With the agent's lock: is a frame of these labels on the stack? The stack may be another thread's.
static bool
stands(const asy_agent_thread *t, uint32_t func)
{
    const asy_thread *th = t->tree.thread;
    uint64_t depth = th != NULL && asy_thread_holds(t) ? __atomic_load_n(&th->depth, __ATOMIC_ACQUIRE) : 0;

    for (uint64_t d = 1; d < depth; d++) {
        uint32_t node = __atomic_load_n(&asy_tree_frame(&t->tree, d)->node, __ATOMIC_RELAXED);
        if (asy_tree_node(&t->tree, node)->func == func) {
            return true;
        }
    }
    return false;
}

bool
asy_tag_release(asy_tag *tag)
{
    asy_agent *a = &asy_the_agent;
    uint32_t func = __atomic_load_n(&tag->func, __ATOMIC_RELAXED);
    bool found = false;

    asy_tag_links_lock();
    for (asy_tag_link *l = tag->links; l != NULL; l = l->next) {
        __atomic_store_n(&l->ended, true, __ATOMIC_RELAXED);
    }
    asy_tag_links_unlock();
    if (func == 0 || a->proc == NULL || (a->alive != NULL && !asy_agent_here())) {
        return true;
    }
    pthread_mutex_lock(&a->lock);
    for (const asy_agent_thread *t = a->threads; t != NULL && !found; t = t->next) {
        found = stands(t, func);
    }
    pthread_mutex_unlock(&a->lock);
    return !found;
}

// ---- the type ----

// Takes over `names` and `values`, also where it fails.
static PyObject *
tag_make(PyObject *names, PyObject *values)
{
    asy_tag *tag;

    if (names != NULL && PyTuple_GET_SIZE(names) > (Py_ssize_t)LABELS_MAX) {
        PyErr_Format(PyExc_TypeError, "tag() takes at most %d labels", (int)LABELS_MAX);
    }
    tag = PyErr_Occurred() ? NULL : PyObject_GC_New(asy_tag, asy_the_agent.tag_type);
    if (tag == NULL) {
        Py_XDECREF(names);
        Py_XDECREF(values);
        return NULL;
    }
    tag->names = names;
    tag->values = values;
    tag->texts = NULL;
    tag->func = 0;
    tag->links = NULL;
    PyObject_GC_Track((PyObject *)tag);
    if (names != NULL && __atomic_load_n(&asy_the_agent.measuring, __ATOMIC_RELAXED) && texts_get(tag) == NULL) {
        Py_DECREF(tag);
        return NULL;
    }
    return (PyObject *)tag;
}

static PyObject *
tag_vectorcall(PyObject *type, PyObject *const *args, size_t nargs, PyObject *names)
{
    PyObject *values = NULL;

    (void)type;
    if (PyVectorcall_NARGS(nargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "tag() takes labels by name: tag(customer='acme')");
        return NULL;
    }
    if (names == NULL || PyTuple_GET_SIZE(names) == 0) {
        return tag_make(NULL, NULL);
    }
    values = PyTuple_New(PyTuple_GET_SIZE(names));
    for (Py_ssize_t i = 0; values != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyTuple_SET_ITEM(values, i, Py_NewRef(args[i]));
    }
    return values != NULL ? tag_make(Py_NewRef(names), values) : NULL;
}

static PyObject *
tag_new(PyTypeObject *type, PyObject *args, PyObject *labels)
{
    if (PyTuple_GET_SIZE(args) != 0) {
        return tag_vectorcall((PyObject *)type, NULL, (size_t)PyTuple_GET_SIZE(args), NULL);
    }
    if (labels == NULL || PyDict_GET_SIZE(labels) == 0) {
        return tag_make(NULL, NULL);
    }
    PyObject *names = PySequence_Tuple(labels), *list = PyDict_Values(labels),
             *values = list != NULL ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tag_make(names, values); // fails where one of them did
}

static PyObject *
tag_enter(PyObject *self, PyObject *none)
{
    (void)none;
    return asy_tags_enter((asy_tag *)self) ? Py_NewRef(self) : NULL;
}

static PyObject *
tag_exit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)args, (void)nargs;
    return asy_tags_exit((asy_tag *)self) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
tag_release(PyObject *self, PyObject *none)
{
    (void)none;
    return PyBool_FromLong(asy_tag_release((asy_tag *)self));
}

static PyObject *
tag_call(PyObject *self, PyObject *args, PyObject *names)
{
    return asy_wrap_call(self, args, names, "a tag");
}

static PyObject *
tag_repr(PyObject *self)
{
    const asy_tag *tag = (const asy_tag *)self;
    PyObject *parts = PyList_New(0), *comma = PyUnicode_FromString(", "), *inner = NULL, *out = NULL;

    for (Py_ssize_t i = 0; parts != NULL && tag->names != NULL && i < PyTuple_GET_SIZE(tag->names); i++) {
        PyObject *one =
            PyUnicode_FromFormat("%U=%R", PyTuple_GET_ITEM(tag->names, i), PyTuple_GET_ITEM(tag->values, i));
        if (one == NULL || PyList_Append(parts, one) != 0) {
            Py_CLEAR(parts);
        }
        Py_XDECREF(one);
    }
    inner = parts != NULL && comma != NULL ? PyUnicode_Join(comma, parts) : NULL;
    out = inner != NULL ? PyUnicode_FromFormat("assay.tag(%U)", inner) : NULL;
    Py_XDECREF(inner);
    Py_XDECREF(comma);
    Py_XDECREF(parts);
    return out;
}

static int
tag_traverse(PyObject *self, visitproc visit, void *arg)
{
    const asy_tag *tag = (const asy_tag *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(tag->values);
    return 0; // names and texts hold nothing but str
}

static void
tag_dealloc(PyObject *self)
{
    asy_tag *tag = (asy_tag *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    Py_XDECREF(tag->names);
    Py_XDECREF(tag->values);
    Py_XDECREF(tag->texts);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyMethodDef asy_tag_methods[] = {
    {"__enter__", tag_enter, METH_NOARGS, PyDoc_STR("Calls that are counted from here on are below this tag.")},
    {"__exit__", (PyCFunction)(void (*)(void))tag_exit, METH_FASTCALL, PyDoc_STR("The tag ends. Exceptions go on.")},
    {"release", tag_release, METH_NOARGS,
     PyDoc_STR("release($self, /)\n--\n\nWhat was started inside and runs on (tasks, callbacks) is outside from its "
               "next step on.\n\n"
               "False: some of it runs at this moment, in another thread or below this call.")},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    tag_doc,
    "tag(**labels)\n--\n\n"
    "Labels for what runs inside: `with tag(customer=name): ...`, or as a decorator of a function.\n\n"
    "Values become text by str(). Tags nest, follow their asyncio task and are inherited by copies of the context;\n"
    "one tag can be entered again and again. Costs less than a microsecond where nothing is measured.");

static PyType_Slot tag_slots[] = {
    {Py_tp_new, tag_new},           {Py_tp_call, tag_call},
    {Py_tp_repr, tag_repr},         {Py_tp_methods, asy_tag_methods},
    {Py_tp_traverse, tag_traverse}, {Py_tp_dealloc, tag_dealloc},
    {Py_tp_doc, (void *)tag_doc},   {0, NULL},
};

static PyType_Spec tag_spec = {
    .name = "assay._agent.tag",
    .basicsize = sizeof(asy_tag),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tag_slots,
};

// ---- links ----

#if ASY_CPYTHON_FREETHREADED
static pthread_mutex_t links_mutex = PTHREAD_MUTEX_INITIALIZER;

void
asy_tag_links_lock(void)
{
    pthread_mutex_lock(&links_mutex);
}

void
asy_tag_links_unlock(void)
{
    pthread_mutex_unlock(&links_mutex);
}

// A fork child does not inherit it from a thread that it has not.
static int
links_fork(void)
{
    if (pthread_atfork(asy_tag_links_lock, asy_tag_links_unlock, asy_tag_links_unlock) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
#else
static int
links_fork(void)
{
    return 0;
}
#endif

static void
link_list(asy_tag_link *l)
{
    asy_tag_links_lock();
    l->next = l->tag->links;
    l->previous = &l->tag->links;
    if (l->next != NULL) {
        l->next->previous = &l->next;
    }
    l->tag->links = l;
    asy_tag_links_unlock();
}

static void
link_unlist(asy_tag_link *l)
{
    asy_tag_links_lock();
    *l->previous = l->next;
    if (l->next != NULL) {
        l->next->previous = l->previous;
    }
    asy_tag_links_unlock();
}

asy_tag_link *
asy_tag_link_new(asy_tag_link *parent, asy_tag *tag)
{
    asy_tag_link *l = PyObject_GC_New(asy_tag_link, asy_the_agent.link_type);

    if (l != NULL) {
        l->parent = (asy_tag_link *)Py_XNewRef((PyObject *)parent);
        l->tag = (asy_tag *)Py_NewRef((PyObject *)tag);
        l->owner = NULL;
        l->token = l->frame = l->epoch = 0;
        l->length = parent != NULL ? parent->length + 1 : 1;
        l->check = parent != NULL ? __atomic_load_n(&parent->check, __ATOMIC_RELAXED) : ASY_TAG_CHECK;
        l->ended = false;
        link_list(l);
        PyObject_GC_Track((PyObject *)l);
    }
    return l;
}

static int
link_traverse(PyObject *self, visitproc visit, void *arg)
{
    const asy_tag_link *l = (const asy_tag_link *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)l->parent);
    Py_VISIT((PyObject *)l->tag);
    return 0;
}

static void
link_dealloc(PyObject *self)
{
    asy_tag_link *l = (asy_tag_link *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, link_dealloc) // chains may be long
        link_unlist(l);
    Py_XDECREF((PyObject *)l->parent);
    Py_XDECREF((PyObject *)l->tag);
    Py_XDECREF(l->owner);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyType_Slot link_slots[] = {
    {Py_tp_traverse, link_traverse},
    {Py_tp_dealloc, link_dealloc},
    {0, NULL},
};

static PyType_Spec link_spec = {
    .name = "assay._agent.Link",
    .basicsize = sizeof(asy_tag_link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = link_slots,
};

int
asy_tag_types(void)
{
    asy_agent *a = &asy_the_agent;

    if (a->tag_type == NULL) {
        a->tag_type = (PyTypeObject *)PyType_FromSpec(&tag_spec);
    }
    if (a->link_type == NULL && links_fork() == 0) {
        a->link_type = (PyTypeObject *)PyType_FromSpec(&link_spec);
    }
    if (a->tag_type == NULL || a->link_type == NULL) {
        return -1;
    }
    a->tag_type->tp_vectorcall = tag_vectorcall;
    return 0;
}
