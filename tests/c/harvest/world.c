// world.c: see world.h.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

asy_clock_pair
at(uint64_t ns)
{
    return (asy_clock_pair){START + ns, START + ns};
}

world *
world_new(uint64_t chunks)
{
    world *w = calloc(1, sizeof(*w));
    int fd = mimic_file(chunks);

    assert_true(fd >= 0);
    assert_int_equal(asy_arena_attach(&w->agent, fd, MIMIC_NONCE), ASY_OK);
    assert_int_equal(asy_arena_attach(&w->program, fd, MIMIC_NONCE), ASY_OK);
    close(fd);
    w->agent.head->cpu_gap_ticks = 1000;
    w->writer = fake_writer_new();
    assert_int_equal(asy_harvest_new(&w->program, w->writer, at(0), &w->harvest), ASY_OK);
    w->proc = mimic_process(&w->agent, PID, START);
    return w;
}

void
world_free(world *w)
{
    assert_string_equal(w->writer->problem, "");
    asy_harvest_free(w->harvest);
    fake_writer_free(w->writer);
    asy_arena_detach(&w->agent);
    asy_arena_detach(&w->program);
    free(w);
}

void
begin(world *w, mimic *m, const char *name, uint64_t ns)
{
    assert_true(mimic_begin(m, &w->agent, w->proc, 100, name, 1000, START + ns));
}

uint32_t
chunks_in_use(const world *w)
{
    uint32_t n = 0;

    for (uint64_t i = 0; i < w->agent.chunk_count; i++) {
        n += w->agent.chunks[i].state != ASY_CHUNK_FREE;
    }
    return n;
}

void
poll_at(world *w, uint64_t ns, bool write)
{
    assert_int_equal(asy_harvest_poll(w->harvest, at(ns), write), ASY_OK);
}

void
finish_at(world *w, uint64_t ns)
{
    assert_int_equal(asy_harvest_finish(w->harvest, at(ns)), ASY_OK);
}
