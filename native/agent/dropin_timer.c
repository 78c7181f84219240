// dropin_timer.c: trees on a timer's time.
// The timer may do anything: raise, end its own profile (refused), drop the last reference to it. So a tree is looked at anew after each
// question, and its profile is held meanwhile.
#include "agent/dropin_timer.h"

#include <stdlib.h>

#include "agent/backend.h"
#include "agent/funcs.h"

#define SECONDS_PARTS 4294967296.0 // of a second, where the timer gives seconds
#define CHUNKS_MAX 4096u

struct asy_timed {
    asy_tree tree;
    asy_timed *next; // of those of this thread
    PyObject *owner; // borrowed while it is begun
    PyObject *timer; // owned
    double unit;
    bool builtins, asking, begun;
    uint32_t chunk_count;
    void *chunks[CHUNKS_MAX]; // owned; [0] is the thread's
};

static __thread asy_timed *timed_here __attribute__((tls_model("initial-exec"))); // of this thread, begun

// ---- the tree's store: private memory, and no clock ----

static void *
store_chunk(void *ctx, uint32_t kind, uint32_t ordinal)
{
    asy_timed *t = ctx;
    void *chunk = t->chunk_count < CHUNKS_MAX ? calloc(1, ASY_CHUNK_BYTES) : NULL;

    (void)kind, (void)ordinal;
    if (chunk != NULL) {
        t->chunks[t->chunk_count++] = chunk;
    }
    return chunk;
}

static void *
store_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void
store_release(void *ctx, void *p, size_t bytes)
{
    (void)ctx, (void)bytes;
    free(p);
}

static void
store_lose(void *ctx, int which, uint64_t n)
{
    (void)ctx, (void)which, (void)n; // what cProfile does not know it does not count either
}

static uint64_t
store_none(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint64_t
store_same(void *ctx, uint64_t n)
{
    (void)ctx;
    return n;
}

asy_status
asy_timed_make(PyObject *timer, double unit, asy_timed **out)
{
    asy_timed *t = calloc(1, sizeof(*t));
    asy_tree_store store = {t,          store_chunk, store_alloc, store_release, store_lose,
                            store_none, store_none,  store_same,  store_same};
    void *chunk = t != NULL ? store_chunk(t, ASY_KIND_THREAD, 0) : NULL;

    *out = NULL;
    if (chunk == NULL ||
        asy_tree_begin(&t->tree, chunk, &store, UINT64_MAX, ASY_NODE_PARTS * ASY_NODE_PART, 0) != ASY_OK) {
        free(chunk);
        free(t);
        return ASY_ENOMEM;
    }
    t->timer = Py_NewRef(timer);
    t->unit = unit;
    *out = t;
    return ASY_OK;
}

void
asy_timed_free(asy_timed *t)
{
    if (t == NULL) {
        return;
    }
    asy_tree_end(&t->tree);
    for (uint32_t i = 0; i < t->chunk_count; i++) {
        free(t->chunks[i]);
    }
    Py_DECREF(t->timer);
    free(t);
}

bool
asy_timed_asking(const asy_timed *t)
{
    return t->asking;
}

double
asy_timed_factor(const asy_timed *t)
{
    return t->unit > 0 ? t->unit : 1 / SECONDS_PARTS;
}

// ---- asking ----

static int64_t
answer_read(const asy_timed *t, PyObject *answer)
{
    double seconds;

    if (t->unit > 0) {
        return PyLong_AsLongLong(answer);
    }
    seconds = PyFloat_AsDouble(answer);
    return seconds > -1e9 && seconds < 1e9 ? (int64_t)(seconds * SECONDS_PARTS) : 0;
}

// What the timer says; 0 where it fails, which is told as cProfile does.
static uint64_t
ask(asy_timed *t)
{
    asy_cpython_raised raised = asy_cpython_raised_take();
    PyObject *answer;
    int64_t value = 0;

    t->asking = true;
    answer = PyObject_CallNoArgs(t->timer);
    if (answer != NULL) {
        value = answer_read(t, answer);
        Py_DECREF(answer);
    }
    t->asking = false;
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(t->timer);
        value = 0;
    }
    asy_cpython_raised_back(raised);
    return (uint64_t)value;
}

// The node on top owns what has passed. Timers may run back.
static void
charge(asy_timed *t, uint64_t now)
{
    t->tree.top->self_ticks += now - t->tree.thread->last_ticks;
    t->tree.thread->last_ticks = now;
}

static void
enter(asy_timed *t, uint32_t func, uint32_t kind, uint64_t token)
{
    PyObject *owner = Py_NewRef(t->owner);
    bool made;
    uint32_t node = asy_tree_child(&t->tree, func, kind, &made);
    uint64_t now = ask(t);

    if (t->begun) {
        charge(t, now);
        asy_tree_node(&t->tree, node)->calls++;
        asy_tree_push(&t->tree, token, node, kind);
    }
    Py_DECREF(owner);
}

static void
leave(asy_timed *t, uint64_t token)
{
    PyObject *owner;
    uint64_t now;

    if (t->tree.thread->depth == 1 || (t->tree.thread->overflow == 0 && asy_tree_find(&t->tree, token) == 0)) {
        return; // it was entered before
    }
    owner = Py_NewRef(t->owner);
    now = ask(t);
    if (t->begun) {
        charge(t, now);
        asy_tree_leave(&t->tree, token, now);
    }
    Py_DECREF(owner);
}

// ---- beginning and ending ----

asy_status
asy_timed_begin(asy_timed *t, PyObject *owner, bool builtins)
{
    asy_status st = ASY_OK;

    t->builtins = builtins;
    if (t->begun) {
        return ASY_OK;
    }
    if (asy_the_agent.timed++ == 0) {
        st = asy_backend_timed(true);
    }
    if (st != ASY_OK) {
        asy_the_agent.timed--;
        return st;
    }
    t->owner = owner;
    t->begun = true;
    t->next = timed_here;
    timed_here = t;
    return ASY_OK;
}

// True: it was one of this thread's, and is no more.
static bool
unlink_here(asy_timed *t)
{
    for (asy_timed **link = &timed_here; *link != NULL; link = &(*link)->next) {
        if (*link == t) {
            *link = t->next;
            return true;
        }
    }
    return false;
}

bool
asy_timed_end(asy_timed *t)
{
    if (!t->begun) {
        return true;
    }
    if (!unlink_here(t)) {
        return false;
    }
    t->begun = false;
    if (--asy_the_agent.timed == 0) {
        asy_backend_timed(false);
    }
    while (t->tree.thread->depth > 1) {
        charge(t, ask(t));
        t->tree.thread->depth--;
        asy_tree_settle(&t->tree);
    }
    t->tree.thread->overflow = 0;
    return true;
}

static void
nodes_copy(const asy_tree *t, asy_window_row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        const asy_node *n = asy_tree_node(t, i);
        row->nodes[i] = (asy_window_node){n->parent, n->func, n->kind, 0, {n->calls, 0, 0, n->self_ticks, 0, 0}};
    }
    for (uint64_t d = 1; d < t->thread->depth; d++) {
        row->nodes[asy_tree_frame(t, d)->node].open++;
    }
}

asy_window_row *
asy_timed_row(asy_timed *t, bool forget)
{
    asy_window_row *row = calloc(1, sizeof(*row));

    if (row == NULL) {
        return NULL;
    }
    row->count = row->room = (uint32_t)t->tree.thread->node_count;
    row->nodes = malloc(row->count * sizeof(*row->nodes));
    if (row->nodes == NULL) {
        free(row);
        return NULL;
    }
    nodes_copy(&t->tree, row);
    if (forget) {
        t->tree.thread->depth = 1;
        asy_tree_renew(&t->tree);
    }
    return row;
}

// ---- events ----

static asy_agent_thread *
engine_thread(void)
{
    return asy_thread_tls != NULL && asy_thread_tls->tree.thread != NULL ? asy_thread_tls : NULL;
}

void
asy_timed_enter(PyCodeObject *code)
{
    asy_agent_thread *thread = timed_here != NULL ? engine_thread() : NULL;
    uint32_t func = thread != NULL ? asy_funcs_code(thread, code) : 0;

    for (asy_timed *t = timed_here, *next; func != 0 && t != NULL; t = next) {
        next = t->next;
        if (!t->asking) {
            enter(t, func, ASY_NODE_PY, (uint64_t)(uintptr_t)code);
        }
    }
}

void
asy_timed_leave(PyCodeObject *code)
{
    for (asy_timed *t = timed_here, *next; t != NULL; t = next) {
        next = t->next;
        if (!t->asking) {
            leave(t, (uint64_t)(uintptr_t)code);
        }
    }
}

// cProfile looks at C functions and methods, and at nothing else that is called.
static bool
is_shown(PyObject *callable)
{
    return PyCFunction_Check(callable) || Py_TYPE(callable) == &PyMethodDescr_Type;
}

void
asy_timed_enter_c(PyCodeObject *code, PyObject *callable)
{
    asy_agent_thread *thread = timed_here != NULL && is_shown(callable) ? engine_thread() : NULL;
    uint32_t func = 0, kind = ASY_NODE_C;

    if (thread != NULL) {
        func = asy_funcs_callable(thread, callable, &kind);
        func = func != 0 ? func : asy_funcs_special(thread, callable, &kind);
    }
    for (asy_timed *t = timed_here, *next; func != 0 && t != NULL; t = next) {
        next = t->next;
        if (!t->asking && t->builtins) {
            enter(t, func, kind, (uint64_t)(uintptr_t)code | 1u);
        }
    }
}

void
asy_timed_leave_c(PyCodeObject *code, PyObject *callable)
{
    for (asy_timed *t = timed_here, *next; t != NULL && is_shown(callable); t = next) {
        next = t->next;
        if (!t->asking && t->builtins) {
            leave(t, (uint64_t)(uintptr_t)code | 1u);
        }
    }
}
