// process.c: the agent of this process: memory, clock, the arena.
#include "agent/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/thread.h"

asy_agent asy_the_agent = {.tool_id = -1, .extra_slot = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

#define TABLE_FIRST 4096u
#define SUSPEND_SETS 8192u

// Private memory counts whole, touched or not: the figure is an upper bound.
static void
private_add(uint64_t bytes)
{
    asy_agent *a = &asy_the_agent;
    uint64_t now = __atomic_add_fetch(&a->private_bytes, bytes, __ATOMIC_RELAXED);

    if (a->proc != NULL && a->alive != NULL && asy_agent_here()) {
        __atomic_store_n(&a->proc->resident_bytes, now + __atomic_load_n(&a->arena.populated_bytes, __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
    }
}

void *
asy_agent_alloc(size_t bytes, bool wipe)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        return NULL;
    }
    madvise(p, bytes, MADV_DONTDUMP);
    if (wipe && madvise(p, bytes, MADV_WIPEONFORK) != 0) {
        munmap(p, bytes);
        return NULL;
    }
    private_add(bytes);
    return p;
}

void
asy_agent_release(void *p, size_t bytes)
{
    munmap(p, bytes);
    private_add(-(uint64_t)bytes);
}

uint64_t
asy_agent_outer_id(const char *link, uint64_t own)
{
    char text[64];
    ssize_t n = readlink(link, text, sizeof(text) - 1);
    const char *slash;
    char *end;
    uint64_t id;

    text[n > 0 ? n : 0] = '\0';
    slash = strrchr(text, '/');
    id = strtoull(slash != NULL ? slash + 1 : text, &end, 10);
    return *end == '\0' && id != 0 ? id : own;
}

// The number that stands `fields` fields after `at`, which points into a line of /proc/PID/stat; 0: none.
static uint64_t
stat_number(const char *at, int fields)
{
    while (at != NULL && fields-- > 0) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

void
asy_agent_own_stat(uint64_t *start_time, uint64_t *parent)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    const char *name_end;

    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = 0;
    name_end = strrchr(text, ')'); // field 2 may hold anything
    *parent = stat_number(name_end, 2);
    *start_time = stat_number(name_end, 20); // field 22
}

// Programs of this process, one before the other by exec, that have a row.
static uint64_t
own_image(const asy_arena *arena, uint64_t pid, uint64_t start_time)
{
    uint64_t claims = __atomic_load_n(&arena->head->next_proc, __ATOMIC_RELAXED) - 1; // lowest row first
    uint64_t image = 0;

    for (uint64_t i = 0; i < claims && i < ASY_PROC_MAX; i++) {
        const asy_proc *p = &arena->procs[i];
        uint64_t its = __atomic_load_n(&p->image, __ATOMIC_RELAXED);

        if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == ASY_PROC_LIVE &&
            __atomic_load_n(&p->pid, __ATOMIC_RELAXED) == pid &&
            __atomic_load_n(&p->start_time, __ATOMIC_RELAXED) == start_time && its >= image) {
            image = its + 1;
        }
    }
    return image;
}

// How long a tick is, roughly: the gap rule needs no more. Exact scales are made outside, from longer spans.
static void
rough_scale(asy_agent *a)
{
    asy_clock_pair one = asy_clock_take_pair(a->clock), two;

    a->begin = one;
    a->ns_q20 = a->tick_q20 = 1u << 20;
    if (a->clock == ASY_CLOCK_NS) {
        return;
    }
    do {
        two = asy_clock_take_pair(a->clock);
    } while (two.ns - one.ns < 100000);
    a->ns_q20 = ((two.ns - one.ns) << 20) / (two.ticks - one.ticks);
    a->tick_q20 = ((two.ticks - one.ticks) << 20) / (two.ns - one.ns);
}

static asy_status
tables_make(asy_agent *a)
{
    asy_func_table *tables[] = {&a->codes, &a->callables, &a->tags, &a->living};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (tables[i]->rows == NULL) {
            tables[i]->rows = asy_agent_alloc(TABLE_FIRST * sizeof(asy_func_row), false);
            tables[i]->mask = TABLE_FIRST - 1;
        }
        if (tables[i]->rows == NULL) {
            return ASY_ENOMEM;
        }
    }
    if (a->suspend.rows == NULL) {
        a->suspend.rows = asy_agent_alloc(SUSPEND_SETS * ASY_SUSPEND_WAYS * sizeof(asy_suspend_row), false);
        a->suspend.sets = SUSPEND_SETS;
    }
    if (a->alive == NULL) {
        a->alive = asy_agent_alloc(4096, true);
    }
    if (a->suspend.rows == NULL || a->alive == NULL) {
        return ASY_ENOMEM;
    }
    *a->alive = ASY_AGENT_HERE;
    return ASY_OK;
}

asy_status
asy_agent_open(int fd, uint64_t nonce)
{
    asy_agent *a = &asy_the_agent;
    asy_status st = tables_make(a);
    uint64_t start_time, parent;

    if (st != ASY_OK) {
        return st;
    }
    st = asy_arena_attach(&a->arena, fd, nonce);
    if (st != ASY_OK) {
        return st;
    }
    a->clock = a->arena.head->clock == ASY_CLOCK_COUNTER ? ASY_CLOCK_COUNTER : ASY_CLOCK_NS;
    a->own_pid = (uint64_t)getpid();
    a->outer_pid = asy_agent_outer_id("/proc/self", a->own_pid);
    asy_agent_own_stat(&start_time, &parent);
    st = asy_arena_claim_proc(&a->arena, a->outer_pid, start_time, own_image(&a->arena, a->outer_pid, start_time),
                              &a->slot);
    if (st != ASY_OK) {
        asy_arena_detach(&a->arena);
        return st;
    }
    a->proc = &a->arena.procs[a->slot];
    a->serial = a->proc->serial;
    a->func_top = 1;
    a->proc->parent_pid = parent;
    a->gap_ticks = a->arena.head->cpu_gap_ticks;
    a->node_max = (uint32_t)a->arena.head->node_max;
    a->c_calls = (a->arena.head->options & ASY_OPT_NO_C_CALLS) == 0;
    rough_scale(a);
    a->proc->python_version = asy_cpython_version();
    a->proc->flags = (ASY_CPYTHON_FREETHREADED ? ASY_PROC_F_FREETHREADED : 0u) |
                     (a->c_calls ? 0u : ASY_PROC_F_NO_C_CALLS) | (ASY_CPYTHON_MONITORING ? 0u : ASY_PROC_F_SETPROFILE);
    a->proc->start_ticks = asy_agent_ticks();
    __atomic_store_n(&a->proc->state, ASY_PROC_LIVE, __ATOMIC_RELEASE);
    return ASY_OK;
}
