// measure.c: make the arena, harvest it, end the recording.
#include "cli/measure.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/clock.h"
#include "harvest/harvest.h"
#include "os/os.h"
#include "preload/session.h"

#define SECOND_NS 1000000000ull
#define POLL_NS (SECOND_NS / 20)
#define WRITE_FIRST_NS (SECOND_NS / 8) // soon: the disk may be full a moment later
#define WRITE_MAX_NS (30 * SECOND_NS)
#define CPU_GAP_NS 20000u // a thread's CPU clock costs 540 ns, so that shorter gaps do not ask it
#define ARENA_LEAST_BYTES (2u * 1024 * 1024)
#define OTHERS_MAX 64
#define OLDEST_MINOR 11
#define NEWEST_MINOR 15

typedef struct {
    uint64_t pid;
    uint64_t start_time; // as we see it: in a time namespace of its own the process sees another one
    int fd;
    bool dead;
} other;

struct asy_measure {
    asy_arena arena;
    asy_writer *writer;   // owned
    asy_harvest *harvest; // owned
    asy_clock_pair begin;
    asy_clock_kind clock;
    uint64_t nonce, next_poll_ns, next_write_ns, write_gap_ns;
    int arena_fd;
    bool attached;
    bool whole;        // the recording has its end, be it in memory
    bool saved;        // the file has counts
    asy_status status; // the first failure to take over a process that had ended
    int other_count;
    other others[OTHERS_MAX]; // alive when last looked at
    struct {
        uint64_t pid, start_time;
    } met[ASY_PROC_MAX]; // by row
    char unmeasured[200];
};

// How many ticks CPU_GAP_NS are, roughly: from the time that making the arena took.
static uint64_t
gap_ticks(const asy_measure *m, asy_clock_pair now)
{
    uint64_t ns = now.ns - m->begin.ns;

    return ns > 0 ? (now.ticks - m->begin.ticks) * CPU_GAP_NS / ns : CPU_GAP_NS;
}

static void
arena_drop(asy_measure *m)
{
    if (m->arena_fd >= 0) {
        close(m->arena_fd);
        m->arena_fd = -1;
    }
}

// *made_bytes: the size that was tried.
static asy_status
arena_try(asy_measure *m, uint64_t bytes, uint64_t least, uint64_t *made_bytes)
{
    void *base;
    asy_status st = asy_os_shared_make(bytes, least, &m->arena_fd, made_bytes);

    if (st != ASY_OK) {
        return st;
    }
    base = mmap(NULL, sizeof(asy_arena_head), PROT_READ | PROT_WRITE, MAP_SHARED, m->arena_fd, 0);
    if (base == MAP_FAILED) {
        return ASY_ENOMEM;
    }
    st = asy_arena_format(base, *made_bytes, m->nonce);
    munmap(base, sizeof(asy_arena_head));
    return st == ASY_OK ? asy_arena_attach(&m->arena, m->arena_fd, m->nonce) : st;
}

// Smaller than asked for where a limit demands it, but not so small that it would be full at once.
static asy_status
arena_make(asy_measure *m, const asy_measure_plan *plan)
{
    uint64_t bytes = plan->arena_bytes;
    uint64_t least = bytes < ARENA_LEAST_BYTES ? bytes : ARENA_LEAST_BYTES;
    asy_status st = asy_os_random(&m->nonce);

    if (st != ASY_OK) {
        return st;
    }
    do {
        arena_drop(m);
        st = arena_try(m, bytes, least, &bytes);
        bytes /= 2;
    } while (st == ASY_ENOMEM && bytes >= least);
    if (st == ASY_OK) {
        m->attached = true;
        m->arena.head->clock = (uint32_t)m->clock;
        m->arena.head->options = plan->options;
        m->arena.head->node_max = (uint64_t)ASY_NODE_PARTS * ASY_NODE_PART;
    }
    return st;
}

static const char *
problem_text(const asy_measure *m, asy_status st)
{
    struct rlimit space;

    if (st == ASY_ENOSPC && !m->attached) {
        return "the limit on the size of files (ulimit -f) leaves no room for the counts: 2 MiB are needed";
    }
    if (st == ASY_ENOMEM && getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
        return "the limit on memory (ulimit -v) leaves no room for us";
    }
    return asy_status_text(st);
}

asy_status
asy_measure_new(const asy_measure_plan *plan, int out_fd, const asy_write_session *session, asy_measure **out,
                const char **problem)
{
    asy_measure *m = calloc(1, sizeof *m);
    asy_status st;

    *out = NULL;
    *problem = asy_status_text(ASY_ENOMEM);
    if (m == NULL) {
        return ASY_ENOMEM;
    }
    m->arena_fd = -1;
    m->clock = asy_clock_choose();
    m->begin = asy_clock_take_pair(m->clock);
    m->write_gap_ns = WRITE_FIRST_NS;
    m->next_write_ns = m->begin.ns + WRITE_FIRST_NS;
    st = arena_make(m, plan);
    if (st == ASY_OK) {
        st = asy_writer_new(out_fd, &m->writer);
    }
    if (st == ASY_OK) {
        st = asy_write_session_begin(m->writer, session);
    }
    if (st == ASY_OK) {
        st = asy_writer_flush(m->writer); // killed from here on, we leave what can be read
    }
    if (st == ASY_OK) {
        asy_writer_outlive(m->writer); // a disk that fills from here on does not cost the summary
        st = asy_harvest_new(&m->arena, m->writer, m->begin, &m->harvest);
    }
    if (st != ASY_OK) {
        *problem = problem_text(m, st);
        asy_measure_free(m);
        return st;
    }
    m->arena.head->cpu_gap_ticks = gap_ticks(m, asy_clock_take_pair(m->clock));
    *out = m;
    return ASY_OK;
}

void
asy_measure_free(asy_measure *m)
{
    if (m == NULL) {
        return;
    }
    asy_harvest_free(m->harvest);
    asy_writer_free(m->writer);
    if (m->attached) {
        asy_arena_detach(&m->arena);
    }
    for (int i = 0; i < m->other_count; i++) {
        if (m->others[i].fd >= 0) {
            close(m->others[i].fd);
        }
    }
    arena_drop(m);
    free(m);
}

void
asy_measure_session_value(const asy_measure *m, char *text, size_t size)
{
    snprintf(text, size, "%ld:%d:%016llx:" ASY_SESSION_TAKE, (long)getpid(), m->arena_fd, (unsigned long long)m->nonce);
}

// All that the writer was given up to the last flush.
static bool
is_in_file(const asy_measure *m)
{
    return asy_writer_status(m->writer) == ASY_OK && asy_writer_file_status(m->writer) == ASY_OK;
}

void
asy_measure_poll(asy_measure *m)
{
    asy_clock_pair now = asy_clock_take_pair(m->clock);
    bool write = now.ns >= m->next_write_ns && asy_writer_file_status(m->writer) == ASY_OK; // in memory it helps nobody

    if (now.ns < m->next_poll_ns) {
        return;
    }
    m->next_poll_ns = now.ns + POLL_NS;
    // A failure sticks in the writer and is told at the end.
    asy_harvest_poll(m->harvest, now, write);
    if (write) {
        m->saved = m->saved || is_in_file(m);
        m->write_gap_ns = m->write_gap_ns * 2 < WRITE_MAX_NS ? m->write_gap_ns * 2 : WRITE_MAX_NS;
        m->next_write_ns = now.ns + m->write_gap_ns;
    }
}

// ---- processes that are not our child ----

static void
others_drop_dead(asy_measure *m)
{
    int kept = 0;

    for (int i = 0; i < m->other_count; i++) {
        if (!m->others[i].dead) {
            m->others[kept++] = m->others[i];
        } else if (m->others[i].fd >= 0) {
            close(m->others[i].fd);
        }
    }
    m->other_count = kept;
}

static void
take_dead(asy_measure *m, uint64_t pid, int exited, int status)
{
    asy_status st = asy_harvest_process_died(m->harvest, pid, asy_clock_ticks(m->clock), exited, status);

    m->status = m->status == ASY_OK ? st : m->status;
}

static bool
has_ended(const other *o)
{
    struct pollfd p = {.fd = o->fd, .events = POLLIN};

    return o->fd >= 0 ? poll(&p, 1, 0) == 1 : asy_os_process_start(o->pid) != o->start_time;
}

static void
others_bury(asy_measure *m)
{
    for (int i = 0; i < m->other_count; i++) {
        other *o = &m->others[i];

        if (has_ended(o)) {
            o->dead = true;
            take_dead(m, o->pid, 0, 0);
        }
    }
    others_drop_dead(m);
}

// Rows of processes that we have not met yet. What has ended already was too short to be watched. In doubt one is alive: memory
// must not be taken from under it.
static void
others_find(asy_measure *m, uint64_t child)
{
    for (uint32_t i = 0; i < ASY_PROC_MAX && m->other_count < OTHERS_MAX; i++) {
        const asy_proc *row = &m->arena.procs[i];
        uint64_t start_time;
        other o = {.fd = -1};

        if (__atomic_load_n(&row->state, __ATOMIC_ACQUIRE) != ASY_PROC_LIVE) {
            continue;
        }
        o.pid = __atomic_load_n(&row->pid, __ATOMIC_RELAXED);
        start_time = __atomic_load_n(&row->start_time, __ATOMIC_RELAXED);
        if (o.pid == child || (m->met[i].pid == o.pid && m->met[i].start_time == start_time)) {
            continue;
        }
        m->met[i].pid = o.pid;
        m->met[i].start_time = start_time;
        o.fd = asy_os_process_watch(o.pid);
        o.start_time = asy_os_process_start(o.pid);
        if (o.start_time == 0) {
            if (o.fd >= 0) {
                close(o.fd);
            }
            take_dead(m, o.pid, 0, 0);
            continue;
        }
        m->others[m->other_count++] = o;
    }
}

int
asy_measure_others(asy_measure *m, uint64_t child, int *fds, int room)
{
    int n = 0;

    others_bury(m);
    others_find(m, child);
    for (int i = 0; i < m->other_count && n < room; i++) {
        if (m->others[i].fd >= 0) {
            fds[n++] = m->others[i].fd;
        }
    }
    return n;
}

void
asy_measure_child_died(asy_measure *m, uint64_t pid, int exited, int status)
{
    take_dead(m, pid, exited, status);
}

// ---- the end ----

static bool
is_supported(unsigned major, unsigned minor)
{
    return major == 3 && minor >= OLDEST_MINOR && minor <= NEWEST_MINOR;
}

// Why the last Python that the preload gave up on was not measured.
static void
refusal_text(const asy_arena_head *head, char *text, size_t size)
{
    uint64_t version = __atomic_load_n(&head->refused_version, __ATOMIC_RELAXED);
    uint64_t why = __atomic_load_n(&head->refused_why, __ATOMIC_RELAXED);
    unsigned major = (unsigned)(version >> 24) & 255, minor = (unsigned)(version >> 16) & 255;
    const char *threaded = (version & ASY_REFUSED_THREADED) != 0 ? "t" : "";

    if ((why & 255) == ASY_REFUSED_START) {
        snprintf(text, size, "the agent could not begin (%s)", asy_status_text((asy_status)(why >> 8 & 255)));
    } else if ((why & 255) == ASY_REFUSED_LOAD) {
        snprintf(text, size, "the agent for Python %u.%u%s does not load", major, minor, threaded);
    } else if (is_supported(major, minor)) {
        snprintf(text, size, "this assay was not built for Python %u.%u%s", major, minor, threaded);
    } else {
        snprintf(text, size, "Python %u.%u is not supported (3.%d to 3.%d are)", major, minor, OLDEST_MINOR,
                 NEWEST_MINOR);
    }
}

static void
explain(asy_measure *m, const asy_arena_head *head, bool measured)
{
    uint64_t refused = __atomic_load_n(&head->refused, __ATOMIC_ACQUIRE);
    char why[120];

    refusal_text(head, why, sizeof why);
    if (refused == 0) {
        snprintf(m->unmeasured, sizeof m->unmeasured, "%s",
                 measured ? ""
                          : "no CPython 3.11 to 3.15 reached us (none was started, or as another user or in a "
                            "container): ran unprofiled");
    } else if (!measured) {
        snprintf(m->unmeasured, sizeof m->unmeasured, "%s: ran unprofiled", why);
    } else {
        snprintf(m->unmeasured, sizeof m->unmeasured, "%llu more Python%s ran unprofiled: %s",
                 (unsigned long long)refused, refused > 1 ? "s" : "", why);
    }
}

asy_status
asy_measure_finish(asy_measure *m, asy_measured *measured)
{
    asy_arena_head *head = m->arena.head;
    asy_harvest_totals totals;
    asy_clock_pair now;
    asy_status st;

    __atomic_store_n(&head->stop, 1, __ATOMIC_RELEASE); // what outlives us measures for nobody
    now = asy_clock_take_pair(m->clock);
    others_find(m, 0); // also those that lived too short for the loop to see them
    others_bury(m);
    st = asy_harvest_finish(m->harvest, now);
    st = st == ASY_OK ? m->status : st;
    totals = asy_harvest_count(m->harvest);
    *measured = totals.programs > 0         ? ASY_MEASURED_PROGRAM
                : totals.processes_seen > 0 ? ASY_MEASURED_START
                                            : ASY_MEASURED_NOTHING;
    explain(m, head, totals.processes_seen > 0);
    if (m->unmeasured[0] != '\0') {
        asy_write_note(m->writer, m->unmeasured);
    }
    if (st == ASY_OK) {
        st = asy_write_session_end(m->writer, now.ns - m->begin.ns);
    }
    st = st == ASY_OK ? asy_writer_status(m->writer) : st;
    m->whole = st == ASY_OK;
    m->saved = m->saved || is_in_file(m);
    return m->whole ? asy_writer_file_status(m->writer) : st;
}

bool
asy_measure_saved(const asy_measure *m)
{
    return m->saved;
}

const void *
asy_measure_bytes(const asy_measure *m, size_t *len)
{
    *len = 0;
    return m->whole && asy_writer_file_status(m->writer) != ASY_OK ? asy_writer_bytes(m->writer, len) : NULL;
}

const char *
asy_measure_unmeasured(const asy_measure *m)
{
    return m->unmeasured;
}
