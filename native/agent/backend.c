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

// The first <module> whose globals are __main__'s.
static bool
is_program(asy_agent *a, asy_agent_thread *t, PyCodeObject *code)
{
    PyObject *globals;

    if (__atomic_load_n(&a->program_begun, __ATOMIC_RELAXED) || (t->tree.thread->flags & ASY_THREAD_F_MAIN) == 0 ||
        PyUnicode_CompareWithASCIIString(code->co_name, "<module>") != 0) {
        return false;
    }
    globals = asy_cpython_globals();
    return globals != NULL && globals == asy_cpython_main_dict();
}

void
asy_backend_made(asy_agent_thread *t, PyCodeObject *code, uint32_t func, uint64_t *token)
{
    asy_agent *a = &asy_the_agent;

    asy_thread_name(t);
    asy_greenlets_hook(t);
    if (is_program(a, t, code)) {
        bool made = false;
        uint32_t node = asy_tree_child(&t->tree, func, ASY_NODE_PY, &made);
        *token |= PROGRAM;
        a->program_func = func;
        a->program_token = *token;
        t->tree.fresh_node = node;
        a->proc->program_ticks = asy_agent_ticks();
        __atomic_store_n(&a->proc->program_node, node, __ATOMIC_RELEASE);
        __atomic_store_n(&a->program_begun, 1, __ATOMIC_RELEASE);
    }
}

void
asy_backend_leave_odd(asy_agent_thread *t, uint64_t token, uint64_t now, bool unwound)
{
    asy_agent *a = &asy_the_agent;
    bool program = a->program_token != 0 && a->program_token == (token | PROGRAM) && (t->tree.thread->flags & ASY_THREAD_F_MAIN) != 0;
    uint64_t wanted = program ? token | PROGRAM : token;

    if (unwound) {
        asy_tree_unwind(&t->tree, wanted, now);
    }
    else {
        asy_tree_leave(&t->tree, wanted, now);
    }
    if (program) {
        a->program_token = 0;
        __atomic_store_n(&a->proc->program_end_ticks, now, __ATOMIC_RELEASE);
        t->tree.fresh_node = 0;
        asy_tree_rebase(&t->tree, a->phase_shutdown, ASY_NODE_PHASE, asy_agent_ticks());
    }
}
