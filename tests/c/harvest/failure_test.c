// failure_test.c: the harvest when memory runs out: each allocation fails once, in turn. Linked with --wrap for malloc, calloc and realloc.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_writer.h"
#include "harvest/harvest.h"
#include "mimic.h"

static uint64_t countdown; // allocations until one fails, 0 = none does
static uint64_t failed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool
fails(void)
{
    if (countdown == 0 || --countdown > 0) {
        return false;
    }
    failed++;
    return true;
}

void *
__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

// Threads one after the other, each with a call of its own function and one of a shared one. The first has many nodes and a deep stack.
static void
write_arena(asy_arena *a, uint32_t proc, uint32_t threads)
{
    static mimic m;
    uint32_t common = 0;

    for (uint32_t t = 0; t < threads; t++) {
        char name[32];
        uint32_t own;

        snprintf(name, sizeof(name), "t%u-worker", t);
        assert_true(mimic_begin(&m, a, proc, 1, name, UINT64_MAX, 100));
        common = common != 0 ? common : mimic_func(&m, ASY_NODE_PY, "common", "a.py", 1);
        own = mimic_func(&m, ASY_NODE_PY, name, "a.py", 1);
        for (uint32_t n = t == 0 ? 3000 : 1; n > 0; n--) {
            mimic_call(&m, common, ASY_NODE_PY, n, 200);
        }
        mimic_call(&m, own, ASY_NODE_PY, 90000, 250);
        if (t % 2 == 0) {
            mimic_end(&m, 300);
        } else {
            mimic_abandon(&m); // killed
        }
    }
}

static asy_status
keep_trying(asy_status st, bool *hit)
{
    if (st != ASY_OK) {
        assert_int_equal(st, ASY_ENOMEM);
        assert_false(*hit); // one failure is armed, one is told
        *hit = true;
    }
    return st;
}

// Harvest it all while allocation number n fails; true if there was one. Nothing is lost: the next try takes it.
static bool
harvest_with_failure(uint64_t n, uint32_t threads)
{
    int fd = mimic_file(threads + 8);
    asy_arena agent, program;
    asy_writer *w = fake_writer_new();
    asy_harvest *h;
    asy_clock_pair at = {100, 100};
    bool hit = false;

    assert_int_equal(asy_arena_attach(&agent, fd, MIMIC_NONCE), ASY_OK);
    assert_int_equal(asy_arena_attach(&program, fd, MIMIC_NONCE), ASY_OK);
    close(fd);
    write_arena(&agent, mimic_process(&agent, 5, 100), threads);
    failed = 0;
    countdown = n;
    while (keep_trying(asy_harvest_new(&program, w, at, &h), &hit) != ASY_OK) {
        assert_null(h);
    }
    for (int i = 0; i < 4; i++) {
        keep_trying(asy_harvest_poll(h, (asy_clock_pair){400, 400}, i % 2 == 0), &hit);
    }
    while (keep_trying(asy_harvest_process_died(h, 5, 400, 2, 9), &hit) != ASY_OK) {
    }
    while (keep_trying(asy_harvest_finish(h, (asy_clock_pair){500, 500}), &hit) != ASY_OK) {
    }
    countdown = 0;
    assert_int_equal(hit, failed != 0);
    assert_string_equal(w->problem, "");
    assert_int_equal(fake_total(w).calls, 3000 + 2 * threads - 1);
    assert_int_equal(fake_total(w).self_ns, 200 * ((threads + 1) / 2) + 300 * (threads / 2));
    assert_int_equal(asy_harvest_count(h).threads_seen, threads);
    for (uint64_t i = 0; i < agent.chunk_count; i++) {
        assert_int_equal(agent.chunks[i].state, ASY_CHUNK_FREE);
    }
    asy_harvest_free(h);
    fake_writer_free(w);
    asy_arena_detach(&agent);
    asy_arena_detach(&program);
    return failed != 0;
}

static void
every_failed_allocation_is_told_and_loses_nothing(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (harvest_with_failure(n, 6)) {
        n++;
    }
    assert_true(n > 20);
}

static void
merging_survives_every_failed_allocation(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (harvest_with_failure(n, 300)) {
        n += 1 + n / 8; // spread: each takes its time
    }
    assert_true(n > 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_is_told_and_loses_nothing),
        cmocka_unit_test(merging_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
