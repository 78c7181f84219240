// funcs.c: ids and names of functions, at first sight.
// The tables are behind the agent's lock (this process's alone, first-sight path only); what is hot sits in code-extra slots and in the
// thread's own cache.
#include "agent/funcs.h"

#include "agent/backend.h"
#include "agent/calibrate.h"
#include "agent/codes.h"
#include "agent/content.h"
#include "agent/dropin_names.h"
#include "agent/greenlets.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/tags.h"

#define PROBE_MAX 64u

// ---- tables (under the lock) ----

static asy_func_row *
table_find(asy_func_table *table, uint64_t key, uint64_t name)
{
    uint32_t i = asy_funcs_start(table, key ^ asy_content_mix(0, name)); // of the key alone where there is no name

    while (table->rows[i].key != 0 && (table->rows[i].key != key || table->rows[i].name != name)) {
        i = (i + 1) & table->mask;
    }
    return &table->rows[i];
}

static bool
table_grow(asy_func_table *table)
{
    uint32_t size = table->mask + 1;
    asy_func_table bigger = {NULL, size * 2 - 1, 0};

    if (table->used < size / 2) {
        return true;
    }
    bigger.rows = asy_agent_alloc((size_t)size * 2 * sizeof(asy_func_row), false);
    if (bigger.rows == NULL) {
        return table->used < size / 8 * 7;
    }
    for (uint32_t i = 0; i < size; i++) {
        if (table->rows[i].key != 0) {
            *table_find(&bigger, table->rows[i].key, table->rows[i].name) = table->rows[i];
        }
    }
    bigger.used = table->used;
    asy_agent_release(table->rows, (size_t)size * sizeof(asy_func_row));
    *table = bigger;
    return true;
}

// The id of an identity; *fresh: it is new and its symbol must be written. 0: no room.
static uint32_t
table_id(asy_func_table *table, uint64_t key, uint64_t name, bool *fresh)
{
    asy_func_row *row = table_find(table, key, name);

    *fresh = row->key == 0;
    if (!*fresh) {
        return row->func;
    }
    if (!table_grow(table)) {
        return 0;
    }
    row = table_find(table, key, name);
    *row =
        (asy_func_row){key, name, (uint32_t)__atomic_fetch_add(&asy_the_agent.proc->next_func, 1, __ATOMIC_RELAXED), 0};
    asy_the_agent.func_top = row->func + 1;
    table->used++;
    return row->func;
}

// ---- symbols ----

// Up to three strings, one after the other, in the thread's scratch.
static asy_text
scratch_put(asy_agent_thread *t, uint32_t *used, PyObject *text)
{
    asy_text out = {t->scratch + *used, 0};
    uint32_t room =
        ASY_SCRATCH_BYTES - *used < ASY_SYMBOL_STRING_MAX ? ASY_SCRATCH_BYTES - *used : ASY_SYMBOL_STRING_MAX;

    out.len = asy_cpython_utf8(text, t->scratch + *used, room);
    *used += out.len;
    return out;
}

// Clock around the slow path: its time is nobody's.
static void
overhead_begin(asy_agent_thread *t)
{
    asy_tree_charge(&t->tree, asy_agent_ticks());
}

static void
overhead_end(asy_agent_thread *t)
{
    asy_thread *th = t->tree.thread;
    uint64_t now = asy_agent_ticks();

    if (now > th->last_ticks) {
        asy_word_store(&th->last_ticks, asy_tree_overhead(&t->tree, th->last_ticks, now));
    }
}

// ---- code objects ----

static uint32_t
code_flags(const PyCodeObject *code)
{
    return (code->co_flags & CO_ASYNC_GENERATOR) != 0 ? ASY_SYMBOL_F_ASYNC_GENERATOR
           : (code->co_flags & CO_COROUTINE) != 0     ? ASY_SYMBOL_F_COROUTINE
           : (code->co_flags & CO_GENERATOR) != 0     ? ASY_SYMBOL_F_GENERATOR
                                                      : 0;
}

// The number by content; a symbol if nobody has seen it. Under the lock. 0 for what a signal's handler runs in the calibration: no
// symbol can be written yet, so that it would be nameless ever after.
static uint32_t
code_learn(asy_agent_thread *t, PyCodeObject *code, uint64_t content)
{
    asy_text texts[3];
    uint32_t func, used = 0;
    bool fresh = false;

    if (!asy_the_agent.log.open && PyUnicode_CompareWithASCIIString(code->co_filename, ASY_CALIBRATE_FILE) != 0) {
        return 0;
    }
    texts[0] = scratch_put(t, &used, code->co_qualname);
    texts[1] = scratch_put(t, &used, code->co_name);
    texts[2] = scratch_put(t, &used, code->co_filename);
    asy_greenlets_file(texts[2].bytes, texts[2].len);
    func = table_id(&asy_the_agent.codes, content, 0, &fresh);
    if (fresh && func != 0) {
        asy_log_write(func, ASY_NODE_PY, code_flags(code), (uint32_t)code->co_firstlineno, texts, 3);
    }
    return func;
}

#if !ASY_CPYTHON_CODE_SLOTS

static void
code_died(PyCodeObject *code)
{
    asy_agent *a = &asy_the_agent;
    asy_func_row *row;
    uint32_t func = 0;

    if (!asy_agent_here() && !asy_agent_settle()) {
        return; // a fork child: whoever held the lock at the fork is not here
    }
    pthread_mutex_lock(&a->lock);
    row = asy_funcs_living(&a->living, code);
    if (row->key != 0 && row->special != ASY_FUNCS_DEAD) {
        row->special = ASY_FUNCS_DEAD;
        __atomic_add_fetch(&a->code_deaths, 1, __ATOMIC_RELEASE);
        func = row->func;
    }
    pthread_mutex_unlock(&a->lock);
    asy_codes_gone(func);
}

asy_status
asy_funcs_watch(void)
{
    asy_agent *a = &asy_the_agent;

    if (a->code_watcher == 0) {
        a->code_watcher = asy_cpython_watch_codes(code_died);
    }
    return a->code_watcher != 0 ? ASY_OK : ASY_ELIMIT;
}

// 0: not among the living.
static uint32_t
code_known(asy_agent *a, PyCodeObject *code)
{
    const asy_func_row *row = asy_funcs_living(&a->living, code);

    return row->key != 0 && row->special != ASY_FUNCS_DEAD ? row->func : 0;
}

// Nobody knows its address: its number by content, if there is room to learn of its death.
static uint32_t
code_meet(asy_agent_thread *t, PyCodeObject *code, uint64_t content)
{
    asy_agent *a = &asy_the_agent;
    asy_func_row *row = asy_funcs_living(&a->living, code);
    uint32_t func = 0;

    if (row->key != 0 || table_grow(&a->living)) {
        func = code_learn(t, code, content);
        row = asy_funcs_living(&a->living, code);
        a->living.used += row->key == 0 ? 1 : 0;
        *row = (asy_func_row){(uint64_t)(uintptr_t)code, 0, func, 0};
        asy_codes_met(func, code);
    }
    return func;
}

uint32_t
asy_funcs_code_slow(asy_agent_thread *t, PyCodeObject *code)
{
    asy_agent *a = &asy_the_agent;
    uint64_t deaths;
    uint32_t func;

    overhead_begin(t);
    pthread_mutex_lock(&a->lock);
    deaths = __atomic_load_n(&a->code_deaths, __ATOMIC_RELAXED);
    func = code_known(a, code);
    pthread_mutex_unlock(&a->lock);
    if (func == 0) {
        uint64_t content = asy_content_code(code); // may wait for other threads: not under the lock
        pthread_mutex_lock(&a->lock);
        func = code_meet(t, code, content);
        pthread_mutex_unlock(&a->lock);
    }
#if ASY_CPYTHON_FREETHREADED
    t->codes[((uintptr_t)code >> 5) % ASY_CODE_CACHE] = (asy_func_row){(uint64_t)(uintptr_t)code, deaths, func, 0};
#else
    (void)deaths;
#endif
    overhead_end(t);
    return func;
}

#else

asy_status
asy_funcs_watch(void)
{
    return ASY_OK; // a code-extra slot dies with its code object
}

uint32_t
asy_funcs_code_slow(asy_agent_thread *t, PyCodeObject *code)
{
    asy_agent *a = &asy_the_agent;
    uint64_t content;
    uint32_t func;

    overhead_begin(t);
    content = asy_content_code(code);
    pthread_mutex_lock(&a->lock);
    func = code_learn(t, code, content);
    asy_codes_met(func, code);
    pthread_mutex_unlock(&a->lock);
    if (func != 0) {
        asy_cpython_extra_set(code, a->extra_slot, (void *)(uintptr_t)func);
    }
    overhead_end(t);
    return func;
}

#endif

void
asy_funcs_forget_addresses(void)
{
    asy_agent *a = &asy_the_agent;

    pthread_mutex_lock(&a->lock);
    memset(a->living.rows, 0, ((size_t)a->living.mask + 1) * sizeof(asy_func_row));
    memset(a->callables.rows, 0, ((size_t)a->callables.mask + 1) * sizeof(asy_func_row));
    a->living.used = a->callables.used = 0;
    asy_codes_forget();
    for (asy_agent_thread *t = a->threads; t != NULL; t = t->next) {
        memset(t->callables, 0, sizeof(t->callables));
#if ASY_CPYTHON_FREETHREADED
        memset(t->codes, 0, sizeof(t->codes));
#endif
        t->greenlets_hooked = false;
        t->tag_now = 0;
    }
    pthread_mutex_unlock(&a->lock);
}

// ---- other callables ----

// What does the work: the function of a bound method, the slot of a bound slot, else the callable itself.
static PyObject *
unbound(PyObject *callable)
{
    PyObject *slot;

    if (Py_TYPE(callable) == &PyMethod_Type) {
        return PyMethod_GET_FUNCTION(callable);
    }
    slot = Py_TYPE(callable) == asy_the_agent.bound_slot_type ? asy_cpython_bound_slot(callable) : NULL;
    return slot != NULL ? slot : callable;
}

// Types die and their addresses are used again: the hash of the name tells two of them apart. (A str's own, which it remembers.)
static uint64_t
type_name(PyTypeObject *type)
{
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) {
        return (uint64_t)PyUnicode_Type.tp_hash(((PyHeapTypeObject *)type)->ht_qualname);
    }
    return (uint64_t)(uintptr_t)type->tp_name;
}

// All C classes share one definition of `__new__`, bound to the class.
static PyTypeObject *
new_of(PyObject *callable)
{
    PyCFunctionObject *f = (PyCFunctionObject *)callable;

    if (PyCFunction_Check(callable) && f->m_self != NULL && PyType_Check(f->m_self) &&
        strcmp(f->m_ml->ml_name, "__new__") == 0) {
        return (PyTypeObject *)f->m_self;
    }
    return NULL;
}

#define KEY_OBJECT 1u // in the low bits of an address: what is called is an instance of the type
#define KEY_NEW 2u    // its __new__

asy_callable
asy_funcs_identify(PyObject *callable)
{
    PyTypeObject *type;
    const PyMethodDef *def = NULL;

    callable = unbound(callable);
    type = new_of(callable);
    if (type != NULL) {
        return (asy_callable){(uint64_t)(uintptr_t)type | KEY_NEW, type_name(type), ASY_NODE_C};
    }
    type = Py_TYPE(callable);
    if (PyCFunction_Check(callable)) {
        def = ((PyCFunctionObject *)callable)->m_ml;
    } else if (type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type) {
        def = ((PyMethodDescrObject *)callable)->d_method;
    }
    if (def != NULL) {
        return (asy_callable){(uint64_t)(uintptr_t)def, (uint64_t)(uintptr_t)def->ml_name, ASY_NODE_C};
    }
    if (type == &PyWrapperDescr_Type) {
        const struct wrapperbase *base = ((PyWrapperDescrObject *)callable)->d_base;
        return (asy_callable){(uint64_t)(uintptr_t)base, (uint64_t)(uintptr_t)PyDescr_TYPE(callable), ASY_NODE_C};
    }
    if (PyType_Check(callable)) {
        return (asy_callable){(uint64_t)(uintptr_t)callable, type_name((PyTypeObject *)callable), ASY_NODE_CLASS};
    }
    return (asy_callable){(uint64_t)(uintptr_t)type | KEY_OBJECT, type_name(type), ASY_NODE_OBJECT};
}

// Where the definition stands among the methods of a type or its bases: that class names it.
static PyTypeObject *
defining_type(PyTypeObject *type, const PyMethodDef *def)
{
    PyObject *mro = type->tp_mro;

    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        for (const PyMethodDef *m = base->tp_methods; m != NULL && m->ml_name != NULL; m++) {
            if (m == def) {
                return base;
            }
        }
    }
    return type;
}

// "Cursor" and "sqlite3" of a static type whose tp_name is "sqlite3.Cursor"; heap types keep them apart.
static void
type_names(asy_agent_thread *t, uint32_t *used, PyTypeObject *type, asy_text *name, asy_text *module)
{
    const char *dot = strrchr(type->tp_name, '.');

    *module = (asy_text){"builtins", 8};
    *name = (asy_text){dot != NULL ? dot + 1 : type->tp_name, 0};
    name->len = (uint32_t)strlen(name->bytes);
    if (dot != NULL) {
        *module = (asy_text){type->tp_name, (uint32_t)(dot - type->tp_name)};
    }
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0) {
        PyObject *own_module = asy_cpython_type_module(type);
        *name = scratch_put(t, used, ((PyHeapTypeObject *)type)->ht_qualname);
        if (own_module != NULL) {
            *module = scratch_put(t, used, own_module);
            Py_DECREF(own_module);
        }
    }
}

static asy_text
joined(asy_agent_thread *t, uint32_t *used, asy_text type, const char *method)
{
    int n = snprintf(t->scratch + *used, ASY_SCRATCH_BYTES - *used, "%.*s.%s", (int)type.len, type.bytes, method);
    asy_text out = {t->scratch + *used, n > 0 && (uint32_t)n < ASY_SCRATCH_BYTES - *used ? (uint32_t)n : 0};

    *used += out.len;
    return out;
}

// A built-in function: its module's, or a method bound to an object, or a method of a class object.
static void
cfunction_names(asy_agent_thread *t, uint32_t *used, PyCFunctionObject *f, asy_text *name, asy_text *module)
{
    PyObject *self = f->m_self; // borrowed, may be NULL
    asy_text type;

    if (self != NULL && !PyModule_Check(self)) {
        PyTypeObject *owner = PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self);
        owner = new_of((PyObject *)f) != NULL ? owner : defining_type(owner, f->m_ml);
        type_names(t, used, owner, &type, module);
        *name = joined(t, used, type, f->m_ml->ml_name);
        return;
    }
    *name = (asy_text){f->m_ml->ml_name, (uint32_t)strlen(f->m_ml->ml_name)};
    *module = (asy_text){"", 0};
    if (f->m_module != NULL && PyUnicode_Check(f->m_module)) {
        *module = scratch_put(t, used, f->m_module);
    }
}

static void
callable_names(asy_agent_thread *t, uint32_t *used, PyObject *callable, asy_text *name, asy_text *module)
{
    PyTypeObject *type;
    asy_text owner;

    callable = unbound(callable);
    type = Py_TYPE(callable);
    if (PyCFunction_Check(callable)) {
        cfunction_names(t, used, (PyCFunctionObject *)callable, name, module);
    } else if (type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type) {
        type_names(t, used, PyDescr_TYPE(callable), &owner, module);
        *name = joined(t, used, owner, ((PyMethodDescrObject *)callable)->d_method->ml_name);
    } else if (type == &PyWrapperDescr_Type) {
        type_names(t, used, PyDescr_TYPE(callable), &owner, module);
        *name = joined(t, used, owner, ((PyWrapperDescrObject *)callable)->d_base->name);
    } else {
        type_names(t, used, PyType_Check(callable) ? (PyTypeObject *)callable : type, name, module);
    }
}

// First sight in this thread: the process's table, and a symbol if nobody has seen it.
static uint32_t
callable_learn(asy_agent_thread *t, PyObject *callable, const asy_callable *id)
{
    asy_agent *a = &asy_the_agent;
    asy_text texts[3] = {{"", 0}, {"", 0}, {"", 0}};
    uint32_t func, used = 0;
    bool fresh = false;

    overhead_begin(t);
    callable_names(t, &used, callable, &texts[0], &texts[2]);
    pthread_mutex_lock(&a->lock);
    func = table_id(&a->callables, id->key, id->name, &fresh);
    if (fresh && func != 0) {
        asy_log_write(func, id->kind, 0, 0, texts, 3);
    }
    pthread_mutex_unlock(&a->lock);
    if (fresh && id->kind == ASY_NODE_C) {
        asy_dropin_names_met(func, unbound(callable));
    }
    overhead_end(t);
    return func;
}

uint32_t
asy_funcs_callable_slow(asy_agent_thread *t, PyObject *callable, uint32_t *kind)
{
    asy_callable id = asy_funcs_identify(callable);
    asy_func_row *row = &t->callables[(id.key >> 4) % ASY_CALLABLE_CACHE];

    *kind = id.kind;
    if (row->key != id.key || row->name != id.name) {
        bool special = asy_tags_special(callable) || asy_backend_special(callable);
        uint32_t func = asy_tags_ours(callable) ? 0 : callable_learn(t, callable, &id);
        *row = (asy_func_row){id.key, id.name, special ? 0 : func, special ? func : 0};
    }
    return row->func;
}

uint32_t
asy_funcs_special(const asy_agent_thread *t, PyObject *callable, uint32_t *kind)
{
    asy_callable id = asy_funcs_identify(callable);
    const asy_func_row *row = &t->callables[(id.key >> 4) % ASY_CALLABLE_CACHE];

    *kind = id.kind;
    return row->key == id.key && row->name == id.name ? row->special : 0;
}

// ---- phases, labels, the process ----

static uint32_t
named(uint32_t kind, const asy_text *texts, uint32_t count)
{
    asy_agent *a = &asy_the_agent;
    uint64_t h = kind;
    uint32_t func;
    bool fresh = false;

    for (uint32_t i = 0; i < count; i++) {
        h = asy_content_bytes(asy_content_mix(h, i), texts[i].bytes, texts[i].len);
    }
    pthread_mutex_lock(&a->lock);
    func = table_id(&a->tags, h | 1, kind, &fresh);
    if (fresh && func != 0) {
        asy_log_write(func, kind, 0, 0, texts, count);
    }
    pthread_mutex_unlock(&a->lock);
    return func;
}

uint32_t
asy_funcs_phase(const char *name)
{
    asy_text text = {name, (uint32_t)strlen(name)};

    return named(ASY_NODE_PHASE, &text, 1);
}

uint32_t
asy_funcs_labels(const asy_text *labels, uint32_t count)
{
    return named(ASY_NODE_TAG, labels, count);
}

void
asy_funcs_process(asy_agent_thread *t)
{
    asy_text texts[ASY_SYMBOL_STRINGS];
    static char exe[ASY_SYMBOL_STRING_MAX], cwd[ASY_SYMBOL_STRING_MAX];
    uint32_t count = 2;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
    FILE *f = fopen("/proc/self/cmdline", "re");
    size_t len = f != NULL ? fread(t->scratch, 1, ASY_SCRATCH_BYTES, f) : 0;
    size_t at = 0;

    if (f != NULL) {
        fclose(f);
    }
    texts[0] = (asy_text){exe, n > 0 ? (uint32_t)n : 0};
    texts[1] = (asy_text){cwd, getcwd(cwd, sizeof(cwd)) != NULL ? (uint32_t)strlen(cwd) : 0};
    while (at < len && count < ASY_SYMBOL_STRINGS) {
        size_t one = strnlen(t->scratch + at, len - at);
        texts[count++] = (asy_text){t->scratch + at, (uint32_t)one};
        at += one + 1;
    }
    if (at < len || len == ASY_SCRATCH_BYTES) { // the last that there is room for stands for the rest
        texts[count - 1] = (asy_text){"…", 3};
    }
    pthread_mutex_lock(&asy_the_agent.lock);
    asy_log_write(0, ASY_SYMBOL_PROCESS, 0, 0, texts, count);
    pthread_mutex_unlock(&asy_the_agent.lock);
}
