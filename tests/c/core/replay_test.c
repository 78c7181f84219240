// replay_test.c: what a call tree makes of calls, exceptions and generators that pair up. docs/semantics.md shows some of these trees.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay_expect.h"

// ---- calls ----

static void
time_between_two_events_belongs_to_the_call_on_top(void **state)
{
    (void)state;
    replay_expect("+3 START main\n"
                  "+10 START f\n"
                  "+100 RETURN f\n"
                  "+20 START f\n"
                  "+200 RETURN f\n"
                  "+30 RETURN main\n"
                  "+7 START main\n",
                  "root self=10\n"
                  "  main calls=2 self=60 open=1\n"
                  "    f calls=2 self=300\n");
}

static void
recursion_has_a_node_for_each_level(void **state)
{
    (void)state;
    replay_expect("+1 START fact\n"
                  "+10 START fact\n"
                  "+20 START fact\n"
                  "+30 RETURN fact\n"
                  "+5 RETURN fact\n"
                  "+6 RETURN fact\n",
                  "root self=1\n"
                  "  fact calls=1 self=16\n"
                  "    fact calls=1 self=25\n"
                  "      fact calls=1 self=30\n");
}

static void
mutual_recursion_has_a_node_for_each_level(void **state)
{
    (void)state;
    replay_expect("+1 START even\n"
                  "+10 START odd\n"
                  "+20 START even\n"
                  "+30 RETURN even\n"
                  "+5 RETURN odd\n"
                  "+6 RETURN even\n"
                  "+1 START odd\n"
                  "+2 RETURN odd\n",
                  "root self=2\n"
                  "  even calls=1 self=16\n"
                  "    odd calls=1 self=25\n"
                  "      even calls=1 self=30\n"
                  "  odd calls=1 self=2\n");
}

static void
c_calls_are_nodes_and_their_callbacks_are_below_them(void **state)
{
    (void)state;
    replay_expect("+1 START f\n"
                  "+10 CALL f sorted\n"
                  "+20 START key\n"
                  "+30 CALL key len\n"
                  "+40 C_RETURN key\n"
                  "+50 RETURN key\n"
                  "+60 C_RETURN f\n"
                  "+70 CALL f class:K\n"
                  "+5 C_RETURN f\n"
                  "+1 RETURN f\n",
                  "root self=1\n"
                  "  f calls=1 self=81\n"
                  "    sorted (c) calls=1 self=80\n"
                  "      key calls=1 self=80\n"
                  "        len (c) calls=1 self=40\n"
                  "    class:K calls=1 self=5\n");
}

static void
recursion_through_a_c_function_pairs_each_return_with_its_call(void **state)
{
    (void)state;
    replay_expect("+1 START f\n"
                  "+1 CALL f map\n"
                  "+1 START f\n"
                  "+1 CALL f map\n"
                  "+9 C_RETURN f\n"
                  "+1 RETURN f\n"
                  "+1 C_RETURN f\n"
                  "+1 RETURN f\n",
                  "root self=1\n"
                  "  f calls=1 self=2\n"
                  "    map (c) calls=1 self=2\n"
                  "      f calls=1 self=2\n"
                  "        map (c) calls=1 self=9\n");
}

// ---- exceptions ----

static void
exception_ends_each_call_it_passes_and_is_counted_there(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 START f\n"
                  "+2 START f\n"
                  "+3 CALL f int\n"
                  "+4 C_RAISE f\n"
                  "+5 UNWIND f\n"
                  "+6 UNWIND f\n"
                  "+7 START f\n"
                  "+8 RETURN f\n"
                  "+9 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=17\n"
                  "    f calls=2 self=16 unwinds=1\n"
                  "      f calls=1 self=8 unwinds=1\n"
                  "        int (c) calls=1 self=4 unwinds=1\n");
}

static void
exception_through_a_thousand_calls_unwinds_each_once(void **state)
{
    replay *r = replay_new(NULL);
    replay_event start = {.kind = EV_START, .func = 1, .ran = 1}, unwind = {.kind = EV_UNWIND, .func = 1, .ran = 1};
    uint64_t unwinds = 0;

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    for (int i = 0; i < 1000; i++) {
        replay_event_feed(r, &start);
    }
    for (int i = 0; i < 1000; i++) {
        replay_event_feed(r, &unwind);
    }
    for (uint32_t i = 1; i <= 1000; i++) {
        unwinds += asy_tree_node(&r->tree, i)->unwinds;
        assert_int_equal(asy_tree_node(&r->tree, i)->unwinds, 1);
    }
    assert_int_equal(unwinds, 1000);
    assert_int_equal(r->tree.thread->depth, 1);
    assert_null(replay_check(r));
    replay_free(r);
}

// ---- generators and coroutines ----

static void
generator_is_one_call_and_time_between_yield_and_resume_is_suspended(void **state)
{
    (void)state;
    replay_expect("+1 START f\n"
                  "+10 START gen@1\n"
                  "+20 YIELD gen@1\n"
                  "+300 RESUME gen@1\n"
                  "+20 YIELD gen@1\n"
                  "+400 RESUME gen@1\n"
                  "+5 RETURN gen@1\n"
                  "+1 RETURN f\n",
                  "root self=1\n"
                  "  f calls=1 self=711\n"
                  "    gen calls=1 resumes=2 self=45 suspended=700\n");
}

static void
two_generators_of_one_function_are_told_apart(void **state)
{
    (void)state;
    replay_expect("+1 START gen@1\n"
                  "+1 YIELD gen@1\n"
                  "+9 START gen@2\n"
                  "+1 YIELD gen@2\n"
                  "+100 RESUME gen@2\n"
                  "+1 RETURN gen@2\n"
                  "+1000 RESUME gen@1\n"
                  "+1 RETURN gen@1\n",
                  "root self=1110\n"
                  "  gen calls=2 resumes=2 self=4 suspended=1211\n");
}

static void
generator_resumed_elsewhere_has_a_node_there_which_owns_the_suspension(void **state)
{
    (void)state;
    replay_expect("+1 START a\n"
                  "+1 START gen@1\n"
                  "+1 YIELD gen@1\n"
                  "+1 RETURN a\n"
                  "+50 START b\n"
                  "+1 RESUME gen@1\n"
                  "+1 RETURN gen@1\n"
                  "+1 RETURN b\n",
                  "root self=51\n"
                  "  a calls=1 self=2\n"
                  "    gen calls=1 self=1\n"
                  "  b calls=1 self=2\n"
                  "    gen resumes=1 self=1 suspended=52\n");
}

static void
dropped_generator_leaves_nothing_behind_for_the_next_at_its_address(void **state)
{
    (void)state;
    replay_expect("+1 START gen@1\n"
                  "+1 YIELD gen@1\n"   // dropped here: no event
                  "+500 START gen@1\n" // another one
                  "+1 YIELD gen@1\n"
                  "+7 RESUME gen@1\n"
                  "+1 RETURN gen@1\n",
                  "root self=508\n"
                  "  gen calls=2 resumes=1 self=3 suspended=7\n");
}

static void
closed_generator_is_resumed_once_more_and_unwound(void **state)
{
    (void)state;
    replay_expect("+1 START f\n"
                  "+1 START gen@1\n"
                  "+1 YIELD gen@1\n"
                  "+1 CALL f generator.close\n"
                  "+1 THROW gen@1\n"
                  "+5 UNWIND gen@1\n"
                  "+1 C_RETURN f\n"
                  "+1 RETURN f\n",
                  "root self=1\n"
                  "  f calls=1 self=3\n"
                  "    gen calls=1 self=1\n"
                  "    generator.close (c) calls=1 self=2\n"
                  "      gen resumes=1 self=5 suspended=2 unwinds=1\n");
}

static void
generator_that_handles_what_is_thrown_goes_on(void **state)
{
    (void)state;
    replay_expect("+1 START gen@1\n"
                  "+1 YIELD gen@1\n"
                  "+4 THROW gen@1\n"
                  "+2 YIELD gen@1\n"
                  "+4 RESUME gen@1\n"
                  "+2 RETURN gen@1\n",
                  "root self=9\n"
                  "  gen calls=1 resumes=2 self=5 suspended=8\n");
}

static void
throw_into_a_generator_that_never_ran_is_a_resume_without_a_call(void **state)
{
    (void)state;
    replay_expect("+1 THROW gen@1\n"
                  "+1 UNWIND gen@1\n",
                  "root self=1\n"
                  "  gen resumes=1 self=1 unwinds=1\n");
}

static void
each_link_of_a_yield_from_chain_is_suspended_by_itself(void **state)
{
    (void)state;
    replay_expect("+1 START outer@1\n"
                  "+1 START inner@2\n"
                  "+1 YIELD inner@2\n"
                  "+1 YIELD outer@1\n"
                  "+100 RESUME outer@1\n"
                  "+1 RESUME inner@2\n"
                  "+1 RETURN inner@2\n"
                  "+1 RETURN outer@1\n",
                  "root self=101\n"
                  "  outer calls=1 resumes=1 self=4 suspended=100\n"
                  "    inner calls=1 resumes=1 self=2 suspended=102\n");
}

static void
coroutines_of_a_loop_take_turns(void **state)
{
    (void)state;
    replay_expect("+1 START loop\n"
                  "+1 START work@1\n"
                  "+1 START read@2\n"
                  "+2 YIELD read@2\n"
                  "+1 YIELD work@1\n"
                  "+1 START work@3\n"
                  "+2 YIELD work@3\n"
                  "+1 CALL loop select\n"
                  "+50 C_RETURN loop\n"
                  "+1 RESUME work@1\n"
                  "+1 RESUME read@2\n"
                  "+3 RETURN read@2\n"
                  "+1 RETURN work@1\n"
                  "+1 RESUME work@3\n"
                  "+2 RETURN work@3\n"
                  "+1 RETURN loop\n",
                  "root self=1\n"
                  "  loop calls=1 self=6\n"
                  "    work calls=2 resumes=2 self=8 suspended=113\n"
                  "      read calls=1 resumes=1 self=5 suspended=57\n"
                  "    select (c) calls=1 self=50\n");
}

// An async generator yields to its consumer, and passes on what it awaits, by the same event.
static void
async_generator_is_one_call(void **state)
{
    (void)state;
    replay_expect("+1 START consumer@1\n"
                  "+1 START agen@2\n"
                  "+1 START pause@3\n"
                  "+1 YIELD pause@3\n"
                  "+1 YIELD agen@2\n"
                  "+1 YIELD consumer@1\n"
                  "+20 RESUME consumer@1\n"
                  "+1 RESUME agen@2\n"
                  "+1 RESUME pause@3\n"
                  "+1 RETURN pause@3\n"
                  "+1 YIELD agen@2\n" // a value for the consumer
                  "+5 RESUME agen@2\n"
                  "+1 RETURN agen@2\n"
                  "+1 RETURN consumer@1\n",
                  "root self=21\n"
                  "  consumer calls=1 resumes=1 self=9 suspended=20\n"
                  "    agen calls=1 resumes=2 self=5 suspended=27\n"
                  "      pause calls=1 resumes=1 self=2 suspended=24\n");
}

// ---- outside of the program ----

static void
what_is_open_when_measuring_begins_has_time_but_no_call(void **state)
{
    (void)state;
    replay_expect("+0 INHERIT main\n"
                  "+0 INHERIT f\n"
                  "+5 START g\n"
                  "+6 RETURN g\n"
                  "+7 RETURN f\n"
                  "+8 START f\n"
                  "+9 RETURN f\n"
                  "+1 RETURN main\n"
                  "+1 START main\n",
                  "root self=1\n"
                  "  main inherited calls=1 self=9 open=1\n"
                  "    f inherited calls=1 self=21\n"
                  "      g calls=1 self=6\n");
}

static void
phases_own_the_time_outside_of_any_call(void **state)
{
    (void)state;
    replay_expect("+5 REBASE startup\n"
                  "+10 START site\n"
                  "+20 RETURN site\n"
                  "+30 REBASE program\n"
                  "+1 START main\n"
                  "+1 RETURN main\n"
                  "+40 REBASE startup\n",
                  "root self=5\n"
                  "  startup (phase) self=40\n"
                  "    site calls=1 self=20\n"
                  "  program (phase) self=41\n"
                  "    main calls=1 self=1\n");
}

static void
after_a_pause_the_stack_is_empty_and_the_pause_is_nobody_s(void **state)
{
    replay *r = replay_new(NULL);
    char *text;

    (void)state;
    assert_null(replay_feed(r, "+1 START main\n+1 SWITCH 1\n+1 START f\n"));
    r->now += 1000;
    asy_tree_restart(&r->tree, r->now);
    assert_null(replay_feed(r, "+5 START g\n+5 RETURN g\n+1 SWITCH 0\n+5 START g\n+1 RETURN g\n"));
    text = replay_text(r);
    assert_string_equal(text, "root self=13\n"
                              "  main calls=1 self=1\n"
                              "  f calls=1\n"
                              "  g calls=2 self=6\n");
    free(text);
    asy_tree_end(&r->tree);
    assert_int_equal(r->live, 0);
    replay_free(r);
}

// ---- the test's own reader ----

static void
lines_that_are_no_event_are_refused(void **state)
{
    static const char *const bad[] = {"+1 STRAT f\n", "+1\n",         "+1 START\n",    "+1 CALL f\n",
                                      "START f g\n",  "+1 START f g", "+1 C_RETURN\n", "+1 SWITCH\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        replay *r = replay_new(NULL);
        assert_non_null(replay_feed(r, bad[i]));
        replay_free(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_between_two_events_belongs_to_the_call_on_top),
        cmocka_unit_test(recursion_has_a_node_for_each_level),
        cmocka_unit_test(mutual_recursion_has_a_node_for_each_level),
        cmocka_unit_test(c_calls_are_nodes_and_their_callbacks_are_below_them),
        cmocka_unit_test(recursion_through_a_c_function_pairs_each_return_with_its_call),
        cmocka_unit_test(exception_ends_each_call_it_passes_and_is_counted_there),
        cmocka_unit_test(exception_through_a_thousand_calls_unwinds_each_once),
        cmocka_unit_test(generator_is_one_call_and_time_between_yield_and_resume_is_suspended),
        cmocka_unit_test(two_generators_of_one_function_are_told_apart),
        cmocka_unit_test(generator_resumed_elsewhere_has_a_node_there_which_owns_the_suspension),
        cmocka_unit_test(dropped_generator_leaves_nothing_behind_for_the_next_at_its_address),
        cmocka_unit_test(closed_generator_is_resumed_once_more_and_unwound),
        cmocka_unit_test(generator_that_handles_what_is_thrown_goes_on),
        cmocka_unit_test(throw_into_a_generator_that_never_ran_is_a_resume_without_a_call),
        cmocka_unit_test(each_link_of_a_yield_from_chain_is_suspended_by_itself),
        cmocka_unit_test(coroutines_of_a_loop_take_turns),
        cmocka_unit_test(async_generator_is_one_call),
        cmocka_unit_test(what_is_open_when_measuring_begins_has_time_but_no_call),
        cmocka_unit_test(phases_own_the_time_outside_of_any_call),
        cmocka_unit_test(after_a_pause_the_stack_is_empty_and_the_pause_is_nobody_s),
        cmocka_unit_test(lines_that_are_no_event_are_refused),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
