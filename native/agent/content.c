// content.c: hashes code objects by what they hold.
// Python's own hashes do not do: they call 1, 1.0 and True the same, -1 and -2 too, and ask objects of the program.
#include "agent/content.h"

#include <string.h>

#define PENDING_MAX 64u // containers that wait to be looked into; beyond that they count by their type alone

typedef struct {
    PyObject *object; // borrowed from the code object: tuple, frozenset, slice or code
    uint64_t seed;
} pending;

typedef struct {
    pending at[PENDING_MAX];
    uint32_t count;
    uint64_t sum; // of what every constant says at its place: in any order
} walk;

uint64_t
asy_content_bytes(uint64_t h, const char *p, size_t n)
{
    uint64_t v;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&v, p, 8);
        h = asy_content_mix(h, v);
    }
    v = n;
    memcpy(&v, p, n < 8 ? n : 0);
    return asy_content_mix(h, v + ((uint64_t)n << 56));
}

// Of str and bytes, which remember theirs: that of the text, whatever a subclass makes of it.
static uint64_t
text_hash(PyObject *text)
{
    return (uint64_t)(PyUnicode_Check(text) ? PyUnicode_Type.tp_hash(text) : PyBytes_Type.tp_hash(text));
}

static uint64_t
instructions_hash(PyCodeObject *code)
{
    PyObject *bytes = asy_cpython_instructions(code);
    uint64_t h = bytes != NULL ? text_hash(bytes) : 0;

    Py_XDECREF(bytes);
    return h;
}

static uint64_t
int_hash(PyObject *n)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(n, &overflow);

    return overflow == 0 ? (uint64_t)value : (uint64_t)PyLong_Type.tp_hash(n);
}

static uint64_t
complex_hash(PyObject *n)
{
    Py_complex value = ((PyComplexObject *)n)->cval;

    return asy_content_bytes(0, (const char *)&value, sizeof(value));
}

// What a constant says that holds no others. Of a type of the program's, the type.
static uint64_t
value_hash(PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);
    uint64_t h = (uint64_t)(uintptr_t)type;

    if (type == &PyUnicode_Type || type == &PyBytes_Type) {
        return asy_content_mix(h, text_hash(o));
    }
    if (type == &PyLong_Type) {
        return asy_content_mix(h, int_hash(o));
    }
    if (type == &PyFloat_Type) {
        return asy_content_bytes(h, (const char *)&((PyFloatObject *)o)->ob_fval, sizeof(double));
    }
    if (type == &PyComplex_Type) {
        return asy_content_mix(h, complex_hash(o));
    }
    return type == &PyBool_Type ? asy_content_mix(h, o == Py_True) : h;
}

static bool
is_container(PyObject *o)
{
    return PyTuple_CheckExact(o) || PyFrozenSet_CheckExact(o) || PySlice_Check(o) || PyCode_Check(o);
}

static void
walk_add(walk *w, PyObject *o, uint64_t seed)
{
    if (is_container(o) && w->count < PENDING_MAX) {
        w->at[w->count++] = (pending){o, asy_content_mix(seed, (uint64_t)(uintptr_t)Py_TYPE(o))};
    } else {
        w->sum += asy_content_mix(seed, value_hash(o));
    }
}

static void
walk_tuple(walk *w, PyObject *tuple, uint64_t seed)
{
    w->sum += asy_content_mix(seed, (uint64_t)PyTuple_GET_SIZE(tuple));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        walk_add(w, PyTuple_GET_ITEM(tuple, i), asy_content_mix(seed, (uint64_t)i));
    }
}

// Elements have no order. What was taken out has left an entry whose hash no element can have.
static void
walk_set(walk *w, PyObject *set, uint64_t seed)
{
    const PySetObject *s = (const PySetObject *)(const void *)set;

    for (Py_ssize_t i = 0; i <= s->mask; i++) {
        if (s->table[i].key != NULL && s->table[i].hash != -1) {
            walk_add(w, s->table[i].key, seed);
        }
    }
}

static void
walk_slice(walk *w, PyObject *slice, uint64_t seed)
{
    const PySliceObject *s = (const PySliceObject *)(const void *)slice;

    walk_add(w, s->start, asy_content_mix(seed, 0));
    walk_add(w, s->stop, asy_content_mix(seed, 1));
    walk_add(w, s->step, asy_content_mix(seed, 2));
}

static void
walk_code(walk *w, PyCodeObject *code, uint64_t seed)
{
    uint64_t h = asy_content_mix(seed, (uint64_t)code->co_firstlineno);

    h = asy_content_mix(h, (uint64_t)code->co_stacksize << 32 | (uint64_t)(uint32_t)code->co_flags);
    h = asy_content_mix(h, text_hash(code->co_qualname));
    h = asy_content_mix(h, text_hash(code->co_filename));
    h = asy_content_mix(h, text_hash(code->co_linetable));
    h = asy_content_mix(h, instructions_hash(code));
    w->sum += h;
    walk_add(w, code->co_names, asy_content_mix(seed, 0));
    walk_add(w, code->co_consts, asy_content_mix(seed, 1));
}

uint64_t
asy_content_code(PyCodeObject *code)
{
    walk w = {.count = 0};

    walk_add(&w, (PyObject *)code, 0);
    while (w.count != 0) {
        pending p = w.at[--w.count];

        if (PyTuple_CheckExact(p.object)) {
            walk_tuple(&w, p.object, p.seed);
        } else if (PyFrozenSet_CheckExact(p.object)) {
            walk_set(&w, p.object, p.seed);
        } else if (PySlice_Check(p.object)) {
            walk_slice(&w, p.object, p.seed);
        } else {
            walk_code(&w, (PyCodeObject *)p.object, p.seed);
        }
    }
    return w.sum | 1;
}
