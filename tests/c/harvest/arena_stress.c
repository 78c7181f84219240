// arena_stress.c: many processes and threads write an arena, die at random, and one harvester reads it.
//   arena_stress [--long] [--seed N] [PHASE …]      PHASE: threads storm churn full
// Each writer counts its calls in a page of its own beside the arena; at the end the two must agree, within the one call that was
// in flight for each thread that was killed. Prints the seed; exits 1 at the first broken invariant.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "fake_writer.h"
#include "harvest/harvest.h"
#include "mimic.h"

#define WRITERS 8
#define FUNCS 64u
#define ROWS_MAX 300000u
#define PIDS_MAX 2048u
#define CHUNKS_MAX 8192u

// What one writing thread says of itself.
typedef struct {
    uint64_t pid, calls, ended;
} tally;

typedef struct {
    uint64_t doubles; // chunks owned twice
    uint64_t row_count;
    uint64_t pid_count;
    uint64_t harvested;      // threads, for flow control
    uint64_t pids[PIDS_MAX]; // processes that write, in the order of their start
    uint64_t ledger[CHUNKS_MAX];
    tally rows[ROWS_MAX];
} board;

// One process that writes: what its threads share.
typedef struct {
    asy_arena *arena;
    uint32_t proc;
    uint64_t seed;
    uint64_t events;       // calls of each thread
    uint64_t pace;         // threads that may be ahead of the harvester: the bound on memory, whoever is slow; 0 = any
    uint32_t generations;  // short threads that each writer becomes, one after the other
    uint32_t funcs[FUNCS]; // 0 = not defined, UINT32_MAX = somebody is at it
} writer;

typedef struct {
    int fd;
    uint64_t chunks;
    asy_arena arena;
    asy_writer *writer;
    asy_harvest *harvest;
    uint64_t polls, write_every;
    uint64_t calls;
    bool checked[ASY_PROC_MAX];
    uint64_t owner[CHUNKS_MAX], nodes[CHUNKS_MAX]; // what the checker saw last
} reader;

static board *shared;
static uint64_t seed = 1;
static const char *phase = "";

// An invariant does not hold: say which, and end.
#define broken(...) (fprintf(stderr, __VA_ARGS__), stop())

static _Noreturn void
stop(void)
{
    fprintf(stderr, "\narena_stress: broken in %s, seed %llu\n", phase, (unsigned long long)seed);
    exit(1);
}

static uint64_t
dice(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// ---- writing ----

// A function all threads of the process use; its name is in the log before anybody gets its id.
static uint32_t
func_at(writer *w, mimic *m, uint32_t i)
{
    uint32_t id = __atomic_load_n(&w->funcs[i], __ATOMIC_ACQUIRE);
    uint32_t none = 0;
    char name[32];

    if (id != 0 && id != UINT32_MAX) {
        return id;
    }
    if (id == UINT32_MAX ||
        !__atomic_compare_exchange_n(&w->funcs[i], &none, UINT32_MAX, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return 0;
    }
    snprintf(name, sizeof(name), "f%u", i);
    id = mimic_func(m, ASY_NODE_PY, name, "a_file_with_a_rather_long_name_to_fill_the_log.py", i);
    __atomic_store_n(&w->funcs[i], id, __ATOMIC_RELEASE);
    return id;
}

static void
write_calls(writer *w, mimic *m, tally *row, uint64_t *state)
{
    uint64_t depth = 0;

    for (uint64_t n = 0; n < w->events; n++) {
        uint64_t roll = dice(state);
        uint32_t func;

        if (depth > 0 && (roll & 7) < (depth > 30 ? 6 : 3)) {
            mimic_return(m, depth--, asy_clock_ns());
            continue;
        }
        func = func_at(w, m, (uint32_t)(roll >> 8) % FUNCS);
        if (func != 0) {
            mimic_call(m, func, ASY_NODE_PY, ++depth, asy_clock_ns());
            __atomic_store_n(&row->calls, row->calls + 1, __ATOMIC_RELEASE);
        }
    }
    while (depth > 0) {
        mimic_return(m, depth--, asy_clock_ns());
    }
}

static void *
write_threads(void *arg)
{
    writer *w = arg;
    uint64_t state = w->seed ^ (uint64_t)(uintptr_t)&state;
    mimic *m = malloc(sizeof(*m));

    for (uint32_t g = 0; m != NULL && g < w->generations; g++) {
        uint64_t i;

        while (w->pace != 0 && __atomic_load_n(&shared->row_count, __ATOMIC_ACQUIRE) >=
                                   __atomic_load_n(&shared->harvested, __ATOMIC_ACQUIRE) + w->pace) {
            usleep(100);
        }
        if (!mimic_begin(m, w->arena, w->proc, (uint64_t)gettid(), "writer-1", UINT64_MAX, asy_clock_ns())) {
            continue; // counted as a loss
        }
        i = __atomic_fetch_add(&shared->row_count, 1, __ATOMIC_RELAXED);
        shared->rows[i % ROWS_MAX].pid = (uint64_t)getpid();
        write_calls(w, m, &shared->rows[i % ROWS_MAX], &state);
        mimic_end(m, asy_clock_ns());
        shared->rows[i % ROWS_MAX].ended = 1;
    }
    free(m);
    return NULL;
}

static uint32_t
start_writers(writer *w, pthread_t threads[WRITERS])
{
    uint32_t n = 0;
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    while (n < WRITERS && pthread_create(&threads[n], &small, write_threads, w) == 0) {
        n++;
    }
    pthread_attr_destroy(&small);
    return n;
}

static void
limit(int which, uint64_t more)
{
    struct rlimit r;
    char text[64] = {0};
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        pages = fgets(text, sizeof(text), f) != NULL ? strtoul(text, NULL, 10) : 0;
        fclose(f);
    }
    r.rlim_cur = r.rlim_max = which == RLIMIT_AS ? pages * (unsigned long)sysconf(_SC_PAGESIZE) + more : more;
#if !defined(__SANITIZE_ADDRESS__) // which needs the space itself
    setrlimit((__rlimit_resource_t)which, &r);
#endif
}

static void storm_writer(int fd, uint64_t its_seed, uint32_t forks, uint64_t events);

// A process of its own, whose parent dies at once: so the harvester is told of its death.
static void
fork_writer(int fd, uint64_t its_seed, uint32_t forks, uint64_t events)
{
    pid_t middle = fork();

    if (middle == 0) {
        if (fork() == 0) {
            storm_writer(fd, its_seed, forks, events);
        }
        _exit(0);
    }
    if (middle > 0) {
        while (waitpid(middle, NULL, 0) < 0) {
        }
    }
}

// A process that measures: never returns.
static void
storm_writer(int fd, uint64_t its_seed, uint32_t forks, uint64_t events)
{
    static writer w; // new in each process: a child begins with its own
    static asy_arena arena;
    uint64_t state = its_seed | 1;
    uint64_t lot = dice(&state) % 6;
    uint64_t place = __atomic_fetch_add(&shared->pid_count, 1, __ATOMIC_RELAXED);
    pthread_t threads[WRITERS];
    uint32_t n;

    __atomic_store_n(&shared->pids[place % PIDS_MAX], (uint64_t)getpid(), __ATOMIC_RELEASE);
    memset(&w, 0, sizeof(w));
    w.arena = &arena;
    if (lot == 0) {
        limit(RLIMIT_AS, 24 << 20);
    }
    if (lot == 1) {
        limit(RLIMIT_FSIZE, 4096);
    }
    if (asy_arena_attach(&arena, fd, MIMIC_NONCE) != ASY_OK) {
        _exit(3);
    }
    if (lot == 2) {
        limit(RLIMIT_AS, 16 << 20);
    }
    w.seed = dice(&state);
    w.events = events;
    w.generations = 4;
    w.proc = mimic_process(w.arena, (uint64_t)getpid(), asy_clock_ns());
    if (w.proc == ASY_PROC_MAX) {
        asy_arena_lose(&arena, UINT32_MAX, ASY_LOSS_FORKS, 1);
        _exit(4);
    }
    n = start_writers(&w, threads);
    for (uint32_t i = 0; i < forks; i++) {
        pid_t plain = fork(); // one that never claims anything

        if (plain == 0) {
            _exit(0);
        }
        if (plain > 0) {
            waitpid(plain, NULL, 0);
        }
        fork_writer(fd, dice(&state), 0, events);
    }
    while (n > 0) {
        pthread_join(threads[--n], NULL);
    }
    _exit(0);
}

// ---- reading ----

static asy_clock_pair
now_pair(void)
{
    return asy_clock_take_pair(ASY_CLOCK_NS);
}

static void
reader_begin(reader *r, uint64_t chunks)
{
    memset(r, 0, sizeof(*r));
    memset(shared, 0, sizeof(*shared));
    r->chunks = chunks;
    r->write_every = 8;
    r->fd = mimic_file(chunks);
    r->writer = fake_writer_new();
    if (r->fd < 0 || asy_arena_attach(&r->arena, r->fd, MIMIC_NONCE) != ASY_OK ||
        asy_harvest_new(&r->arena, r->writer, now_pair(), &r->harvest) != ASY_OK) {
        broken("no arena");
    }
}

static void
reader_end(reader *r)
{
    asy_harvest_free(r->harvest);
    fake_writer_free(r->writer);
    asy_arena_detach(&r->arena);
    close(r->fd);
}

// Slots and thread numbers are used again; the serial of a row's use is not.
static uint64_t
owner_of(const reader *r, uint64_t state)
{
    uint32_t slot = (uint32_t)(state >> 8) & 0xffff;
    uint64_t serial = slot < ASY_PROC_MAX ? __atomic_load_n(&r->arena.procs[slot].serial, __ATOMIC_ACQUIRE) : 0;

    return state >> 8 ^ serial << 40;
}

// Between polls: rows are in a known state, and the counts of one owner never shrink.
static void
check_directory(reader *r)
{
    for (uint32_t i = 0; i < r->chunks; i++) {
        uint64_t state = __atomic_load_n(&r->arena.chunks[i].state, __ATOMIC_ACQUIRE);
        uint32_t kind = __atomic_load_n(&r->arena.chunks[i].kind, __ATOMIC_ACQUIRE);
        const asy_thread *page;
        uint64_t nodes;

        if ((state & 0xff) > ASY_CHUNK_ENDED || kind > ASY_KIND_SYMS) {
            broken("chunk %u in state %llx, kind %u", i, (unsigned long long)state, kind);
        }
        if ((state & 0xff) == ASY_CHUNK_FREE || kind != ASY_KIND_THREAD) {
            r->owner[i] = 0;
            continue;
        }
        page = asy_arena_data(&r->arena, i);
        nodes = page == NULL ? 0 : __atomic_load_n(&page->node_count, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&r->arena.chunks[i].state, __ATOMIC_ACQUIRE) >> 8 != state >> 8) {
            continue;
        }
        if (r->owner[i] == owner_of(r, state) && nodes < r->nodes[i]) {
            broken("chunk %u went from %llu nodes to %llu", i, (unsigned long long)r->nodes[i],
                   (unsigned long long)nodes);
        }
        r->owner[i] = owner_of(r, state);
        r->nodes[i] = nodes;
    }
    if (shared->doubles != 0) {
        broken("%llu chunks owned twice", (unsigned long long)shared->doubles);
    }
}

static void
look(reader *r)
{
    asy_status st = asy_harvest_poll(r->harvest, now_pair(), r->polls++ % r->write_every == 0);

    if (st != ASY_OK) {
        broken("poll: %s", asy_status_text(st));
    }
    check_directory(r);
    __atomic_store_n(&shared->harvested,
                     asy_harvest_count(r->harvest).threads_seen - asy_harvest_count(r->harvest).threads_live,
                     __ATOMIC_RELEASE);
}

static void check_process(reader *r, uint32_t p);

// Its chunks are nobody's now.
static void
bury(reader *r, uint64_t pid, int status)
{
    for (uint32_t i = 0; i < r->chunks; i++) {
        if (shared->ledger[i] >> 32 == pid) {
            __atomic_store_n(&shared->ledger[i], 0, __ATOMIC_RELEASE);
        }
    }
    if (asy_harvest_process_died(r->harvest, pid, asy_clock_ns(), WIFSIGNALED(status) ? 2 : 1,
                                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)) != ASY_OK) {
        broken("the death of %llu", (unsigned long long)pid);
    }
    for (uint32_t p = 0; p < r->writer->process_count; p++) {
        if (r->writer->processes[p].pid == pid) {
            check_process(r, p);
        }
    }
}

static uint64_t
loss(const asy_writer *w, int which)
{
    uint64_t n = w->losses[which];

    for (uint32_t i = 0; i < w->process_count; i++) {
        n += w->processes[i].losses[which];
    }
    return n;
}

// What the recording says of a process against what its threads said of themselves. Once, when it is dead: then its nodes are
// let go, so that a long storm needs no more memory than a short one.
static void
check_process(reader *r, uint32_t p)
{
    asy_writer *w = r->writer;
    uint64_t counted = 0, written = 0, killed = 0;

    if (r->checked[p]) {
        return;
    }
    r->checked[p] = true;
    for (uint64_t i = 0; i < shared->row_count; i++) {
        if (shared->rows[i].pid == w->processes[p].pid) {
            counted += shared->rows[i].calls;
            killed += !shared->rows[i].ended;
            shared->rows[i].pid = 0; // a long storm uses pids again
        }
    }
    for (uint32_t t = 0; t < w->thread_count; t++) {
        fake_thread *th = &w->threads[t];
        uint64_t self = 0;

        if (th->row.process != p) {
            continue;
        }
        for (uint32_t n = 0; n < th->node_count; n++) {
            written += th->nodes[n].counts.calls;
            self += th->nodes[n].counts.self_ns;
        }
        if (th->row.ended && th->row.merged == 1 && self != th->row.end_ns - th->row.start_ns) {
            broken("a thread of %llu ns has %llu ns", (unsigned long long)(th->row.end_ns - th->row.start_ns),
                   (unsigned long long)self);
        }
        free(th->nodes);
        th->nodes = NULL;
        th->node_count = th->node_room = 0;
    }
    if (written < counted || written > counted + killed) {
        broken("process %u: %llu calls written, %llu counted, %llu threads killed", p, (unsigned long long)written,
               (unsigned long long)counted, (unsigned long long)killed);
    }
    r->calls += written;
}

static void
check_totals(reader *r)
{
    const asy_writer *w = r->writer;

    if (w->problem[0] != '\0') {
        broken("%s", w->problem);
    }
    if (loss(w, ASY_LOSS_SYMBOLS) != 0 || loss(w, ASY_LOSS_RESYNCS) != 0 || loss(w, ASY_LOSS_UNMATCHED) != 0) {
        broken("symbols %llu, resyncs %llu, unmatched %llu", (unsigned long long)loss(w, ASY_LOSS_SYMBOLS),
               (unsigned long long)loss(w, ASY_LOSS_RESYNCS), (unsigned long long)loss(w, ASY_LOSS_UNMATCHED));
    }
    for (uint32_t p = 0; p < w->process_count; p++) {
        check_process(r, p);
    }
    printf("  %s: %u processes, %llu threads, %llu calls, %llu polls; refused chunks %llu, folds %llu\n", phase,
           w->process_count, (unsigned long long)asy_harvest_count(r->harvest).threads_seen,
           (unsigned long long)r->calls, (unsigned long long)r->polls, (unsigned long long)loss(w, ASY_LOSS_CHUNKS),
           (unsigned long long)loss(w, ASY_LOSS_FOLDS));
}

static void
check_empty(const reader *r)
{
    for (uint32_t i = 0; i < r->chunks; i++) {
        if ((r->arena.chunks[i].state & 0xff) != ASY_CHUNK_FREE) {
            broken("chunk %u was not freed", i);
        }
    }
}

static void
finish(reader *r)
{
    if (asy_harvest_finish(r->harvest, now_pair()) != ASY_OK) {
        broken("finish");
    }
    check_directory(r);
    check_totals(r);
    check_empty(r);
}

// ---- phases ----

// Writers and harvester in one process: what a thread sanitizer can see.
static void
threads_phase(bool longer)
{
    static reader r;
    static writer w;
    pthread_t threads[WRITERS];
    uint32_t n;

    reader_begin(&r, 512);
    r.write_every = 1;
    memset(&w, 0, sizeof(w));
    w.arena = &r.arena; // one mapping for both: a sanitizer compares addresses
    w.seed = seed;
    w.events = 2000;
    w.pace = 32;
    w.generations = longer ? 500 : 50;
    w.proc = mimic_process(w.arena, (uint64_t)getpid(), asy_clock_ns());
    n = start_writers(&w, threads);
    for (uint32_t i = 0; i < n; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0) {
            look(&r);
        }
    }
    finish(&r);
    if (asy_harvest_count(r.harvest).threads_seen != (uint64_t)w.generations * WRITERS) {
        broken("threads are missing");
    }
    reader_end(&r);
}

// Forks and random kills.
static void
storm_phase(bool longer)
{
    static reader r;
    uint64_t state = seed * 2654435761u | 1;
    uint64_t want = longer ? 1000 : 24;
    uint64_t started = 0, alive = 0;

    reader_begin(&r, 4096);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    while (started < want || alive > 0) {
        int status;
        pid_t pid;

        if (started < want && alive < 6) {
            started += 3;
            fork_writer(r.fd, dice(&state), 2, 3000 + dice(&state) % 20000);
        }
        alive = __atomic_load_n(&shared->pid_count, __ATOMIC_ACQUIRE);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            for (uint64_t i = 0; i < alive && i < PIDS_MAX; i++) {
                if (shared->pids[i] == (uint64_t)pid) {
                    shared->pids[i] = 0;
                    bury(&r, (uint64_t)pid, status);
                }
            }
        }
        if (alive > 0 && dice(&state) % 4 == 0) {
            uint64_t victim = shared->pids[dice(&state) % (alive < PIDS_MAX ? alive : PIDS_MAX)];

            if (victim != 0) {
                kill((pid_t)victim, SIGKILL);
            }
        }
        look(&r);
        usleep((useconds_t)(dice(&state) % 1500));
        alive = pid < 0 ? 0 : 1; // no child is left
        if (alive != 0) {
            alive = 0;
            for (uint64_t i = 0; i < shared->pid_count && i < PIDS_MAX; i++) {
                alive += shared->pids[i] != 0;
            }
            alive = alive == 0 ? 1 : alive;
        }
    }
    finish(&r);
    reader_end(&r);
}

// Very many short threads: chunks are used again and again.
static void
churn_writer(int fd, uint64_t count)
{
    static writer w;
    static asy_arena arena;
    pthread_t threads[WRITERS];

    memset(&w, 0, sizeof(w));
    w.arena = &arena;
    if (asy_arena_attach(&arena, fd, MIMIC_NONCE) != ASY_OK) {
        _exit(3);
    }
    w.seed = seed;
    w.events = 10;
    w.pace = 256;
    w.generations = 1;
    w.proc = mimic_process(w.arena, (uint64_t)getpid(), asy_clock_ns());
    for (uint64_t n = 0; n < count; n += WRITERS) {
        uint32_t got = 0;

        while (got < WRITERS && pthread_create(&threads[got], NULL, write_threads, &w) == 0) {
            got++;
        }
        while (got > 0) {
            pthread_join(threads[--got], NULL);
        }
    }
    _exit(0);
}

static void
churn_phase(bool longer)
{
    static reader r;
    uint64_t count = longer ? 100000 : 8000;
    struct stat file;
    pid_t pid;
    int status;

    reader_begin(&r, 4096);
    pid = fork();
    if (pid == 0) {
        churn_writer(r.fd, count);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        look(&r);
        usleep(500);
    }
    look(&r);
    fstat(r.fd, &file);
    bury(&r, (uint64_t)pid, status);
    finish(&r);
    if (status != 0 || asy_harvest_count(r.harvest).threads_seen != count) {
        broken("%llu threads seen, status %x", (unsigned long long)asy_harvest_count(r.harvest).threads_seen,
               (unsigned)status);
    }
    printf("  churn: the file takes %lld KiB, the harvester's thread rows are %u\n", (long long)file.st_blocks / 2,
           r.writer->thread_count);
    if (file.st_blocks / 2 > 320 * 64 + 1024 || loss(r.writer, ASY_LOSS_CHUNKS) != 0) {
        broken("memory grew");
    }
    reader_end(&r);
}

// An arena that is too small: what does not fit is counted, what is counted is right, and it recovers.
static void
full_phase(bool longer)
{
    static reader r;
    static writer w;
    pthread_t threads[WRITERS];
    uint32_t n;

    reader_begin(&r, 12);
    memset(&w, 0, sizeof(w));
    w.arena = &r.arena; // one mapping for both: a sanitizer compares addresses
    w.seed = seed;
    w.events = 30000;
    w.generations = longer ? 40 : 4;
    w.proc = mimic_process(w.arena, (uint64_t)getpid(), asy_clock_ns());
    n = start_writers(&w, threads);
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        look(&r);
    }
    look(&r);
    finish(&r);
    if (loss(r.writer, ASY_LOSS_CHUNKS) == 0 || loss(r.writer, ASY_LOSS_FOLDS) == 0) {
        broken("no loss was counted");
    }
    reader_end(&r);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(bool longer);
        bool forks;
    } phases[] = {
        {"threads", threads_phase, false},
        {"full", full_phase, false},
        {"storm", storm_phase, true},
        {"churn", churn_phase, true},
    };
#if defined(__SANITIZE_THREAD__)
    const bool may_fork = false; // its run time starts no threads after a fork
#else
    const bool may_fork = true;
#endif
    bool longer = false, chosen = false;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        broken("no memory");
    }
    mimic_ledger = shared->ledger;
    mimic_doubles = &shared->doubles;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        longer |= strcmp(argv[i], "--long") == 0;
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10) | 1;
        } else {
            chosen |= argv[i][0] != '-';
        }
    }
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t p = 0; p < sizeof(phases) / sizeof(phases[0]); p++) {
        bool wanted = !chosen && (may_fork || !phases[p].forks);

        for (int i = 1; i < argc; i++) {
            wanted |= strcmp(argv[i], phases[p].name) == 0;
        }
        if (wanted) {
            phase = phases[p].name;
            phases[p].run(longer);
        }
    }
    return 0;
}
