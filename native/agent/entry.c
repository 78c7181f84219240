// entry.c: the way in from the preloaded library.
#include "agent/entry.h"

#include <unistd.h>

#include "agent/backend.h"
#include "agent/calibrate.h"
#include "agent/funcs.h"
#include "agent/module.h"
#include "agent/session.h"

#define EXPORT __attribute__((visibility("default")))

#define END "assay._agent.end"

// The interpreter goes: the last moment to see whether events were ours up to now.
static void
on_end(PyObject *capsule)
{
    asy_agent *a = &asy_the_agent;

    (void)capsule;
    if (__atomic_load_n(&a->measuring, __ATOMIC_RELAXED) && asy_agent_here()) {
        asy_backend_kept();
    }
    __atomic_store_n(&a->tool_lost, 1, __ATOMIC_RELAXED); // what the interpreter takes away itself is no loss
}

// In the main thread's own dict, which goes before what we ask for does.
static void
end_watch(void)
{
    PyObject *dict = PyThreadState_GetDict();
    PyObject *capsule = dict != NULL ? PyCapsule_New((void *)(uintptr_t)END, END, on_end) : NULL;

    if (capsule != NULL) {
        PyDict_SetItemString(dict, END, capsule);
    }
    Py_XDECREF(capsule);
    PyErr_Clear();
}

// A signal that came while it was opened comes once more, to the program's own code.
static asy_status
engine_open(const asy_agent_entry *entry)
{
    asy_status st = asy_session_engine(entry->arena_fd, entry->nonce);

    if (PyErr_Occurred()) {
        bool interrupt = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
        PyErr_Clear();
        st = asy_session_engine(entry->arena_fd, entry->nonce);
        PyErr_Clear();
        if (interrupt) {
            PyErr_SetInterrupt();
        }
    }
    return st;
}

EXPORT int
asy_agent_start(const asy_agent_entry *entry)
{
    asy_status st;

    if (entry->abi != ASY_AGENT_ABI) {
        return ASY_EVERSION;
    }
    if (!asy_cpython_is_main_interpreter() || !asy_module_claim()) {
        return ASY_EINVAL;
    }
    // The preload calls once per runtime: an engine that is there already has seen one come and go.
    st = asy_the_agent.proc != NULL ? asy_session_renew() : engine_open(entry);
    if (st == ASY_OK) {
        st = asy_session_measure(true);
        end_watch();
    }
    return (int)st;
}

EXPORT void
asy_agent_lose(int which)
{
    asy_agent *a = &asy_the_agent;

    if (which == ASY_LOSS_SUBINTERPS && !asy_cpython_has_sub_interpreter()) {
        return; // posix imported once more
    }
    if (a->proc != NULL && asy_agent_here() && which >= 0 && which < ASY_LOSS_COUNT) {
        asy_arena_lose(&a->arena, a->slot, which, 1);
    }
}

EXPORT void
asy_agent_exec(int about)
{
    asy_agent *a = &asy_the_agent;

    if (a->proc != NULL && a->own_pid == (uint64_t)getpid()) {
        __atomic_store_n(&a->proc->end_ticks, about != 0 ? asy_agent_ticks() : 0, __ATOMIC_RELAXED);
    }
}

EXPORT void
asy_agent_exit(int status)
{
    asy_agent *a = &asy_the_agent;

    if (a->proc != NULL && a->own_pid == (uint64_t)getpid()) {
        __atomic_store_n(&a->proc->exit_status, 1 + ((uint64_t)status & 255), __ATOMIC_RELAXED);
        __atomic_store_n(&a->proc->exit_ticks, asy_agent_ticks(), __ATOMIC_RELEASE);
    }
}

EXPORT void *
asy_agent_head(void)
{
    return asy_the_agent.arena.head;
}
