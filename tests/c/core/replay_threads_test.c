// replay_threads_test.c: threads with trees of their own share one table of suspended frames, much too small for them.
// To be run under a thread sanitizer as well.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "replay.h"

#define THREADS 4
#define STEPS 20000u
#define FRAMES 24u // of each thread; the table has room for 16 in all

typedef struct {
    replay *r;
    uint64_t base; // identities of its frames
    uint64_t suspensions, resumes;
} worker;

// Each frame is either suspended or not; a random one is resumed and suspended again.
static void *
work(void *arg)
{
    worker *w = arg;
    uint64_t seed = w->base;

    for (uint32_t i = 0; i < STEPS; i++) {
        replay_event e = {.func = 1, .ran = 1};
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        e.id = w->base + (seed >> 33) % FRAMES;
        e.kind = i < FRAMES ? EV_START : EV_RESUME;
        e.id = i < FRAMES ? w->base + i : e.id;
        w->resumes += i < FRAMES ? 0 : 1;
        replay_event_feed(w->r, &e);
        e.kind = EV_YIELD;
        replay_event_feed(w->r, &e);
        w->suspensions++;
    }
    return NULL;
}

static void
shared_table_of_suspensions_gives_each_frame_its_own_or_nothing(void **state)
{
    asy_suspend_row *rows = calloc((size_t)2 * ASY_SUSPEND_WAYS, sizeof(asy_suspend_row));
    worker workers[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.r = replay_new(NULL), .base = 1 + i * 1000};
        replay_name(&workers[i].r->names, "gen", ASY_NODE_PY);
        free(workers[i].r->suspend.rows);
        workers[i].r->suspend = (asy_suspend){.rows = rows, .sets = 2};
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        const asy_node *gen;
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        gen = asy_tree_node(&workers[i].r->tree, 1);
        assert_null(replay_check(workers[i].r));
        assert_int_equal(gen->calls, FRAMES);
        assert_int_equal(gen->resumes, workers[i].resumes);
        // a frame's suspension is shorter than the whole run; most are forgotten, and counted
        assert_true(gen->suspended_ticks < (uint64_t)FRAMES * 2 * STEPS);
        assert_true(workers[i].r->losses[ASY_LOSS_SUSPENSIONS] > 0);
    }
    for (uint32_t i = 0; i < 2 * ASY_SUSPEND_WAYS; i++) {
        assert_int_not_equal(rows[i].frame, 1); // none is left half filled
    }
    for (int i = 0; i < THREADS; i++) {
        workers[i].r->suspend.rows = NULL;
        replay_free(workers[i].r);
    }
    free(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_table_of_suspensions_gives_each_frame_its_own_or_nothing),
    };

    return cmocka_run_group_tests_name("replay threads", tests, NULL, NULL);
}
