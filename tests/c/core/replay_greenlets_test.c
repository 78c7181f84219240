// replay_greenlets_test.c: what a call tree makes of greenlets that take turns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay_expect.h"

static void
each_greenlet_has_its_own_stack(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 CALL main greenlet.switch\n"
                  "+1 SWITCH 7\n"
                  "+1 START worker\n"
                  "+5 CALL worker greenlet.switch\n"
                  "+1 SWITCH 0\n"
                  "+1 C_RETURN main\n"
                  "+100 CALL main greenlet.switch\n"
                  "+1 SWITCH 7\n"
                  "+1 C_RETURN worker\n"
                  "+6 RETURN worker\n"
                  "+1 SWITCH 0\n"
                  "+1 C_RETURN main\n"
                  "+1 RETURN main\n",
                  "root self=3\n"
                  "  main calls=1 self=102\n"
                  "    greenlet.switch (c) calls=2 self=4\n"
                  "  worker calls=1 self=11\n"
                  "    greenlet.switch (c) calls=1 self=2\n");
}

// The first greenlet goes on in its phase; a new one begins where the tree is told.
static void
time_outside_of_calls_is_owned_by_the_bottom_of_the_greenlet_that_runs(void **state)
{
    replay *r = replay_new(NULL);
    char *text;

    (void)state;
    assert_null(replay_feed(r, "+1 REBASE startup\n"
                               "+2 SWITCH 7\n"
                               "+4 START f\n"
                               "+8 RETURN f\n"
                               "+16 SWITCH 0\n"
                               "+32 REBASE program\n"
                               "+64 SWITCH 7\n"));
    r->tree.fresh_node = 3;
    assert_null(replay_feed(r, "+128 SWITCH 8\n"
                               "+256 SWITCH 0\n"
                               "+512 REBASE program\n"));
    assert_null(replay_check(r));
    text = replay_text(r);
    assert_string_equal(text, "root self=149\n" // 1, and greenlet 7's 4, 16, 128
                              "  startup (phase) self=34\n"
                              "  f calls=1 self=8\n"
                              "  program (phase) self=832\n");
    free(text);
    replay_free(r);
}

// Ids as of addresses: spread, and not in order.
static replay_event
greenlet_event(replay_kind kind, uint64_t n)
{
    n = (n ^ n >> 5) * 0xBF58476D1CE4E5B9u;
    return (replay_event){.kind = kind, .id = (n ^ n >> 27) | 1, .ran = 1};
}

static void
greenlets_that_ended_can_be_forgotten_and_many_live_at_once(void **state)
{
    replay *r = replay_new(NULL);
    replay_event start = {.kind = EV_START, .func = 1, .ran = 1}, back = {.kind = EV_RETURN, .func = 1, .ran = 1};
    replay_event event;

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    for (uint64_t n = 1; n <= 4000; n++) {
        event = greenlet_event(EV_SWITCH, n);
        replay_event_feed(r, &event);
        replay_event_feed(r, &start);
    }
    for (uint64_t n = 2; n <= 4000; n += 2) { // the first of two is forgotten, the second goes on
        event = greenlet_event(EV_FORGET, n - 1);
        replay_event_feed(r, &event);
        event = greenlet_event(EV_SWITCH, n);
        replay_event_feed(r, &event);
        replay_event_feed(r, &back);
    }
    assert_int_equal(r->losses[ASY_LOSS_CONTEXTS], 0);
    assert_int_equal(r->losses[ASY_LOSS_UNMATCHED], 0);
    assert_int_equal(r->tree.context_used, 1); // the thread's first: those that came to their end left no stack
    assert_null(replay_check(r));
    asy_tree_end(&r->tree);
    assert_int_equal(r->live, 0);
    replay_free(r);
}

static void
switching_to_and_fro_asks_for_memory_once(void **state)
{
    replay *r = replay_new(NULL);
    uint32_t allocs;

    (void)state;
    replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = 1, .ran = 1});
    replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = 0, .ran = 1});
    allocs = r->allocs;
    for (uint64_t i = 1; i <= 100; i++) {
        replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = i % 2, .ran = 1});
    }
    assert_in_range(r->allocs, allocs, allocs + 1);
    replay_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_greenlet_has_its_own_stack),
        cmocka_unit_test(time_outside_of_calls_is_owned_by_the_bottom_of_the_greenlet_that_runs),
        cmocka_unit_test(greenlets_that_ended_can_be_forgotten_and_many_live_at_once),
        cmocka_unit_test(switching_to_and_fro_asks_for_memory_once),
    };

    return cmocka_run_group_tests_name("replay greenlets", tests, NULL, NULL);
}
