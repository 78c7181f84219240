// setprofile.c: a profile callback in every thread, where there is no sys.monitoring (3.11).
// The interpreter tells a call from a resume, and a return from a yield, only by the instruction that the frame stands at.
#include "agent/backend.h"

#if !ASY_CPYTHON_MONITORING

#include <string.h>

#include "agent/delegates.h"
#include "agent/dropin_timer.h"
#include "agent/funcs.h"
#include "agent/tags.h"
#include "cpython/profile.h"

#define SUSPENDS (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)

static inline uint64_t
token_of(PyCodeObject *code)
{
    return (uint64_t)(uintptr_t)code;
}

// What an event looks at besides (ASY_LOOK_*), before anything is entered. `frame` runs; NULL: not known. As asy_tags_context.
static bool
look(asy_agent_thread *t, PyFrameObject *frame)
{
    if ((asy_the_agent.looks & ASY_LOOK_BELOW) != 0 && frame != NULL) {
        asy_delegates_ran(t, frame, asy_profile_code(frame), asy_agent_ticks());
    }
    return asy_tags_context(t);
}

// At a call event. During a throw those that delegate stand below what it reaches, at their yield: they do not run.
static bool
look_below(asy_agent_thread *t, PyFrameObject *frame)
{
    PyFrameObject *caller = asy_profile_caller(frame);

    return look(t, caller != NULL && asy_profile_yields(caller) ? NULL : caller);
}

// What is told of an event that has no thread's state to write to. -1: a signal came while the texts of tags were made.
static int
unmeasured(void)
{
    return PyErr_Occurred() ? -1 : 0;
}

// A generator or coroutine goes on, by itself or because something is thrown into it.
static void
on_resume(asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code, uint32_t func)
{
    bool made = false;

    if (asy_profile_thrown(frame)) {
        if (asy_delegates_throw(t, frame, code)) {
            return;
        }
        t->thrown = asy_cpython_frame_of(frame);
    }
    asy_suspend_resume(&asy_the_agent.suspend, &t->tree, asy_tree_child(&t->tree, func, ASY_NODE_PY, &made),
                       token_of(code), asy_cpython_frame_of(frame), asy_agent_ticks());
}

// Hot: every Python call.
static int
on_call(PyFrameObject *frame, PyCodeObject *code)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_ENTERS);
    bool made = false;
    uint64_t token = token_of(code);
    uint32_t func, node;

    if (t == NULL || (func = asy_funcs_code(t, code)) == 0 ||
        (__builtin_expect(asy_the_agent.looks != 0, 0) && !look_below(t, frame))) {
        return unmeasured();
    }
    if (__builtin_expect((code->co_flags & SUSPENDS) != 0, 0) && !asy_profile_begins(frame)) {
        on_resume(t, frame, code, func);
        return 0;
    }
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    if (__builtin_expect(made, 0)) {
        node = asy_backend_made(t, code, node, func, &token);
    }
    asy_tree_enter(&t->tree, node, token, ASY_NODE_PY, asy_agent_ticks());
    return 0;
}

// Consecutive activations of `code`, the innermost of which is `frame`.
static uint64_t
count_frames(PyFrameObject *frame, PyCodeObject *code)
{
    PyFrameObject *f = (PyFrameObject *)Py_NewRef((PyObject *)frame);
    uint64_t count = 0;

    while (f != NULL && asy_profile_code(f) == code) {
        PyFrameObject *back = PyFrame_GetBack(f);

        Py_DECREF(f);
        f = back;
        count++;
    }
    Py_XDECREF(f);
    return count;
}

// The same on our stack, where C calls and tags may stand between them.
static uint64_t
count_open(const asy_tree *t, uint64_t token)
{
    uint64_t count = 0;

    for (uint64_t d = t->thread->depth; d-- > 1;) {
        const asy_frame *f = asy_tree_frame(t, d);

        if (f->token == token) {
            count++;
        } else if ((f->kind & 0xffu) == ASY_NODE_PY) {
            break;
        }
    }
    return count;
}

// An exception ends a frame in its first instruction, which is where the handlers of signals run: before the event of the call, so
// that it never began for us, or after it.
static bool
never_began(const asy_agent_thread *t, PyFrameObject *frame, PyCodeObject *code)
{
    return asy_cpython_unbegun(code, PyFrame_GetLasti(frame)) &&
           count_frames(frame, code) > count_open(&t->tree, token_of(code));
}

// Hot: every return. `value` is NULL where an exception ends the frame.
static int
on_return(PyFrameObject *frame, PyCodeObject *code, PyObject *value, uint64_t now)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_LEAVES);

    if (t == NULL) {
        return unmeasured();
    }
    if (__builtin_expect((code->co_flags & SUSPENDS) != 0, 0)) {
        if (value != NULL &&
            t->thrown == asy_cpython_frame_of(frame)) { // handled: what awaits it may go on without an event
            asy_delegates_see(true);
        }
        if (asy_delegates_any()) {
            asy_delegates_ran(t, frame, code, now);
        }
    }
    if (__builtin_expect((code->co_flags & SUSPENDS) != 0, 0) && value != NULL && asy_profile_yields(frame)) {
        asy_suspend_yield(&asy_the_agent.suspend, &t->tree, token_of(code), asy_cpython_frame_of(frame), now);
        if (asy_delegates_any()) {
            asy_delegates_yield(t, frame, now);
        }
        return 0;
    }
    if (value == NULL && never_began(t, frame, code)) {
        return 0;
    }
    if (value == NULL || !asy_tree_on_top(&t->tree, token_of(code))) {
        asy_backend_leave_odd(t, token_of(code), now, value == NULL);
        return 0;
    }
    asy_tree_leave_top(&t->tree, now);
    return 0;
}

// Counted once, until measuring begins again. Not while nothing is measured, and not in a fork child.
static void
lose(void)
{
    asy_agent *a = &asy_the_agent;
    int kept = 0;

    if (__atomic_load_n(&a->measuring, __ATOMIC_RELAXED) && asy_agent_here() && a->tool_ready &&
        __atomic_compare_exchange_n(&a->tool_lost, &kept, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        asy_arena_lose(&a->arena, a->slot, ASY_LOSS_HOOK, 1);
    }
}

// The program is about to put its own profile function in our place.
static void
hook_replaced(PyObject *callable)
{
    asy_agent *a = &asy_the_agent;

    if (asy_backend_special(callable)) {
        asy_arena_lose(&a->arena, a->slot, ASY_LOSS_HOOK, 1);
        __atomic_store_n(&a->tool_lost, 1, __ATOMIC_RELAXED);
    }
}

// Hot: every C call.
static int
on_c_call(PyFrameObject *frame, PyCodeObject *code, PyObject *callable)
{
    asy_agent_thread *t = asy_thread_get(ASY_FIRST_CALLS);
    bool made = false;
    uint32_t func, node, kind;

    if (t == NULL || (__builtin_expect(asy_the_agent.looks != 0, 0) && !look(t, frame))) {
        return unmeasured();
    }
    func = asy_funcs_callable(t, callable, &kind);
    if (__builtin_expect(func == 0, 0)) {
        hook_replaced(callable);
        asy_tags_call(t, callable, NULL, token_of(code) | 1u); // methods come bound
        return unmeasured();
    }
    node = asy_tree_child(&t->tree, func, kind, &made);
    if (__builtin_expect(made, 0)) {
        asy_thread_name(t);
    }
    asy_tree_enter(&t->tree, node, token_of(code) | 1u, kind, asy_agent_ticks());
    return 0;
}

static void
on_c_end(PyCodeObject *code, PyObject *callable, bool raised, uint64_t now)
{
    asy_agent_thread *t = asy_thread_begun();

    if (t == NULL) {
        return;
    }
    if (asy_tree_frame(&t->tree, t->tree.thread->depth - 1)->token != (token_of(code) | 1u) &&
        (asy_tags_ours(callable) || asy_thread_open_call(t, token_of(code) | 1u))) {
        return;
    }
    if (raised) {
        asy_tree_unwind(&t->tree, token_of(code) | 1u, now);
    } else {
        asy_tree_leave(&t->tree, token_of(code) | 1u, now);
    }
}

static int
on_event(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    uint64_t now = asy_agent_ticks();
    PyCodeObject *code = asy_profile_code(frame);

    (void)self;
    switch (what) {
    case PyTrace_CALL: return on_call(frame, code);
    case PyTrace_RETURN: return on_return(frame, code, arg, now);
    case PyTrace_C_CALL: return asy_the_agent.c_calls ? on_c_call(frame, code, arg) : 0;
    case PyTrace_C_RETURN:
    case PyTrace_C_EXCEPTION:
        if (asy_the_agent.c_calls) {
            on_c_end(code, arg, what == PyTrace_C_EXCEPTION, now);
        }
        break;
    default: break;
    }
    return 0;
}

// The same, and trees on timers of the program's.
static int
on_event_timed(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    PyCodeObject *code = asy_profile_code(frame);
    int rc;

    if (what == PyTrace_RETURN && (arg != NULL || !asy_cpython_unbegun(code, PyFrame_GetLasti(frame)))) {
        asy_timed_leave(code);
    } else if (what == PyTrace_C_RETURN || what == PyTrace_C_EXCEPTION) {
        asy_timed_leave_c(code, arg);
    }
    rc = on_event(self, frame, what, arg);
    if (what == PyTrace_CALL) {
        asy_timed_enter(code);
    } else if (what == PyTrace_C_CALL) {
        asy_timed_enter_c(code, arg);
    }
    return rc;
}

static Py_tracefunc
hook(void)
{
    return asy_the_agent.timed != 0 ? on_event_timed : on_event;
}

asy_status
asy_backend_timed(bool on)
{
    asy_profile_swap(on ? on_event : on_event_timed, on ? on_event_timed : on_event);
    return ASY_OK;
}

asy_status
asy_backend_open(void)
{
    return asy_profile_check() ? ASY_OK : ASY_EVERSION;
}

asy_status
asy_backend_on(void)
{
    asy_profile_hook_all(hook());
    __atomic_store_n(&asy_the_agent.tool_lost, 0, __ATOMIC_RELAXED);
    return ASY_OK;
}

void
asy_backend_off(void)
{
    asy_backend_look();
    asy_profile_unhook_all(hook());
}

bool
asy_backend_kept(void)
{
    if (!asy_profile_hooked(hook())) {
        lose();
    }
    return !__atomic_load_n(&asy_the_agent.tool_lost, __ATOMIC_RELAXED);
}

void
asy_backend_look(void)
{
    if (asy_the_agent.measuring && asy_agent_here() && !asy_profile_hooked_all(hook())) {
        lose();
    }
}

// One that has left all its functions has no open call.
void
asy_backend_thread_ends(const asy_agent_thread *t)
{
    for (uint64_t d = 1; t->tree.thread != NULL && d < t->tree.thread->depth; d++) {
        if ((asy_tree_frame(&t->tree, d)->kind & 0xffu) == ASY_NODE_PY) {
            if (!asy_profile_finalizing()) { // else it was stopped inside them
                lose();
            }
            return;
        }
    }
}

bool
asy_backend_special(PyObject *callable)
{
    const PyCFunctionObject *f = (const PyCFunctionObject *)callable;
    PyTypeObject *ours = asy_the_agent.profiler_type;

    if (ours != NULL && PyCFunction_Check(callable) && f->m_self != NULL && PyObject_TypeCheck(f->m_self, ours)) {
        return false; // the drop-in is no other profiler
    }
    return asy_profile_replaces(callable);
}

void
asy_backend_forked(void)
{
    asy_profile_unhook_all(hook());
}

#endif
