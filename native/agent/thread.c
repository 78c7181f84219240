// thread.c: threads come, are named, and end.
// The slow path of every event comes through asy_thread_slow, which alone decides whether an event is measured.
#include "agent/thread.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/backend.h"
#include "agent/funcs.h"
#include "agent/greenlets.h"
#include "agent/log.h"
#include "agent/tags.h"
#include "agent/window.h"

__thread asy_agent_thread *asy_thread_tls __attribute__((tls_model("initial-exec"))) = NULL;
__thread bool asy_thread_unmeasured __attribute__((tls_model("initial-exec"))) = false;

__thread uint64_t asy_thread_wanted __attribute__((tls_model("initial-exec"))) = 0;
static __thread bool main_thread __attribute__((tls_model("initial-exec"))); // or forked off it

#define NAME_TRIES 64u
#define REFUSED_EVENTS 4096u // that a thread without memory lets pass before it asks again

static __thread struct {
    uint64_t epoch;   // of the measurement in which it was refused
    uint32_t waiting; // events to let pass; 0: ask
} refused __attribute__((tls_model("initial-exec")));

// ---- the tree's store ----

static void *
store_chunk(void *ctx, uint32_t kind, uint32_t ordinal)
{
    asy_agent_thread *t = ctx;
    asy_agent *a = &asy_the_agent;
    uint32_t index;
    void *data = NULL;

    if (t->owned_count == sizeof(t->owned) / sizeof(t->owned[0])) {
        return NULL;
    }
    if (asy_arena_claim(&a->arena, a->slot, t->tree.thread != NULL ? t->tree.thread->serial : 0, &index, &data) !=
        ASY_OK) {
        return NULL;
    }
    t->owned[t->owned_count++] = index;
    asy_arena_publish(&a->arena, index, kind, ordinal);
    return data;
}

static void *
store_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return asy_agent_alloc((bytes + 4095) & ~(size_t)4095, false);
}

static void
store_release(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    asy_agent_release(p, (bytes + 4095) & ~(size_t)4095);
}

static void
store_lose(void *ctx, int which, uint64_t n)
{
    (void)ctx;
    asy_arena_lose(&asy_the_agent.arena, asy_the_agent.slot, which, n);
}

static uint64_t
store_cpu(void *ctx)
{
    (void)ctx;
    return asy_clock_thread_cpu_ns();
}

static uint64_t
store_ticks(void *ctx)
{
    (void)ctx;
    return asy_agent_ticks();
}

static uint64_t
store_to_ns(void *ctx, uint64_t ticks)
{
    (void)ctx;
    return (uint64_t)(((unsigned __int128)ticks * asy_the_agent.ns_q20) >> 20);
}

static uint64_t
store_to_ticks(void *ctx, uint64_t ns)
{
    (void)ctx;
    return (uint64_t)(((unsigned __int128)ns * asy_the_agent.tick_q20) >> 20);
}

// ---- a thread begins ----

static void
frames_push(asy_agent_thread *t, PyFrameObject **frames, size_t count)
{
    asy_tags_chain tags;

    asy_tags_read(t, &tags);
    for (size_t i = 0; i < count && tags.count != 0; i++) {
        asy_tags_claim(&tags, asy_cpython_frame_of(frames[i]));
    }
    asy_tags_inherit(t, &tags, 0);
    for (size_t i = count; i-- > 0;) {
        PyCodeObject *code = PyFrame_GetCode(frames[i]);
        uint32_t func = asy_funcs_code(t, code);
        if (func != 0) {
            asy_tree_inherit(&t->tree, func, ASY_NODE_PY, (uint64_t)(uintptr_t)code);
        }
        asy_tags_inherit(t, &tags, asy_cpython_frame_of(frames[i]));
        Py_DECREF(code);
        Py_DECREF(frames[i]);
    }
}

// The event's own frame is left to the event when it begins just now.
void
asy_thread_inherit(asy_agent_thread *t, asy_first first)
{
    PyFrameObject *f = PyEval_GetFrame();
    PyFrameObject **frames = NULL;
    size_t count = 0, room = 0;
    bool collects = asy_cpython_gc_hold();

    f = f == NULL ? NULL : first == ASY_FIRST_ENTERS ? PyFrame_GetBack(f) : (PyFrameObject *)Py_NewRef((PyObject *)f);
    while (f != NULL) {
        if (count == room) {
            size_t bigger = room == 0 ? 512 : room * 2;
            PyFrameObject **moved = asy_agent_alloc(bigger * sizeof(*frames), false);
            if (moved == NULL) {
                Py_DECREF(f);
                break; // the outermost ones are missing
            }
            if (frames != NULL) {
                memcpy(moved, frames, count * sizeof(*frames));
                asy_agent_release(frames, room * sizeof(*frames));
            }
            frames = moved;
            room = bigger;
        }
        frames[count++] = f;
        f = PyFrame_GetBack(f);
    }
    asy_cpython_gc_release(collects);
    frames_push(t, frames, count);
    if (frames != NULL) {
        asy_agent_release(frames, room * sizeof(*frames));
    }
}

static void
thread_link(asy_agent_thread *t)
{
    asy_agent *a = &asy_the_agent;

    pthread_mutex_lock(&a->lock);
    t->next = a->threads;
    t->previous = &a->threads;
    if (a->threads != NULL) {
        a->threads->previous = &t->next;
    }
    a->threads = t;
    pthread_mutex_unlock(&a->lock);
}

// Out of the list, and what it did into the windows that are open: both, or neither, for who reads them.
static void
thread_unlink(asy_agent_thread *t)
{
    asy_agent *a = &asy_the_agent;

    pthread_mutex_lock(&a->lock);
    asy_backend_thread_ends(t);
    asy_window_thread_ends(t);
    *t->previous = t->next;
    if (t->next != NULL) {
        t->next->previous = t->previous;
    }
    pthread_mutex_unlock(&a->lock);
}

static void
identity_fill(asy_agent *a, asy_thread *th, uint64_t serial)
{
    uint64_t own_id = (uint64_t)syscall(SYS_gettid);

    th->serial = serial;
    th->native_id = a->proc->pid == a->own_pid ? own_id : asy_agent_outer_id("/proc/thread-self", own_id);
    th->ident = (uint64_t)PyThread_get_thread_ident();
    main_thread = a->forks == 0 ? own_id == a->own_pid : main_thread;
    if (main_thread) {
        th->flags |= ASY_THREAD_F_MAIN;
        __atomic_store_n(&a->proc->main_thread, serial, __ATOMIC_RELAXED);
        memcpy(th->name, "MainThread", 10);
        __atomic_store_n(&th->name_bytes, 10, __ATOMIC_RELEASE);
    }
}

static asy_tree_store
store_of(asy_agent_thread *t)
{
    return (asy_tree_store){t,         store_chunk, store_alloc, store_release, store_lose,
                            store_cpu, store_ticks, store_to_ns, store_to_ticks};
}

asy_agent_thread *
asy_thread_scratch(void *(*chunk)(void *, uint32_t, uint32_t))
{
    asy_agent *a = &asy_the_agent;
    asy_agent_thread *t = asy_agent_alloc(sizeof(*t) + ASY_CHUNK_BYTES, true);
    uint8_t *data = (uint8_t *)(t + 1);
    asy_tree_store store = store_of(t);

    if (t == NULL) {
        return NULL;
    }
    store.chunk = chunk;
    if (asy_tree_begin(&t->tree, data, &store, a->gap_ticks, a->node_max, asy_agent_ticks()) != ASY_OK) {
        asy_agent_release(t, sizeof(*t) + ASY_CHUNK_BYTES);
        return NULL;
    }
    t->epoch = __atomic_load_n(&a->epoch, __ATOMIC_ACQUIRE);
    t->tree.thread->name_bytes = 1; // do not look for it
    return t;
}

void
asy_thread_scratch_end(asy_agent_thread *t)
{
    asy_thread_tls = NULL;
    asy_tree_end(&t->tree);
    asy_agent_release(t, sizeof(*t) + ASY_CHUNK_BYTES);
}

static asy_agent_thread *
thread_make(void)
{
    asy_agent *a = &asy_the_agent;
    uint64_t serial = __atomic_fetch_add(&a->proc->next_thread, 1, __ATOMIC_RELAXED);
    asy_agent_thread *wiped = __atomic_exchange_n(&a->wiped, NULL, __ATOMIC_RELAXED);
    asy_agent_thread *t = wiped != NULL ? wiped : asy_agent_alloc(sizeof(*t), true);
    asy_tree_store store = store_of(t);
    uint32_t index;
    void *data;

    if (t == NULL) {
        return NULL;
    }
    if (asy_arena_claim(&a->arena, a->slot, serial, &index, &data) != ASY_OK) {
        asy_agent_release(t, sizeof(*t));
        return NULL;
    }
    t->owned[t->owned_count++] = index;
    t->thread_chunk = index;
    if (asy_tree_begin(&t->tree, data, &store, a->gap_ticks, a->node_max, asy_agent_ticks()) != ASY_OK) {
        asy_arena_end(&a->arena, index);
        asy_agent_release(t, sizeof(*t));
        return NULL;
    }
    __atomic_store_n(&a->arena.chunks[index].sym_bytes, 0, __ATOMIC_RELAXED);
    identity_fill(a, t->tree.thread, serial);
    t->epoch = __atomic_load_n(&a->epoch, __ATOMIC_ACQUIRE);
    asy_arena_publish(&a->arena, index, ASY_KIND_THREAD, 0);
    thread_link(t);
    asy_thread_tls = t;
    pthread_setspecific(a->thread_key, t);
    asy_log_open();
    if ((t->tree.thread->flags & ASY_THREAD_F_MAIN) != 0) {
        asy_backend_main_thread(t);
    }
    return t;
}

// A thread that has no state gets one, if it was not refused just now.
static asy_agent_thread *
thread_new(void)
{
    asy_agent *a = &asy_the_agent;
    uint64_t epoch = __atomic_load_n(&a->epoch, __ATOMIC_ACQUIRE);
    bool wait = refused.waiting != 0 && refused.epoch == epoch;
    asy_agent_thread *t = wait ? NULL : thread_make();

    if (t == NULL) {
        refused.waiting = wait ? refused.waiting - 1 : REFUSED_EVENTS;
        refused.epoch = epoch;
        asy_arena_lose(&a->arena, a->slot, ASY_LOSS_EVENTS, 1);
    }
    return t;
}

void
asy_thread_try_again(void)
{
    refused.waiting = 0;
}

// False: what is measured are other threads.
static bool
wanted(const asy_agent *a)
{
    return !a->standalone || __atomic_load_n(&a->every_thread, __ATOMIC_RELAXED) ||
           asy_thread_wanted == __atomic_load_n(&a->epoch, __ATOMIC_ACQUIRE);
}

// A stack of an earlier measurement is measured again.
static void
thread_again(asy_agent *a, asy_agent_thread *t)
{
    pthread_mutex_lock(&a->lock);
    if (t->tree.thread == NULL) {
        t->tree.thread = t->paused;
    }
    asy_tree_restart(&t->tree, asy_agent_ticks());
    if (a->standalone && t->epoch < a->fresh_epoch) {
        asy_tree_renew(&t->tree);
    }
    t->epoch = __atomic_load_n(&a->epoch, __ATOMIC_ACQUIRE);
    pthread_mutex_unlock(&a->lock);
    t->greenlets_hooked = false; // another greenlet may be running
}

// The engine is this process's, also where that is a fork child.
static bool
is_here(asy_agent *a)
{
    uint64_t refused_now = ASY_AGENT_REFUSED;

    if (asy_agent_here() || asy_agent_settle()) {
        return true;
    }
    if (__atomic_compare_exchange_n(a->alive, &refused_now, ASY_AGENT_OFF, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        asy_backend_forked();
    }
    return false;
}

// This event may be measured: the texts of tags are made, which runs anything, even a fork.
static bool
is_measured(asy_agent *a)
{
    uint64_t forks;

    do {
        if ((a->alive != NULL && !is_here(a)) || asy_thread_unmeasured ||
            !__atomic_load_n(&a->measuring, __ATOMIC_ACQUIRE) || !wanted(a)) {
            return false;
        }
        forks = a->forks;
        if (!asy_tags_ready()) {
            return false;
        }
    } while ((a->alive != NULL && !asy_agent_here()) || forks != a->forks);
    return __atomic_load_n(&a->measuring, __ATOMIC_ACQUIRE);
}

asy_agent_thread *
asy_thread_slow(asy_first first)
{
    asy_agent *a = &asy_the_agent;
    asy_agent_thread *t;

    if (!is_measured(a)) {
        return NULL;
    }
    t = asy_thread_tls;
    if (t == NULL) {
        t = thread_new();
        if (t == NULL) {
            return NULL;
        }
        asy_backend_kept(); // a good moment: the process may be killed before it ends
    } else {
        thread_again(a, t);
    }
    asy_backend_inherit(t, first);
    asy_greenlets_hook(t);
    asy_word_store(&t->tree.thread->last_ticks, asy_agent_ticks());
    return t;
}

void
asy_thread_pause_all(void)
{
#if !ASY_CPYTHON_FREETHREADED
    asy_agent *a = &asy_the_agent;

    pthread_mutex_lock(&a->lock);
    for (asy_agent_thread *t = a->threads; t != NULL; t = t->next) {
        if (t->tree.thread != NULL) {
            t->paused = t->tree.thread;
            t->tree.thread = NULL;
        }
    }
    pthread_mutex_unlock(&a->lock);
#endif
}

// ---- it ends ----

void
asy_thread_end(asy_agent_thread *t)
{
    asy_agent *a = &asy_the_agent;
    asy_thread *th = t->tree.thread != NULL ? t->tree.thread : t->paused;

    if (th != NULL) {
        th->end_cpu_ns = asy_clock_thread_cpu_ns();
        __atomic_store_n(&th->end_ticks, asy_agent_ticks(), __ATOMIC_RELEASE);
        thread_unlink(t);
        for (uint32_t i = t->owned_count; i-- > 0;) { // the THREAD chunk last: it tells the reader that all is there
            asy_arena_end(&a->arena, t->owned[i]);
            if (a->standalone) {
                asy_arena_free(&a->arena, t->owned[i]);
            }
        }
    }
    if (asy_thread_tls == t) {
        asy_thread_tls = NULL;
    }
    asy_tree_end(&t->tree);
    asy_agent_release(t, sizeof(*t));
}

// ---- names ----

// threading._active[ident]._name, read without running Python code. NULL: not there yet.
static PyObject *
name_read(asy_agent *a, uint64_t ident)
{
    PyObject *threading = asy_cpython_module(a->name_threading);
    PyObject *active = NULL, *key = NULL, *thread = NULL, *name = NULL;

    if (threading == NULL || !PyModule_Check(threading)) {
        return NULL;
    }
    active = PyDict_GetItemWithError(PyModule_GetDict(threading), a->name_active);
    key = active != NULL && PyDict_CheckExact(active) ? PyLong_FromUnsignedLongLong(ident) : NULL;
    if (key != NULL) {
        thread = PyDict_GetItemWithError(active, key);
        Py_DECREF(key);
    }
    if (thread != NULL) {
        name = PyObject_GenericGetAttr(thread, a->name_name);
    }
    PyErr_Clear();
    return name;
}

void
asy_thread_name(asy_agent_thread *t)
{
    asy_thread *th = t->tree.thread;
    PyObject *name;

    if (th->name_bytes != 0 || th->depth < 3 || t->name_tries >= NAME_TRIES || PyErr_Occurred()) {
        return;
    }
    t->name_tries++;
    name = name_read(&asy_the_agent, th->ident);
    if (name != NULL) {
        uint32_t n = asy_cpython_utf8(name, th->name, ASY_NAME_BYTES);
        __atomic_store_n(&th->name_bytes, n, __ATOMIC_RELEASE);
        Py_DECREF(name);
    }
}
