// others.c: rows of processes that somebody else started.
// A process is known by a descriptor of it, which no reuse of its pid can fool, or by its start time. In doubt one is alive: memory must
// not be taken from under it. What ends before it was met is known by its row alone.
#include "cli/others.h"

#include <poll.h>
#include <unistd.h>

#include "os/os.h"

#define FDS_MAX 512             // the rest is asked for its start time
#define ROUNDING_NS 20000000ull // of a start time, and something

void
asy_others_begin(asy_others *o, asy_arena *arena, asy_harvest *harvest, asy_clock_kind clock, asy_clock_pair begin)
{
    o->arena = arena;
    o->harvest = harvest;
    o->clock = clock;
    o->begin = begin;
}

static void
forget(asy_others *o, asy_other *r)
{
    if (r->serial != 0 && r->fd >= 0) {
        close(r->fd);
        o->fd_count--;
    }
    *r = (asy_other){.fd = -1};
}

void
asy_others_free(asy_others *o)
{
    for (uint32_t i = 0; i < o->top; i++) {
        forget(o, &o->rows[i]);
    }
}

static uint64_t
word(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

// The process that has this pid now started after the row was written: it is another one.
static bool
is_later(const asy_others *o, const asy_proc *row, uint64_t pid)
{
    asy_clock_scale scale = asy_clock_scale_make(o->clock, o->begin, asy_clock_take_pair(o->clock));
    uint64_t started = asy_os_process_start_ns(pid), ticks = word(&row->start_ticks);

    return started != 0 && ticks != 0 && started > asy_clock_at_ns(&scale, ticks) + ROUNDING_NS;
}

// A row that was not met before. False: its process is gone.
static bool
meet(asy_others *o, const asy_proc *row, asy_other *r)
{
    bool gone = false;

    *r = (asy_other){.serial = word(&row->serial), .pid = word(&row->pid), .fd = -1};
    if (o->fd_count < FDS_MAX) {
        r->fd = asy_os_process_watch(r->pid, &gone);
        o->fd_count += r->fd >= 0;
    }
    r->start_time = gone ? 0 : asy_os_process_start(r->pid);
    if (r->fd < 0 && r->start_time == 0) {
        return false;
    }
    return r->start_time == word(&row->start_time) || !is_later(o, row, r->pid);
}

static bool
has_ended(const asy_other *r)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};

    return r->fd >= 0 ? poll(&p, 1, 0) == 1 : asy_os_process_start(r->pid) != r->start_time;
}

// Another program of the same process has a row: this one has ended by exec.
static bool
is_replaced(const asy_others *o, uint32_t slot)
{
    const asy_proc *row = &o->arena->procs[slot];

    if (word(&row->end_ticks) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < o->top; i++) {
        const asy_proc *later = &o->arena->procs[i];

        if (i != slot && __atomic_load_n(&later->state, __ATOMIC_ACQUIRE) == ASY_PROC_LIVE &&
            word(&later->pid) == word(&row->pid) && word(&later->start_time) == word(&row->start_time) &&
            word(&later->image) > word(&row->image)) {
            return true;
        }
    }
    return false;
}

static asy_status
look(asy_others *o, uint64_t child, uint32_t slot)
{
    const asy_proc *row = &o->arena->procs[slot];
    asy_other *r = &o->rows[slot];
    bool ended = false;
    int exited = 0, status = 0;
    asy_status st;

    if (r->serial != 0 && r->serial != word(&row->serial)) {
        forget(o, r); // its death was taken otherwise, and the row is another's
    }
    if (word(&row->pid) == child) {
        ended = is_replaced(o, slot);
    } else {
        ended = r->serial == 0 && !meet(o, row, r);
        if (!ended && has_ended(r)) {
            ended = true;
            asy_os_process_end(r->fd, r->pid, &exited, &status);
        }
        ended = ended || is_replaced(o, slot);
    }
    if (!ended) {
        return ASY_OK;
    }
    st = asy_harvest_row_died(o->harvest, slot, asy_clock_ticks(o->clock), exited, status);
    forget(o, r);
    return st;
}

asy_status
asy_others_look(asy_others *o, uint64_t child)
{
    uint64_t claims =
        word(&o->arena->head->next_proc) - 1; // the lowest free row each time: no row beyond was ever claimed
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < ASY_PROC_MAX && i < claims; i++) {
        uint64_t state = __atomic_load_n(&o->arena->procs[i].state, __ATOMIC_ACQUIRE);
        bool known = state != ASY_PROC_FREE && word(&o->arena->procs[i].pid) != 0; // else it is just being claimed
        asy_status its;

        o->top = i < o->top ? o->top : i + 1;
        its = known ? look(o, child, i) : ASY_OK;
        st = st == ASY_OK ? its : st;
    }
    return st;
}

int
asy_others_fds(const asy_others *o, int *fds, int room)
{
    int n = 0;

    for (uint32_t i = 0; i < o->top && n < room; i++) {
        if (o->rows[i].serial != 0 && o->rows[i].fd >= 0) {
            fds[n++] = o->rows[i].fd;
        }
    }
    return n;
}
