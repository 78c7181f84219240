// recording_test.c: the whole way: an arena, the harvester, the writer, and what the reader makes of the bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harvest/harvest.h"
#include "record/profile.h"
#include "victim.h"

typedef struct {
    asy_arena arena;
    asy_writer *writer;
    asy_harvest *harvest;
} way;

static void
way_begin(way *w, int fd)
{
    static const asy_write_session session = {1, "assay run x.py", "/srv", "x.py", "0"};

    assert_int_equal(asy_arena_attach(&w->arena, fd, MIMIC_NONCE), ASY_OK);
    assert_int_equal(asy_writer_new(-1, &w->writer), ASY_OK);
    assert_int_equal(asy_write_session_begin(w->writer, &session), ASY_OK);
    assert_int_equal(asy_harvest_new(&w->arena, w->writer, (asy_clock_pair){1000, 1000}, &w->harvest), ASY_OK);
}

static asy_profile *
way_end(way *w, uint64_t now)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    const void *bytes;
    size_t len;

    assert_int_equal(asy_harvest_finish(w->harvest, (asy_clock_pair){now, now}), ASY_OK);
    assert_int_equal(asy_write_session_end(w->writer, now - 1000), ASY_OK);
    bytes = asy_writer_bytes(w->writer, &len);
    if (asy_profile_load_bytes(bytes, len, &p, &problem) != ASY_OK) {
        fail_msg("%s", problem);
    }
    assert_true(p->complete);
    asy_harvest_free(w->harvest);
    asy_writer_free(w->writer);
    asy_arena_detach(&w->arena);
    return p;
}

static uint64_t
calls(const asy_profile *p, const char *name)
{
    uint64_t n = 0;

    for (uint32_t t = 0; t < p->thread_count; t++) {
        for (uint32_t i = 1; i < p->threads[t].node_count; i++) {
            const asy_profile_node *node = &p->threads[t].nodes[i];

            n += strcmp(p->funcs[node->func].name, name) == 0 ? node->calls : 0;
        }
    }
    return n;
}

static void
what_was_counted_is_read_back(void **state)
{
    static mimic m;
    int fd = mimic_file(64);
    way w;
    asy_profile *p;
    uint32_t proc, work = 0;
    char name[32];

    (void)state;
    way_begin(&w, fd);
    close(fd);
    proc = mimic_process(&w.arena, 7, 1000);
    for (uint32_t t = 0; t < 1000; t++) {
        snprintf(name, sizeof(name), "Thread-%u", t);
        assert_true(mimic_begin(&m, &w.arena, proc, t, name, UINT64_MAX, 2000));
        work = work != 0 ? work : mimic_func(&m, ASY_NODE_PY, "work", "a.py", 1);
        mimic_call(&m, work, ASY_NODE_PY, 1, 2100);
        mimic_call(&m, mimic_func(&m, ASY_NODE_C, t % 2 == 0 ? "even" : "odd", "m", 0), ASY_NODE_C, 2, 2200);
        mimic_return(&m, 2, 2300);
        mimic_return(&m, 1, 2400);
        mimic_end(&m, 2500);
        assert_int_equal(asy_harvest_poll(w.harvest, (asy_clock_pair){3000, 3000}, t % 10 == 0), ASY_OK);
    }
    p = way_end(&w, 4000);
    assert_int_equal(p->process_count, 1);
    assert_int_equal(p->processes[0].pid, 7);
    assert_int_equal(p->thread_count, 257);
    assert_string_equal(p->threads[256].name, "Thread-*");
    assert_int_equal(p->threads[256].merged, 1000 - 256);
    assert_int_equal(calls(p, "work"), 1000);
    assert_int_equal(calls(p, "even"), 500);
    assert_int_equal(calls(p, "odd"), 500);
    asy_profile_free(p);
}

// Whatever an arena says, what comes of it is a recording.
static void
a_hostile_arena_gives_a_readable_recording(void **state)
{
    static victim v;
    uint64_t nodes = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t lot = seed * 0x9E3779B97F4A7C15ull | 1;
        int fd = mimic_file(VICTIM_CHUNKS);
        asy_profile *p;
        way w;

        way_begin(&w, fd);
        assert_true(victim_begin(&v, fd));
        close(fd);
        victim_work(&v, &lot);
        for (uint64_t n = 0; n < 3; n++) {
            for (uint64_t k = victim_dice(&lot) % 20; k > 0; k--) {
                victim_spoil(&v, &lot);
            }
            if (seed % 2 == 0) {
                victim_shuffle(&v, &lot);
            }
            assert_int_equal(asy_harvest_poll(w.harvest, (asy_clock_pair){v.now + n, v.now + n}, true), ASY_OK);
        }
        if (seed % 3 == 0) {
            assert_int_equal(asy_harvest_process_died(w.harvest, VICTIM_PID, victim_poison(&lot), 2, 9), ASY_OK);
        }
        p = way_end(&w, v.now + 10);
        for (uint32_t t = 0; t < p->thread_count; t++) {
            nodes += p->threads[t].node_count;
        }
        asy_profile_free(p);
        victim_end(&v);
    }
    assert_true(nodes > 400 * 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_is_read_back),
        cmocka_unit_test(a_hostile_arena_gives_a_readable_recording),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
