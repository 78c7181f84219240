// funcs.h: small numbers for functions, given at first sight, with their names written to the symbols log before use.
// Code objects carry theirs in a code-extra slot, so an address that is used again is never mistaken; two compilations of the same source
// position share one. C callables are known by their definition and its name pointer.
#ifndef ASY_AGENT_FUNCS_H
#define ASY_AGENT_FUNCS_H

#include "agent/thread.h"

// First sight of a code object. 0 only if there is no memory at all.
uint32_t asy_funcs_code_slow(asy_agent_thread *t, PyCodeObject *code);

// Hot: every Python call. Without the GIL code-extra slots race with their growth (gh-144981): there each thread remembers the code objects
// that it met, until any code object that has a number dies.
static inline uint32_t
asy_funcs_code(asy_agent_thread *t, PyCodeObject *code)
{
#if !ASY_CPYTHON_FREETHREADED
    void *v = asy_cpython_extra_get(code, asy_the_agent.extra_slot);

    if (__builtin_expect(v != NULL, 1)) {
        return (uint32_t)(uintptr_t)v;
    }
#else
    const asy_func_row *row = &t->codes[((uintptr_t)code >> 5) % ASY_CODE_CACHE];

    if (__builtin_expect(row->key == (uint64_t)(uintptr_t)code &&
                             row->name == __atomic_load_n(&asy_the_agent.code_deaths, __ATOMIC_ACQUIRE),
                         1)) {
        return row->func;
    }
#endif
    return asy_funcs_code_slow(t, code);
}

// The runtime is another one: what was known by address is not known any more.
void asy_funcs_forget_addresses(void);

// Free-threaded builds: learn of code objects that die. Needs an attached thread state. Errors: ASY_ELIMIT (no watcher is free).
asy_status asy_funcs_watch(void);

// A callable that is not a Python function, as an identity. False: it is a Python function (or a bound one): not for us.
typedef struct {
    uint64_t key, name;
    uint32_t kind; // ASY_NODE_C, CLASS or OBJECT
} asy_callable;

// Hot: every CALL and C_RETURN event.
static inline bool
asy_funcs_is_python(PyObject *callable)
{
    if (Py_TYPE(callable) == &PyMethod_Type) {
        callable = PyMethod_GET_FUNCTION(callable);
    }
    return Py_TYPE(callable) == &PyFunction_Type;
}

asy_callable asy_funcs_identify(PyObject *callable);

// A callable that is no plain C function, or one that this thread has not called lately.
uint32_t asy_funcs_callable_slow(asy_agent_thread *t, PyObject *callable, uint32_t *kind);

// Hot: every C call. Two loads of the definition, one of the row, and two compares on a hit.
static inline uint32_t
asy_funcs_callable(asy_agent_thread *t, PyObject *callable, uint32_t *kind)
{
    const PyMethodDef *def;
    const asy_func_row *row;

    if (Py_TYPE(callable) == &PyCFunction_Type) {
        def = ((PyCFunctionObject *)callable)->m_ml;
    } else if (Py_TYPE(callable) == &PyMethodDescr_Type) {
        def = ((PyMethodDescrObject *)callable)->d_method;
    } else {
        return asy_funcs_callable_slow(t, callable, kind);
    }
    row = &t->callables[((uintptr_t)def >> 4) % ASY_CALLABLE_CACHE];
    if (__builtin_expect(row->key == (uint64_t)(uintptr_t)def && row->name == (uint64_t)(uintptr_t)def->ml_name, 1)) {
        *kind = ASY_NODE_C;
        return row->func;
    }
    return asy_funcs_callable_slow(t, callable, kind);
}

// After asy_funcs_callable said 0: the id of a callable that tags.c has to see; 0: it is ours, or there is no memory.
uint32_t asy_funcs_special(const asy_agent_thread *t, PyObject *callable, uint32_t *kind);

// A phase of the process ("start-up"), or a set of labels (key, value, …; sorted by key).
uint32_t asy_funcs_phase(const char *name);
uint32_t asy_funcs_labels(const asy_text *labels, uint32_t count);

// The PROCESS record: executable, working directory, arguments.
void asy_funcs_process(asy_agent_thread *t);

#endif
