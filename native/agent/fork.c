// fork.c: a fork child becomes a measured process of its own.
// Whoever first comes to a word that the kernel has wiped does it, mostly at the child's first event. What other threads were at when the process
// was forked is left behind with them: their stacks (wiped too), their windows, the lock that one of them may have held.
// Runs no Python code; opens nothing but /proc/self/stat, for a moment.
#include <string.h>
#include <unistd.h>

#include "agent/thread.h"

// Whoever held the lock may have been writing to the tables: they begin anew. Ids that code objects have stay as they are.
static bool
tables_renew(asy_agent *a)
{
    asy_func_table *tables[] = {&a->codes, &a->callables, &a->tags, &a->living};
    uint32_t rows = 4096;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        asy_func_row *fresh = asy_agent_alloc(rows * sizeof(*fresh), false);

        if (fresh == NULL) {
            return false;
        }
        *tables[i] = (asy_func_table){fresh, rows - 1, 0};
    }
    a->code_objects.at = NULL;
    a->code_objects.room = a->code_objects.end = 0;
    a->log.index = NULL;
    a->log.room = 0;
    a->log.copies = NULL;
    return true;
}

static bool
lock_renew(asy_agent *a)
{
    bool held = pthread_mutex_trylock(&a->lock) != 0;

    pthread_mutex_init(&a->lock, NULL);
    return !held || tables_renew(a);
}

// Profiles begin and end under a lock of their own. Whoever holds it may be this thread.
static void
sessions_renew(asy_agent *a)
{
    bool own = a->sessions_owner == PyThread_get_thread_ident();

    if (a->sessions == NULL) {
        return;
    }
    a->sessions = PyThread_allocate_lock();
    a->sessions_owner = own ? a->sessions_owner : 0;
    if (own && a->sessions != NULL) {
        PyThread_acquire_lock(a->sessions, NOWAIT_LOCK);
    }
}

// The threads of before are no more; the memory of the one that was forked is there, all zero.
static void
threads_forget(asy_agent *a)
{
    a->threads = NULL;
    a->windows = NULL;
    a->wiped = asy_thread_tls;
    asy_thread_tls = NULL;
    if (a->thread_key_made) {
        pthread_setspecific(a->thread_key, NULL);
    }
}

// Ids that were given in the parent are known there; those that it gives from now on are its own.
static uint32_t
funcs_top(const asy_agent *a)
{
    uint64_t top = a->func_top;

    if (__atomic_load_n(&a->proc->serial, __ATOMIC_RELAXED) ==
        a->serial) { // else it has died, and its row is another's
        uint64_t now = __atomic_load_n(&a->proc->next_func, __ATOMIC_RELAXED);
        top = now > top && now < UINT32_MAX ? now : top;
    }
    return (uint32_t)top;
}

static bool
row_claim(asy_agent *a)
{
    uint32_t top = funcs_top(a);
    uint64_t start_time, parent, flags = 0, version = asy_cpython_version();
    uint64_t pid;
    asy_proc *p;

    a->own_pid = (uint64_t)getpid();
    pid = asy_agent_outer_id("/proc/self", a->own_pid);
    asy_agent_own_stat(&start_time, &parent);
    if (asy_arena_claim_proc(&a->arena, pid, start_time, 0, &a->slot) != ASY_OK) {
        return false;
    }
    flags = (ASY_CPYTHON_FREETHREADED ? ASY_PROC_F_FREETHREADED : 0u) | (a->c_calls ? 0u : ASY_PROC_F_NO_C_CALLS) |
            (ASY_CPYTHON_MONITORING ? 0u : ASY_PROC_F_SETPROFILE) | ASY_PROC_F_FORKED;
    p = &a->arena.procs[a->slot];
    p->parent_pid = a->outer_pid;
    p->forked_from = a->serial;
    p->inherited_funcs = top;
    p->next_func = top;
    p->python_version = version;
    p->flags = flags;
    p->start_ticks = asy_agent_ticks();
    p->program_ticks = a->program_begun ? p->start_ticks : 0;
    memcpy(&p->cost_py_in, a->costs, sizeof(a->costs));
    a->proc = p;
    a->outer_pid = pid;
    a->serial = p->serial;
    a->func_top = top;
    __atomic_store_n(&p->state, ASY_PROC_LIVE, __ATOMIC_RELEASE);
    return true;
}

static bool
settle(asy_agent *a)
{
    bool whole = lock_renew(a);

    a->forks++;
    sessions_renew(a);
    if (a->standalone || !whole || __atomic_load_n(&a->arena.head->stop, __ATOMIC_RELAXED)) {
        return false;
    }
    threads_forget(a);
    asy_arena_forked(&a->arena);
    a->log.base = NULL; // the next record goes to a chunk of our own
    a->log.chunks = 0;
    a->fork_first = true;
    if (!row_claim(a)) {
        asy_arena_lose(&a->arena, UINT32_MAX, ASY_LOSS_FORKS, 1);
        return false;
    }
    return true;
}

bool
asy_agent_settle(void)
{
    asy_agent *a = &asy_the_agent;
    uint64_t wiped = ASY_AGENT_FORKED;
    bool here;

    if (!__atomic_compare_exchange_n(a->alive, &wiped, ASY_AGENT_SETTLING, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
        return wiped == ASY_AGENT_HERE;
    }
    here = settle(a);
    if (!here) {
        __atomic_store_n(&a->measuring, 0, __ATOMIC_RELEASE);
    }
    __atomic_store_n(a->alive, here ? ASY_AGENT_HERE : ASY_AGENT_REFUSED, __ATOMIC_RELEASE);
    return here;
}

asy_status
asy_agent_settle_alone(int fd, uint64_t nonce)
{
    asy_agent *a = &asy_the_agent;
    static asy_arena fresh; // too large for the stack
    asy_status st;

    memset(&fresh, 0, sizeof(fresh));
    st = asy_arena_attach(&fresh, fd, nonce);
    if (st != ASY_OK) {
        return st;
    }
    threads_forget(a);
    a->arena = fresh; // what the one before has mapped stays: names are in it
    a->log.base = NULL;
    a->log.chunks = 0;
    if (!row_claim(a)) {
        return ASY_ELIMIT;
    }
    a->proc->flags &= ~(uint64_t)ASY_PROC_F_FORKED; // nobody reads its parent's counts beside its own
    a->proc->forked_from = a->proc->inherited_funcs = 0;
    __atomic_store_n(a->alive, ASY_AGENT_HERE, __ATOMIC_RELEASE);
    return ASY_OK;
}
