// api.c: the slow half of api.h.
// Needs the GIL (or an attached thread state); sets no exception that it does not clear.
#include "cpython/api.h"

#include <string.h>

Py_ssize_t
asy_cpython_extra_request(void (*freed)(void *value))
{
#if PY_VERSION_HEX >= 0x030C0000
    Py_ssize_t slot = PyUnstable_Eval_RequestCodeExtraIndex(freed);
#else
    Py_ssize_t slot = _PyEval_RequestCodeExtraIndex(freed);
#endif

    if (slot < 0) {
        PyErr_Clear();
    }
    return slot;
}

bool
asy_cpython_extra_set(PyCodeObject *code, Py_ssize_t slot, void *value)
{
    bool first = code->co_extra == NULL;
    asy_cpython_extra *x;
#if PY_VERSION_HEX >= 0x030C0000
    int rc = PyUnstable_Code_SetExtra((PyObject *)code, slot, value);
#else
    int rc = _PyCode_SetExtra((PyObject *)code, slot, value);
#endif

    // A code object that dies calls the free function of every slot that its block has room for, set or not. The block ends with our
    // slot, so that the functions of others are called for their own code objects only; their first set grows it.
    x = code->co_extra;
    if (first && x != NULL && x->size > slot + 1) {
        x->size = slot + 1;
    }
    if (rc != 0) {
        PyErr_Clear();
    }
    return rc == 0;
}

bool
asy_cpython_extra_check(PyCodeObject *code, Py_ssize_t slot)
{
    void *mark = (void *)(uintptr_t)0x5A5A5A51;
    bool seen;

    if (!asy_cpython_extra_set(code, slot, mark)) {
        return false;
    }
    seen = asy_cpython_extra_get(code, slot) == mark;
    return asy_cpython_extra_set(code, slot, NULL) && seen && asy_cpython_extra_get(code, slot) == NULL;
}

#if ASY_CPYTHON_FREETHREADED
PyObject *
asy_cpython_instructions(PyCodeObject *code)
{
    PyObject *bytes;

    Py_BEGIN_CRITICAL_SECTION(code); // 3.13 fills its cache without
    bytes = PyCode_GetCode(code);
    Py_END_CRITICAL_SECTION();
    if (bytes == NULL) {
        PyErr_Clear();
    }
    return bytes;
}
#else
// Where PyCode_GetCode keeps what it made.
static PyObject **
instructions_cache(PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030C0000
    return code->_co_cached != NULL ? &code->_co_cached->_co_code : NULL;
#else
    return &code->_co_code;
#endif
}

PyObject *
asy_cpython_instructions(PyCodeObject *code)
{
    PyObject **cache = instructions_cache(code);
    bool kept = cache != NULL && *cache != NULL;
    PyObject *bytes = PyCode_GetCode(code);

    cache = instructions_cache(code);
    if (bytes == NULL) {
        PyErr_Clear();
    } else if (!kept && cache != NULL) {
        Py_CLEAR(*cache);
    }
    return bytes;
}
#endif

#if PY_VERSION_HEX >= 0x030C0000
static void (*code_died)(PyCodeObject *); // set before the watcher exists

static int
on_code(PyCodeEvent event, PyCodeObject *code)
{
    if (event == PY_CODE_EVENT_DESTROY) {
        code_died(code);
    }
    return 0;
}

int
asy_cpython_watch_codes(void (*died)(PyCodeObject *code))
{
    int id;

    code_died = died;
    id = PyCode_AddWatcher(on_code);
    if (id < 0) {
        PyErr_Clear();
    }
    return id + 1;
}
#else
int
asy_cpython_watch_codes(void (*died)(PyCodeObject *code))
{
    (void)died;
    return 0;
}
#endif

#if ASY_CPYTHON_CONTEXT_WATCHER
static void (*context_switched)(void); // set before the watcher exists

static int
on_context(PyContextEvent event, PyObject *context)
{
    PyObject *raised = PyErr_GetRaisedException(); // a context may be left by an exception

    (void)context;
    if (event == Py_CONTEXT_SWITCHED) {
        context_switched();
    }
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(NULL); // a signal's handler: no watcher may raise
    }
    PyErr_SetRaisedException(raised);
    return 0;
}

bool
asy_cpython_watch_contexts(void (*switched)(void))
{
    context_switched = switched;
    if (PyContext_AddWatcher(on_context) < 0) {
        PyErr_Clear();
        return false;
    }
    return true;
}
#else
bool
asy_cpython_watch_contexts(void (*switched)(void))
{
    (void)switched;
    return false;
}
#endif

const PyMethodDef *
asy_cpython_context_run(void)
{
    const PyMethodDef *m = PyContext_Type.tp_methods;

    while (m != NULL && m->ml_name != NULL && strcmp(m->ml_name, "run") != 0) {
        m++;
    }
    return m != NULL && m->ml_name != NULL ? m : NULL;
}

bool
asy_cpython_weakref_is(PyObject *ref, PyObject *object)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *target = NULL;
    bool same = PyWeakref_GetRef(ref, &target) == 1 && target == object;

    Py_XDECREF(target);
    PyErr_Clear();
    return same;
#else
    return PyWeakref_GET_OBJECT(ref) == object;
#endif
}

bool
asy_cpython_is_partial(PyObject *callable)
{
    return strcmp(Py_TYPE(callable)->tp_name, "functools.partial") == 0;
}

PyObject *
asy_cpython_partial_func(PyObject *partial)
{
    PyObject *func = PyObject_GetAttrString(partial, "func"); // a member: runs no Python code

    if (func == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(func); // the partial, which its caller holds, keeps it
    return func;
}

PyObject *
asy_cpython_type_lookup(PyTypeObject *type, const char *name)
{
    PyObject *text = PyUnicode_InternFromString(name);
    PyObject *found = NULL;

    if (text != NULL) {
#if PY_VERSION_HEX >= 0x030D0000
        found = _PyType_LookupRef(type, text);
#else
        found = Py_XNewRef(_PyType_Lookup(type, text));
#endif
        Py_DECREF(text);
    }
    PyErr_Clear();
    return found;
}

PyTypeObject *
asy_cpython_bound_slot_type(void)
{
    PyObject *bound = PyObject_GetAttrString(Py_None, "__repr__");
    PyTypeObject *type = bound != NULL ? Py_TYPE(bound) : NULL;

    Py_XDECREF(bound);
    PyErr_Clear();
    return type;
}

PyObject *
asy_cpython_globals(void)
{
    return PyEval_GetGlobals();
}

PyObject *
asy_cpython_module(PyObject *name)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *found = NULL;

    if (modules != NULL && PyDict_CheckExact(modules)) {
        found = PyDict_GetItemWithError(modules, name);
    }
    if (found == NULL) {
        PyErr_Clear();
    }
    return found;
}

PyObject *
asy_cpython_main_dict(void)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *found = NULL;

    if (modules != NULL && PyDict_CheckExact(modules)) {
        found = PyDict_GetItemString(modules, "__main__");
    }
    return found != NULL && PyModule_Check(found) ? PyModule_GetDict(found) : NULL;
}

// Bytes of one code point.
static uint32_t
utf8_put(Py_UCS4 c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

uint32_t
asy_cpython_utf8(PyObject *text, char *out, uint32_t max)
{
    uint32_t used = 0;
    char one[4];

    if (text == NULL || !PyUnicode_Check(text)) {
        return 0;
    }
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) != 0) {
        PyErr_Clear();
        return 0;
    }
#endif
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(text); i++) {
        uint32_t n = utf8_put(PyUnicode_READ_CHAR(text, i), one);
        if (used + n > max) {
            break;
        }
        memcpy(out + used, one, n);
        used += n;
    }
    return used;
}

bool
asy_cpython_is_main_interpreter(void)
{
    return PyInterpreterState_Get() == PyInterpreterState_Main();
}

bool
asy_cpython_has_sub_interpreter(void)
{
    return PyInterpreterState_Head() != PyInterpreterState_Main();
}

uint64_t
asy_cpython_version(void)
{
#if PY_VERSION_HEX >= 0x030B0000
    return Py_Version; // of the interpreter that runs, not of the headers
#else
    return PY_VERSION_HEX;
#endif
}

bool
asy_cpython_in_generator(void)
{
    bool collects = asy_cpython_gc_hold();
    PyFrameObject *frame = PyEval_GetFrame(); // borrowed
    PyCodeObject *code = frame != NULL ? PyFrame_GetCode(frame) : NULL;
    bool is = code != NULL && (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;

    asy_cpython_gc_release(collects);
    Py_XDECREF(code);
    return is;
}

// ---- hooks of the program ----

static void
hooks_set(PyThreadState *ts, asy_cpython_hooks hooks)
{
    ts->c_profilefunc = hooks.profile;
    ts->c_tracefunc = hooks.trace;
#if !ASY_CPYTHON_MONITORING
    if (ts->tracing == 0) {
        ts->cframe->use_tracing = hooks.profile != NULL || hooks.trace != NULL ? 255 : 0;
    }
#endif
}

asy_cpython_hooks
asy_cpython_hooks_take(void)
{
    PyThreadState *ts = PyThreadState_Get();
    asy_cpython_hooks hooks = {ts->c_profilefunc, ts->c_tracefunc};

    hooks_set(ts, (asy_cpython_hooks){NULL, NULL});
    return hooks;
}

void
asy_cpython_hooks_back(asy_cpython_hooks hooks)
{
    hooks_set(PyThreadState_Get(), hooks);
}

static PyObject *
text_of_key(PyObject *dict, const char *name)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;

    while (PyDict_Next(dict, &at, &key, &value)) {
        if (PyUnicode_CheckExact(key) && PyUnicode_CompareWithASCIIString(key, name) == 0) {
            return PyUnicode_Check(value) ? Py_NewRef(value) : NULL;
        }
    }
    return NULL;
}

PyObject *
asy_cpython_type_module(PyTypeObject *type)
{
    PyObject *dict = type->tp_dict, *found = NULL;

    if (dict == NULL) {
        return NULL;
    }
#if ASY_CPYTHON_FREETHREADED
    Py_BEGIN_CRITICAL_SECTION(dict);
    found = text_of_key(dict, "__module__");
    Py_END_CRITICAL_SECTION();
#else
    found = text_of_key(dict, "__module__");
#endif
    return found;
}
