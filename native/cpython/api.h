// api.h: what the agent needs from one version of CPython, as facts and small functions. Compiled once for each version.
// The only header that knows versions; the agent branches on ASY_CPYTHON_* facts.
#ifndef ASY_CPYTHON_API_H
#define ASY_CPYTHON_API_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

// sys.monitoring exists (else PyEval_SetProfile is used).
#define ASY_CPYTHON_MONITORING (PY_VERSION_HEX >= 0x030C0000)
// PyContext_AddWatcher exists.
#define ASY_CPYTHON_CONTEXT_WATCHER (PY_VERSION_HEX >= 0x030E0000)
// Built without the GIL: code-extra slots may race, see funcs.c.
#ifdef Py_GIL_DISABLED
#define ASY_CPYTHON_FREETHREADED 1
#else
#define ASY_CPYTHON_FREETHREADED 0
#endif

// Code objects carry our numbers in a code-extra slot. Without the GIL slots race with their growth (gh-144981); from 3.14 on a code
// object that has any is not "stateless", and concurrent.interpreters would pickle its function: there they are found by address.
#define ASY_CPYTHON_CODE_SLOTS (!ASY_CPYTHON_FREETHREADED && PY_VERSION_HEX < 0x030E0000)

// What our extension module declares where the version knows it: one interpreter, no GIL needed.
#if PY_VERSION_HEX >= 0x030D0000
#define ASY_CPYTHON_MODULE_SLOTS                                                                                       \
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#elif PY_VERSION_HEX >= 0x030C0000
#define ASY_CPYTHON_MODULE_SLOTS {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#else
#define ASY_CPYTHON_MODULE_SLOTS
#endif

// ---- code-extra slots ----

// The head of the block behind PyCodeObject.co_extra (Objects/codeobject.c, alike from 3.6 to 3.15). asy_cpython_extra_check proves it
// before it is read directly.
typedef struct {
    Py_ssize_t size;
    void *extras[1];
} asy_cpython_extra;

// A free slot, or -1 with no exception set. `freed` is called with what it held (or NULL) when a code object dies.
Py_ssize_t asy_cpython_extra_request(void (*freed)(void *value));
// True if a direct read shows what the API wrote. Uses any code object; leaves its slot NULL.
bool asy_cpython_extra_check(PyCodeObject *code, Py_ssize_t slot);
bool asy_cpython_extra_set(PyCodeObject *code, Py_ssize_t slot, void *value);

// Hot: every call. Two dependent loads and a compare.
static inline void *
asy_cpython_extra_get(PyCodeObject *code, Py_ssize_t slot)
{
    const asy_cpython_extra *x = code->co_extra;

    return x != NULL && x->size > slot ? x->extras[slot] : NULL;
}

// Be told of every code object that dies. 1 + the watcher's id, 0 = not to be had (no exception set).
int asy_cpython_watch_codes(void (*died)(PyCodeObject *code));

// The instructions as they were compiled, whatever the interpreter has made of them since: bytes, new. NULL: no memory (no exception set).
// The code object remembers no more than it did.
PyObject *asy_cpython_instructions(PyCodeObject *code);

// ---- frames ----

// An exception leaves a frame of this code at `offset` (bytes; RESUME is its first instruction that can be traced). Had the frame not
// begun? A signal's handler may raise in RESUME, which is before the event of the call; in 3.12 after it, in 3.11 before or after.
static inline bool
asy_cpython_unbegun(const PyCodeObject *code, long offset)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
    (void)code, (void)offset;
    return false;
#else
    long past = offset / (long)sizeof(uint16_t) - code->_co_firsttraceable;

    return past == 0 || (PY_VERSION_HEX >= 0x030F0000 && past == 1); // 3.15: RESUME has a cache behind it
#endif
}

// Identity of the frame that runs in this thread, the same while a generator is suspended and goes on.
// Hot for generators: two loads.
static inline uint64_t
asy_cpython_frame(void)
{
    PyThreadState *ts = PyThreadState_GET();

#if PY_VERSION_HEX >= 0x030D0000
    return (uint64_t)(uintptr_t)ts->current_frame;
#else
    return (uint64_t)(uintptr_t)ts->cframe->current_frame;
#endif
}

// True if that frame is one of a generator or coroutine: its address is its own as long as that lives.
bool asy_cpython_in_generator(void);

// Identity, as above, of a frame that a frame object shows: its second field after the head, alike from 3.11 to 3.15.
typedef struct {
    PyObject head;
    PyFrameObject *back;
    void *frame;
} asy_cpython_frame_object;

static inline uint64_t
asy_cpython_frame_of(PyFrameObject *f)
{
    return (uint64_t)(uintptr_t)((const asy_cpython_frame_object *)(const void *)f)->frame;
}

// The context that this thread runs in (borrowed), or NULL: it has none yet.
static inline PyObject *
asy_cpython_context(void)
{
    return PyThreadState_GET()->context;
}

// Changes whenever this thread enters or leaves a context.
static inline uint64_t
asy_cpython_context_ver(void)
{
    return PyThreadState_GET()->context_ver;
}

// Call `switched` in a thread that has entered or left a context. False: cannot be had (before 3.14 never).
bool asy_cpython_watch_contexts(void (*switched)(void));

// The definition of Context.run.
const PyMethodDef *asy_cpython_context_run(void);

// True if a weak reference is to `object`, and that lives.
bool asy_cpython_weakref_is(PyObject *ref, PyObject *object);

// functools.partial: one, and what it calls (borrowed, or NULL).
bool asy_cpython_is_partial(PyObject *callable);
PyObject *asy_cpython_partial_func(PyObject *partial);

// Globals of the running frame (borrowed), or NULL.
PyObject *asy_cpython_globals(void);

// The dict of `__main__` (borrowed), or NULL before it exists. Runs no Python code.
PyObject *asy_cpython_main_dict(void);

// A module that is already imported (borrowed), or NULL. Runs no Python code.
PyObject *asy_cpython_module(PyObject *name);

// ---- callables ----

// An attribute of a type or its bases, new; NULL: none (no exception set). Runs no Python code.
PyObject *asy_cpython_type_lookup(PyTypeObject *type, const char *name);

// The type of bound slots ("method-wrapper"), static; NULL: not to be had (no exception set).
PyTypeObject *asy_cpython_bound_slot_type(void);

// The slot behind a bound one: its first field (Objects/descrobject.c). Borrowed; NULL: it is not laid out so.
static inline PyObject *
asy_cpython_bound_slot(PyObject *bound)
{
    PyObject *slot = *(PyObject **)(void *)(bound + 1);

    return slot != NULL && Py_TYPE(slot) == &PyWrapperDescr_Type ? slot : NULL;
}

// ---- strings ----

// UTF-8 of a str into `out`, at most `max` bytes, cut at a character; lone surrogates as three bytes. The object is not touched (its UTF-8 cache
// stays as it was). Not a str: 0 bytes.
uint32_t asy_cpython_utf8(PyObject *text, char *out, uint32_t max);

// ---- the collector ----

// Where making an object may run the collector, and with it Python code, which no thread's state survives: not now. Returns what
// asy_cpython_gc_release wants.
static inline bool
asy_cpython_gc_hold(void)
{
#if PY_VERSION_HEX < 0x030C0000
    return PyGC_Disable() != 0;
#else
    return false; // it runs between instructions
#endif
}

static inline void
asy_cpython_gc_release(bool collects)
{
    if (collects) {
        PyGC_Enable();
    }
}

// ---- hooks of the program ----

// sys.setprofile's and sys.settrace's in this thread, out of the way of Python code of ours; asy_cpython_hooks_back puts them there again.
typedef struct {
    Py_tracefunc profile, trace; // NULL = none
} asy_cpython_hooks;

asy_cpython_hooks asy_cpython_hooks_take(void);
void asy_cpython_hooks_back(asy_cpython_hooks hooks);

// ---- exceptions ----

// The exception that is set, taken out of the way of calls to the interpreter; asy_cpython_raised_back puts it there again, in place
// of what may be set by then.
typedef struct {
    PyObject *type, *value, *traceback; // owned; from 3.12 on `value` alone
} asy_cpython_raised;

static inline asy_cpython_raised
asy_cpython_raised_take(void)
{
    asy_cpython_raised raised = {NULL, NULL, NULL};

#if PY_VERSION_HEX >= 0x030C0000
    raised.value = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&raised.type, &raised.value, &raised.traceback);
#endif
    return raised;
}

static inline void
asy_cpython_raised_back(asy_cpython_raised raised)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(raised.value);
#else
    PyErr_Restore(raised.type, raised.value, raised.traceback);
#endif
}

// ---- the interpreter ----

bool asy_cpython_is_main_interpreter(void);

// The text that a class has as its own __module__, new, or NULL. No hash or comparison of a key that a program made is run.
PyObject *asy_cpython_type_module(PyTypeObject *type);
// True while there is an interpreter beside the main one. (Since 3.13 a sub-interpreter runs the init functions of built-in modules in the
// main one: the current interpreter does not tell.)
bool asy_cpython_has_sub_interpreter(void);
uint64_t asy_cpython_version(void);

#endif
