// measure.c: make the arena, harvest it, end the recording.
#include "cli/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/others.h"
#include "cli/refusals.h"
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
    asy_others others;
    char unmeasured[ASY_REFUSAL_TEXT];
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
    asy_others_begin(&m->others, &m->arena, m->harvest, m->clock, m->begin);
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
    asy_others_free(&m->others);
    arena_drop(m);
    free(m);
}

void
asy_measure_session_value(const asy_measure *m, char *text, size_t size)
{
    snprintf(text, size, "%ld:%d:%016llx", (long)getpid(), m->arena_fd, (unsigned long long)m->nonce);
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
others_look(asy_measure *m, uint64_t child)
{
    asy_status st = asy_others_look(&m->others, child);

    m->status = m->status == ASY_OK ? st : m->status;
}

int
asy_measure_others(asy_measure *m, uint64_t child, int *fds, int room)
{
    others_look(m, child);
    return asy_others_fds(&m->others, fds, room);
}

void
asy_measure_child_died(asy_measure *m, uint64_t pid, int exited, int status)
{
    asy_status st = asy_harvest_process_died(m->harvest, pid, asy_clock_ticks(m->clock), exited, status);

    m->status = m->status == ASY_OK ? st : m->status;
}

// ---- the end ----

// What ran unprofiled: a sentence for whoever started it where nothing else was measured, else remarks of the recording.
static void
explain(asy_measure *m, bool measured)
{
    const asy_refusal *rows = m->arena.head->refusals;
    char note[ASY_REFUSAL_TEXT];
    uint32_t count = 0;

    for (uint32_t i = 0; i < ASY_REFUSALS; i++) {
        if (!asy_refusal_note(&rows[i], measured, note, sizeof note)) {
            continue;
        }
        count++;
        asy_write_note(m->writer, note);
        if (!measured && count == 1) {
            memcpy(m->unmeasured, note, sizeof m->unmeasured);
        }
    }
    if (!measured && count == 0) {
        snprintf(m->unmeasured, sizeof m->unmeasured,
                 "no CPython 3.11 to 3.15 reached us (none was started, or as another user or in a container): ran "
                 "unprofiled");
        asy_write_note(m->writer, m->unmeasured);
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
    others_look(m, 0);                                  // also those that lived too short for the loop to see them
    now = asy_clock_take_pair(m->clock);
    st = asy_harvest_finish(m->harvest, now);
    st = st == ASY_OK ? m->status : st;
    totals = asy_harvest_count(m->harvest);
    *measured = totals.programs > 0         ? ASY_MEASURED_PROGRAM
                : totals.processes_seen > 0 ? ASY_MEASURED_START
                                            : ASY_MEASURED_NOTHING;
    explain(m, totals.processes_seen > 0);
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
