// replay_tags_test.c: what a call tree makes of tags, in calls and in generators.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay_expect.h"

static void
tags_nest_like_calls(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 TAG_IN acme@1\n"
                  "+2 START f\n"
                  "+3 TAG_IN day@2\n"
                  "+4 START g\n"
                  "+5 RETURN g\n"
                  "+6 TAG_OUT day@2\n"
                  "+7 RETURN f\n"
                  "+8 TAG_OUT acme@1\n"
                  "+9 START f\n"
                  "+1 RETURN f\n"
                  "+1 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=11\n"
                  "    acme (tag) calls=1 self=10\n"
                  "      f calls=1 self=10\n"
                  "        day (tag) calls=1 self=10\n"
                  "          g calls=1 self=5\n"
                  "    f calls=1 self=1\n");
}

static void
tag_that_ends_out_of_order_keeps_what_was_begun_below_it(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 TAG_IN a@1\n"
                  "+1 TAG_IN b@2\n"
                  "+1 TAG_OUT a@1\n"
                  "+5 START f\n"
                  "+6 RETURN f\n"
                  "+7 TAG_OUT b@2\n"
                  "+8 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=9\n"
                  "    a (tag) calls=1 self=1\n"
                  "      b (tag) calls=1 self=13\n"
                  "        f calls=1 self=6\n");
}

static void
tag_that_a_callee_ends_ends_for_the_caller(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 TAG_IN a@1\n"
                  "+1 START f\n"
                  "+1 TAG_OUT a@1\n"
                  "+9 RETURN f\n"
                  "+7 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=8\n"
                  "    a (tag) calls=1 self=1\n"
                  "      f calls=1 self=10\n");
}

static void
tag_in_a_coroutine_leaves_with_it_and_comes_back_with_it(void **state)
{
    (void)state;
    replay_expect("+1 START loop\n"
                  "+1 START task@1\n"
                  "+1 TAG_IN acme@1\n"
                  "+1 START read@2\n"
                  "+1 YIELD read@2\n"
                  "+1 YIELD task@1\n"
                  "+40 START other@3\n" // not acme's
                  "+4 RETURN other@3\n"
                  "+1 RESUME task@1\n"
                  "+1 RESUME read@2\n"
                  "+6 RETURN read@2\n"
                  "+1 TAG_OUT acme@1\n"
                  "+1 RETURN task@1\n"
                  "+1 RETURN loop\n",
                  "root self=1\n"
                  "  loop calls=1 self=43\n"
                  "    task calls=1 resumes=1 self=2 suspended=45\n"
                  "      acme (tag) calls=1 self=4\n"
                  "        read calls=1 resumes=1 self=7 suspended=47\n"
                  "    other calls=1 self=4\n");
}

// As Context.run does for a copied context: asyncio's callbacks, executors.
static void
inherited_tag_stands_on_the_call_that_entered_its_context_and_ends_with_it(void **state)
{
    (void)state;
    replay_expect("+1 START loop\n"
                  "+1 CALL loop Context.run\n"
                  "+0 TAG_INHERIT acme@1\n"
                  "+2 START callback\n"
                  "+3 TAG_IN day@2\n"
                  "+4 TAG_OUT day@2\n"
                  "+5 RETURN callback\n"
                  "+6 C_RETURN loop\n"
                  "+7 START other\n"
                  "+8 RETURN other\n"
                  "+9 RETURN loop\n",
                  "root self=1\n"
                  "  loop calls=1 self=17\n"
                  "    Context.run (c) calls=1\n"
                  "      acme (tag) self=8\n"
                  "        callback calls=1 self=8\n"
                  "          day (tag) calls=1 self=4\n"
                  "    other calls=1 self=8\n");
}

static void
three_tags_of_a_generator_come_back_in_order(void **state)
{
    (void)state;
    replay_expect("+1 START gen@1\n"
                  "+1 TAG_IN a@1\n"
                  "+1 TAG_IN b@2\n"
                  "+1 TAG_IN c@3\n"
                  "+1 YIELD gen@1\n"
                  "+9 RESUME gen@1\n"
                  "+1 TAG_OUT c@3\n"
                  "+1 TAG_OUT b@2\n"
                  "+1 TAG_OUT a@1\n"
                  "+1 RETURN gen@1\n",
                  "root self=10\n"
                  "  gen calls=1 resumes=1 self=2 suspended=9\n"
                  "    a (tag) calls=1 self=2\n"
                  "      b (tag) calls=1 self=2\n"
                  "        c (tag) calls=1 self=2\n");
}

static void
tag_around_a_generator_s_consumer_stays_when_the_generator_yields(void **state)
{
    (void)state;
    replay_expect("+1 START f\n"
                  "+1 TAG_IN acme@1\n"
                  "+1 START gen@1\n"
                  "+1 YIELD gen@1\n"
                  "+5 START g\n"
                  "+5 RETURN g\n"
                  "+1 TAG_OUT acme@1\n"
                  "+1 RETURN f\n",
                  "root self=1\n"
                  "  f calls=1 self=2\n"
                  "    acme (tag) calls=1 self=7\n"
                  "      gen calls=1 self=1\n"
                  "      g calls=1 self=5\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_nest_like_calls),
        cmocka_unit_test(tag_that_ends_out_of_order_keeps_what_was_begun_below_it),
        cmocka_unit_test(tag_that_a_callee_ends_ends_for_the_caller),
        cmocka_unit_test(tag_in_a_coroutine_leaves_with_it_and_comes_back_with_it),
        cmocka_unit_test(inherited_tag_stands_on_the_call_that_entered_its_context_and_ends_with_it),
        cmocka_unit_test(three_tags_of_a_generator_come_back_in_order),
        cmocka_unit_test(tag_around_a_generator_s_consumer_stays_when_the_generator_yields),
    };

    return cmocka_run_group_tests_name("replay tags", tests, NULL, NULL);
}
