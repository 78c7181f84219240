// replay_expect.c: the assertion that most replay tests are made of.
#include "replay_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

void
replay_expect_in(const replay_world *world, const char *script, const char *expected)
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

void
replay_expect(const char *script, const char *expected)
{
    replay_expect_in(NULL, script, expected);
}
