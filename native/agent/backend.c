// backend.c: what both ways of getting events share: phases, and the program's first frame.
#include "agent/backend.h"

#include <string.h>

#include "agent/funcs.h"
#include "agent/greenlets.h"

#define PROGRAM 2u // or'ed into the token of the program's first frame, so that its end takes the odd path

void
asy_backend_main_thread(asy_agent_thread *t)
{
    asy_agent *a = &asy_the_agent;

    if (a->phase_startup == 0) {
        asy_funcs_process(t);
        a->phase_startup = asy_funcs_phase("start-up");
        a->phase_shutdown = asy_funcs_phase("shutdown");
    }
    if (!__atomic_load_n(&a->program_begun, __ATOMIC_RELAXED)) {
        asy_tree_rebase(&t->tree, a->phase_startup, ASY_NODE_PHASE, asy_agent_ticks());
    }
}

// The program's first frame, where the parent had it on its stack: its end is the program's end here too. False: it is not there.
static bool
program_mark(asy_agent *a, asy_agent_thread *t)
{
    for (uint64_t d = 1; d < t->tree.thread->depth; d++) {
        asy_frame *f = asy_tree_frame(&t->tree, d);

        if (f->token == (a->program_token & ~(uint64_t)PROGRAM)) {
            f->token |= PROGRAM;
            __atomic_store_n(&a->proc->program_node, f->node, __ATOMIC_RELEASE);
            return true;
        }
    }
    return false;
}

// The program runs, but not on this stack (another greenlet's): what is on it is the program's all the same.
static void
program_below(asy_agent *a, asy_agent_thread *t, asy_first first)
{
    bool made = false;
    uint64_t now = asy_agent_ticks();
    uint32_t node;

    asy_tree_restart(&t->tree, now);
    asy_tree_rebase(&t->tree, a->phase_startup, ASY_NODE_PHASE, now);
    node = asy_tree_child(&t->tree, a->program_func, ASY_NODE_PY | ASY_NODE_F_INHERITED, &made);
    __atomic_store_n(&a->proc->program_node, node, __ATOMIC_RELEASE);
    asy_tree_bottom(&t->tree, node, now);
    asy_thread_inherit(t, first);
}

// In a fork child, the thread that was forked. Another one than the main thread has no start-up: all that it does is the program's.
static void
forked_inherit(asy_agent *a, asy_agent_thread *t, asy_first first)
{
    bool main = (t->tree.thread->flags & ASY_THREAD_F_MAIN) != 0;
    bool begun = __atomic_load_n(&a->program_begun, __ATOMIC_RELAXED) != 0;
    bool running = main && begun && a->program_token != 0;

    if (main && begun) {
        asy_tree_rebase(&t->tree, running ? a->phase_startup : a->phase_shutdown, ASY_NODE_PHASE, asy_agent_ticks());
    }
    asy_thread_inherit(t, first);
    if (running && !program_mark(a, t)) {
        program_below(a, t, first);
    }
    if (running) {
        t->tree.fresh_node = (uint32_t)a->proc->program_node;
    }
}

void
asy_backend_inherit(asy_agent_thread *t, asy_first first)
{
    asy_agent *a = &asy_the_agent;

    if (!a->fork_first) {
        asy_thread_inherit(t, first);
        return;
    }
    a->fork_first = false;
    forked_inherit(a, t, first);
}

// A <module> whose globals are __main__'s, while none is running.
static bool
is_program(asy_agent *a, asy_agent_thread *t, PyCodeObject *code)
{
    PyObject *globals;

    if (a->program_token != 0 || (t->tree.thread->flags & ASY_THREAD_F_MAIN) == 0 ||
        PyUnicode_CompareWithASCIIString(code->co_name, "<module>") != 0) {
        return false;
    }
    globals = asy_cpython_globals();
    return globals != NULL && globals == asy_cpython_main_dict();
}

// The program begins. Returns the node to enter.
static uint32_t
program_begin(asy_agent *a, asy_agent_thread *t, uint32_t func, uint64_t token)
{
    bool made = false;
    uint32_t node;

    if (__atomic_load_n(&a->program_begun, __ATOMIC_RELAXED) && t->tree.thread->depth == 1) {
        // A program that embeds Python runs one piece after the other: from the second on all belong below the first.
        asy_tree_bottom(&t->tree, (uint32_t)a->proc->program_node, asy_agent_ticks());
        a->embedding = true;
    }
    node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
    if (!__atomic_load_n(&a->program_begun, __ATOMIC_RELAXED)) {
        a->proc->program_ticks = asy_agent_ticks();
        __atomic_store_n(&a->proc->program_node, node, __ATOMIC_RELEASE);
        __atomic_store_n(&a->program_begun, 1, __ATOMIC_RELEASE);
    }
    a->program_token = token;
    a->program_func = func;
    t->tree.fresh_node = (uint32_t)a->proc->program_node;
    return node;
}

uint32_t
asy_backend_made(asy_agent_thread *t, PyCodeObject *code, uint32_t node, uint32_t func, uint64_t *token)
{
    asy_agent *a = &asy_the_agent;

    asy_thread_name(t);
    asy_greenlets_hook(t);
    if (is_program(a, t, code)) {
        *token |= PROGRAM;
        return program_begin(a, t, func, *token);
    }
    return node;
}

void
asy_backend_leave_odd(asy_agent_thread *t, uint64_t token, uint64_t now, bool unwound)
{
    asy_agent *a = &asy_the_agent;
    bool program = a->program_token != 0 && a->program_token == (token | PROGRAM) &&
                   (t->tree.thread->flags & ASY_THREAD_F_MAIN) != 0;
    uint64_t wanted = program ? token | PROGRAM : token;

    if (unwound) {
        asy_tree_unwind(&t->tree, wanted, now);
    } else {
        asy_tree_leave(&t->tree, wanted, now);
    }
    if (program) {
        a->program_token = 0;
        __atomic_store_n(&a->proc->program_end_ticks, now, __ATOMIC_RELEASE);
        if (!a->embedding) {
            t->tree.fresh_node = 0;
            asy_tree_rebase(&t->tree, a->phase_shutdown, ASY_NODE_PHASE, asy_agent_ticks());
        }
    }
}
