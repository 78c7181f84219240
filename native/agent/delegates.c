// delegates.c: what a throw passes on its way to the innermost generator.
#include "agent/delegates.h"

#include "agent/funcs.h"

#define SUSPENDS (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)
#define MOST 256u // frames that one throw passes; those further out come back when they go on

bool asy_delegates_seen;

void
asy_delegates_see(bool quietly)
{
    __atomic_store_n(&asy_delegates_seen, true, __ATOMIC_RELAXED);
    if (quietly) {
        __atomic_or_fetch(&asy_the_agent.looks, ASY_LOOK_BELOW, __ATOMIC_RELAXED);
    }
}

void
asy_delegates_forget(void)
{
    __atomic_store_n(&asy_delegates_seen, false, __ATOMIC_RELAXED);
    __atomic_and_fetch(&asy_the_agent.looks, ~ASY_LOOK_BELOW, __ATOMIC_RELAXED);
}

static uint64_t
token_of(const PyCodeObject *code)
{
    return (uint64_t)(uintptr_t)code;
}

static bool
is_suspended(PyFrameObject *frame)
{
    return asy_suspend_has(&asy_the_agent.suspend, asy_cpython_frame_of(frame));
}

// The topmost Python function on the stack, or NULL.
static asy_frame *
top_function(const asy_tree *t)
{
    for (uint64_t d = t->thread->overflow == 0 ? t->thread->depth : 0; d-- > 1;) {
        asy_frame *f = asy_tree_frame(t, d);
        if ((f->kind & 0xffu) == ASY_NODE_PY) {
            return f;
        }
    }
    return NULL;
}

// The same, if that delegates, and is an activation of `code`.
static asy_frame *
top_delegate(const asy_tree *t, const PyCodeObject *code)
{
    asy_frame *f = top_function(t);

    return f != NULL && (f->kind & ASY_FRAME_DELEGATES) != 0 && f->token == token_of(code) ? f : NULL;
}

static void
goes_on(asy_frame *f)
{
    asy_tree_frame_set(f, (asy_frame){f->token, f->node, f->kind & ~ASY_FRAME_DELEGATES});
}

// Back on the stack with its tags. Its frame there, or NULL.
static asy_frame *
resume(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code, uint64_t now)
{
    uint32_t func = asy_funcs_code(t, code);
    bool made = false;

    if (func == 0) {
        return NULL;
    }
    asy_suspend_resume(&asy_the_agent.suspend, &t->tree, asy_tree_child(&t->tree, func, ASY_NODE_PY, &made),
                       token_of(code), asy_cpython_frame_of(frame), now);
    return top_function(&t->tree);
}

// Where the stack is full it stays off it: no end of a call would take it from there again.
static void
delegate(asy_agent_thread *t, PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    bool full = t->tree.thread->overflow != 0;
    asy_frame *f = full ? NULL : resume(t, frame, code, asy_agent_ticks());

    if (!full) {
        asy_word_store(&t->tree.thread->overflow, 0);
    }
    if (f != NULL && f->token == token_of(code)) {
        asy_tree_frame_set(f, (asy_frame){f->token, f->node, f->kind | ASY_FRAME_DELEGATES});
        asy_delegates_see(!ASY_CPYTHON_MONITORING);
    }
    Py_DECREF(code);
}

// Suspended frames that `frame` stands on delegate to it: outermost first, they go on the stack.
static void
delegate_all(asy_agent_thread *t, PyFrameObject *frame)
{
    PyFrameObject *outer[MOST], *f;
    uint32_t count = 0;

    for (f = PyFrame_GetBack(frame); f != NULL && count < MOST && is_suspended(f); f = PyFrame_GetBack(f)) {
        outer[count++] = f;
    }
    Py_XDECREF((PyObject *)f);
    while (count > 0) {
        delegate(t, outer[--count]);
        Py_DECREF((PyObject *)outer[count]);
    }
}

bool
asy_delegates_throw(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code)
{
    asy_frame *there = NULL;

    if (frame == NULL) { // no memory
        return false;
    }
    if (asy_delegates_any() && !is_suspended(frame)) {
        there = top_delegate(&t->tree, code);
    }
    if (there != NULL) {
        goes_on(there);
        return true;
    }
    delegate_all(t, frame);
    return false;
}

void
asy_delegates_yield(asy_agent_thread *t, PyFrameObject *frame, uint64_t now)
{
    PyFrameObject *f = frame != NULL ? PyFrame_GetBack(frame) : NULL;

    while (f != NULL) {
        PyCodeObject *code = PyFrame_GetCode(f);
        asy_frame *there = top_delegate(&t->tree, code);
        PyFrameObject *back = there != NULL ? PyFrame_GetBack(f) : NULL;

        if (there != NULL) {
            asy_suspend_yield(&asy_the_agent.suspend, &t->tree, token_of(code), asy_cpython_frame_of(f), now);
        }
        Py_DECREF(code);
        Py_DECREF((PyObject *)f);
        f = back;
    }
}

void
asy_delegates_ran(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code, uint64_t now)
{
    asy_frame *f = top_function(&t->tree);
    bool there = f != NULL && f->token == token_of(code);

    if (there && (f->kind & ASY_FRAME_DELEGATES) != 0) {
        goes_on(f);
    } else if (!there && (code->co_flags & SUSPENDS) != 0 && is_suspended(frame)) {
        delegate_all(t, frame);
        resume(t, frame, code, now);
    }
}
