// funcs.h: small numbers for functions, given at first sight, with their names written to the symbols log before use.
// An address of a code object that is used again is never mistaken: the number dies with it. Two compilations of the same source position
// share one. C callables are known by their definition and its name pointer.
#ifndef ASY_AGENT_FUNCS_H
#define ASY_AGENT_FUNCS_H

#include "agent/thread.h"

// First sight of a code object. 0 only if there is no memory at all.
uint32_t asy_funcs_code_slow(asy_agent_thread *t, PyCodeObject *code);

#define ASY_FUNCS_DEAD UINT32_MAX // asy_func_row.special of a code object that has died

// Where an address begins its walk through a table.
static inline uint32_t
asy_funcs_start(const asy_func_table *table, uint64_t address)
{
    return (uint32_t)(address * 0x9E3779B97F4A7C15ULL >> 32) & table->mask;
}

// The row of a code object in the table of the living, or the empty row where it would be.
static inline asy_func_row *
asy_funcs_living(const asy_func_table *table, const PyCodeObject *code)
{
    uint64_t address = (uint64_t)(uintptr_t)code;
    uint32_t i = asy_funcs_start(table, address);

    while (table->rows[i].key != address && table->rows[i].key != 0) {
        i = (i + 1) & table->mask;
    }
    return &table->rows[i];
}

// Hot: every Python call. By the code object's own slot; or by its address in the table of the living, which the GIL protects; or, without
// the GIL, in what each thread remembers of the code objects that it met, until any code object that has a number dies.
static inline uint32_t
asy_funcs_code(asy_agent_thread *t, PyCodeObject *code)
{
#if ASY_CPYTHON_CODE_SLOTS
    void *v = asy_cpython_extra_get(code, asy_the_agent.extra_slot);

    if (__builtin_expect(v != NULL, 1)) {
        return (uint32_t)(uintptr_t)v;
    }
#elif !ASY_CPYTHON_FREETHREADED
    const asy_func_row *row = asy_funcs_living(&asy_the_agent.living, code);

    if (__builtin_expect(row->key != 0 && row->special == 0 && row->func != 0, 1)) {
        return row->func;
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

// Without ASY_CPYTHON_CODE_SLOTS: learn of code objects that die. Needs an attached thread state. Errors: ASY_ELIMIT (no watcher is free).
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
