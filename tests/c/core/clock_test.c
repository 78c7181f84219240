// clock_test.c: claims about ticks and ns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"

static void
nanoseconds_are_their_own_ticks(void **state)
{
    asy_clock_pair from = {1000, 1000};
    asy_clock_pair to = {2000, 3000}; // a second reading differs; the clock is ns all the same
    asy_clock_scale s = asy_clock_scale_make(ASY_CLOCK_NS, from, to);

    (void)state;
    assert_int_equal(asy_clock_span_ns(&s, 12345), 12345);
    assert_int_equal(asy_clock_at_ns(&s, 999), 999);
    assert_int_equal(asy_clock_at_ns(&s, 1u << 30), 1u << 30);
}

static void
a_line_through_two_pairs_is_exact_in_integers(void **state)
{
    asy_clock_pair from = {3000000000000000ull, 5000000000ull};
    asy_clock_pair to = {3000000000000000ull + 2600000000ull * 86400u * 365u,
                         5000000000ull + 1000000000ull * 86400u * 365u};
    asy_clock_scale s = asy_clock_scale_make(ASY_CLOCK_COUNTER, from, to);

    (void)state;
    assert_int_equal(asy_clock_span_ns(&s, 26), 10);
    assert_int_equal(asy_clock_span_ns(&s, 13), 5);
    assert_int_equal(asy_clock_span_ns(&s, 1), 0);
    assert_int_equal(asy_clock_span_ns(&s, 2), 1); // rounded
    assert_int_equal(asy_clock_at_ns(&s, to.ticks), to.ns);
    assert_int_equal(asy_clock_at_ns(&s, from.ticks - 2600), 5000000000ull - 1000);
    assert_int_equal(asy_clock_at_ns(&s, 0), 0); // long before: held at 0
    assert_int_equal(asy_clock_span_ns(&s, UINT64_MAX) / 1000000000u, UINT64_MAX / 2600000000u);
}

static void
pairs_that_do_not_run_forward_give_a_usable_scale(void **state)
{
    asy_clock_pair at = {500, 700};
    asy_clock_scale s = asy_clock_scale_make(ASY_CLOCK_COUNTER, at, at);

    (void)state;
    assert_int_equal(asy_clock_span_ns(&s, 7), 7);
    assert_int_equal(asy_clock_at_ns(&s, 500), 700);
    assert_int_equal(asy_clock_at_ns(&s, UINT64_MAX), UINT64_MAX); // held, not wrapped
}

static void
both_clocks_run_forward(void **state)
{
    asy_clock_kind kinds[] = {ASY_CLOCK_NS, asy_clock_choose()};

    (void)state;
    for (int i = 0; i < 2; i++) {
        asy_clock_pair a = asy_clock_take_pair(kinds[i]);
        asy_clock_pair b;

        while (asy_clock_ns() < a.ns + 1000) {
        }
        b = asy_clock_take_pair(kinds[i]);
        assert_true(b.ticks > a.ticks);
        assert_true(b.ns > a.ns);
    }
    assert_true(asy_clock_thread_cpu_ns() > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nanoseconds_are_their_own_ticks),
        cmocka_unit_test(a_line_through_two_pairs_is_exact_in_integers),
        cmocka_unit_test(pairs_that_do_not_run_forward_give_a_usable_scale),
        cmocka_unit_test(both_clocks_run_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
