// harvest_bench.c: how long a poll, a checkpoint and a harvest of a million nodes take, with the real writer. `meson test --benchmark`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "harvest/harvest.h"
#include "mimic.h"

#define THREADS 1000

static double
ms_since(uint64_t from)
{
    return (double)(asy_clock_ns() - from) / 1e6;
}

static asy_clock_pair
now_pair(void)
{
    return asy_clock_take_pair(ASY_CLOCK_NS);
}

// A tree of `nodes` nodes: 1,000 functions below each of their callers.
static void
grow_tree(mimic *m, uint32_t nodes)
{
    static uint32_t funcs[1000];
    char name[32];
    uint64_t depth = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "function_%u", i);
        funcs[i] = mimic_func(m, ASY_NODE_PY, name, "/srv/app/module.py", i);
    }
    for (uint32_t top = 0; m->tree.thread->node_count < nodes; top++) {
        mimic_call(m, funcs[top % 1000], ASY_NODE_PY, ++depth, asy_clock_ns());
        for (uint32_t i = 0; i < 1000 && m->tree.thread->node_count < nodes; i++) {
            mimic_call(m, funcs[i], ASY_NODE_PY, 1u << 30, asy_clock_ns());
            mimic_return(m, 1u << 30, asy_clock_ns());
        }
    }
}

static int
million_nodes(void)
{
    static asy_arena agent, program;
    static mimic m;
    int fd = mimic_file(1200);
    asy_writer *w = NULL;
    asy_harvest *h = NULL;
    uint64_t from;
    double first, again, last, end;
    size_t bytes;

    if (fd < 0 || asy_arena_attach(&agent, fd, MIMIC_NONCE) != ASY_OK ||
        asy_arena_attach(&program, fd, MIMIC_NONCE) != ASY_OK || asy_writer_new(-1, &w) != ASY_OK ||
        asy_harvest_new(&program, w, now_pair(), &h) != ASY_OK) {
        return 1;
    }
    if (!mimic_begin(&m, &agent, mimic_process(&agent, 5, asy_clock_ns()), 1, "MainThread", UINT64_MAX,
                     asy_clock_ns())) {
        return 1;
    }
    grow_tree(&m, 1000000);
    asy_harvest_poll(h, now_pair(), false);
    from = asy_clock_ns();
    asy_harvest_poll(h, now_pair(), true);
    first = ms_since(from);
    from = asy_clock_ns();
    asy_harvest_poll(h, now_pair(), true);
    again = ms_since(from);
    mimic_end(&m, asy_clock_ns());
    from = asy_clock_ns();
    asy_harvest_finish(h, now_pair());
    last = ms_since(from);
    from = asy_clock_ns();
    asy_write_session_end(w, 1);
    end = ms_since(from);
    asy_writer_bytes(w, &bytes);
    printf(
        "%llu nodes: first checkpoint %.0f ms, an unchanged one %.1f ms, the end %.0f + %.0f ms, recording %.1f MB\n",
        (unsigned long long)asy_harvest_count(h).nodes, first, again, last, end, (double)bytes / 1e6);
    asy_harvest_free(h);
    asy_writer_free(w);
    return 0;
}

static int
idle_arena(void)
{
    static asy_arena agent, program;
    static mimic m[THREADS];
    int fd = mimic_file(THREADS + 8);
    asy_writer *w = NULL;
    asy_harvest *h = NULL;
    uint32_t proc;
    uint64_t from;
    double idle;

    if (fd < 0 || asy_arena_attach(&agent, fd, MIMIC_NONCE) != ASY_OK ||
        asy_arena_attach(&program, fd, MIMIC_NONCE) != ASY_OK || asy_writer_new(-1, &w) != ASY_OK ||
        asy_harvest_new(&program, w, now_pair(), &h) != ASY_OK) {
        return 1;
    }
    proc = mimic_process(&agent, 5, asy_clock_ns());
    for (int i = 0; i < THREADS; i++) {
        if (!mimic_begin(&m[i], &agent, proc, 1, "worker", UINT64_MAX, asy_clock_ns())) {
            return 1;
        }
    }
    asy_harvest_poll(h, now_pair(), true);
    asy_harvest_poll(h, now_pair(), true);
    from = asy_clock_ns();
    for (int i = 0; i < 1000; i++) {
        asy_harvest_poll(h, now_pair(), false);
    }
    idle = ms_since(from);
    from = asy_clock_ns();
    asy_harvest_poll(h, now_pair(), true);
    printf("%d idle threads: a poll %.3f ms, a checkpoint %.3f ms\n", THREADS, idle / 1000, ms_since(from));
    asy_harvest_free(h);
    asy_writer_free(w);
    return 0;
}

int
main(void)
{
    return idle_arena() + million_nodes();
}
