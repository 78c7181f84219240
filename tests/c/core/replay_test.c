// replay_test.c: what a call tree makes of lists of events, whole trees compared.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay.h"

// Feed `script` to a tree in `world` and compare the whole of it.
static void
check_in(const replay_world *world, const char *script, const char *expected)
{
    replay *r = replay_new(world);
    const char *problem;
    char *text;

    assert_non_null(r);
    problem = replay_feed(r, script);
    if (problem != NULL) {
        fail_msg("no event: %.40s", problem);
    }
    problem = replay_check(r);
    text = replay_text(r);
    assert_non_null(text);
    if (problem != NULL) {
        fail_msg("%s:\n%s", problem, text);
    }
    assert_string_equal(text, expected);
    free(text);
    asy_tree_end(&r->tree);
    assert_int_equal(r->live, 0);
    replay_free(r);
}

static void
check(const char *script, const char *expected)
{
    check_in(NULL, script, expected);
}

// ---- calls ----

static void
time_between_two_events_belongs_to_the_call_on_top(void **state)
{
    (void)state;
    check("+3 START main\n"
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
    check("+1 START fact\n+10 START fact\n+20 START fact\n+30 RETURN fact\n+5 RETURN fact\n+6 RETURN fact\n",
          "root self=1\n"
          "  fact calls=1 self=16\n"
          "    fact calls=1 self=25\n"
          "      fact calls=1 self=30\n");
}

static void
mutual_recursion_has_a_node_for_each_level(void **state)
{
    (void)state;
    check("+1 START even\n+10 START odd\n+20 START even\n+30 RETURN even\n+5 RETURN odd\n+6 RETURN even\n"
          "+1 START odd\n+2 RETURN odd\n",
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
    check("+1 START f\n"
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

// ---- generators and coroutines ----

static void
generator_is_one_call_and_time_between_yield_and_resume_is_suspended(void **state)
{
    (void)state;
    check("+1 START f\n"
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
    check("+1 START gen@1\n+1 YIELD gen@1\n"
          "+9 START gen@2\n+1 YIELD gen@2\n"
          "+100 RESUME gen@2\n+1 RETURN gen@2\n"
          "+1000 RESUME gen@1\n+1 RETURN gen@1\n",
          "root self=1110\n"
          "  gen calls=2 resumes=2 self=4 suspended=1211\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_between_two_events_belongs_to_the_call_on_top),
        cmocka_unit_test(recursion_has_a_node_for_each_level),
        cmocka_unit_test(mutual_recursion_has_a_node_for_each_level),
        cmocka_unit_test(c_calls_are_nodes_and_their_callbacks_are_below_them),
        cmocka_unit_test(generator_is_one_call_and_time_between_yield_and_resume_is_suspended),
        cmocka_unit_test(two_generators_of_one_function_are_told_apart),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
