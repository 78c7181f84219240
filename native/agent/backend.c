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
