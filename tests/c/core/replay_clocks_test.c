// replay_clocks_test.c: what a call tree makes of clocks: running or waiting, steps back, our own slow paths.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay_expect.h"

static void
clock_that_goes_back_a_little_takes_no_time_away(void **state)
{
    (void)state;
    replay_expect("+100 START f\n"
                  "-3 START g\n" // the stamp of another core
                  "+1 RETURN g\n"
                  "+12 RETURN f\n"
                  "+1 START f\n"
                  "+1 RETURN f\n",
                  "root self=101\n"
                  "  f calls=2 self=11\n"
                  "    g calls=1\n");
}

static void
gap_is_divided_by_what_the_thread_s_cpu_clock_says(void **state)
{
    replay_world world = {.gap = 20};

    (void)state;
    replay_expect_in(&world,
                     "+1 START f\n"
                     "+10 ~90 CALL f sleep\n" // f: 100, of which it waited 90
                     "+2 ~500 C_RETURN f\n"
                     "+300 CALL f sum\n" // long, but running
                     "+400 C_RETURN f\n"
                     "+1 RETURN f\n",
                     "root self=1\n"
                     "  f calls=1 self=401 wait=90\n"
                     "    sleep (c) calls=1 self=502 wait=500\n"
                     "    sum (c) calls=1 self=400\n");
}

static void
gap_no_longer_than_the_limit_counts_as_running(void **state)
{
    replay_world world = {.gap = 20};

    (void)state;
    replay_expect_in(&world,
                     "+1 START f\n"
                     "~20 RETURN f\n"
                     "~21 START f\n"
                     "+1 RETURN f\n",
                     "root self=22 wait=21\n"
                     "  f calls=2 self=21\n");
}

// Reading the CPU clock takes 8 ticks, which are nobody's, and belong neither to what ran nor to what waited.
static void
cost_of_a_reading_is_overhead_and_does_not_blur_the_next_gap(void **state)
{
    replay_world world = {.gap = 20, .read_ticks = 8};

    (void)state;
    replay_expect_in(&world,
                     "+1 START f\n"
                     "+10 ~90 RETURN f\n"
                     "~50 START f\n"
                     "~60 RETURN f\n"
                     "+30 START f\n",
                     "root self=89 wait=50\n" // it ran 1 and 30, and the first reading
                     "  f calls=3 self=160 wait=150 open=1\n"
                     "overhead: 32\n");
}

// A reading that takes 300 ticks was interrupted: 5 gaps of it are ours, the rest is the program's.
static void
interrupted_slow_path_is_overhead_only_up_to_five_gaps(void **state)
{
    replay_world world = {.gap = 20, .read_ticks = 300};

    (void)state;
    replay_expect_in(&world,
                     "+1 START f\n"
                     "~50 RETURN f\n"
                     "+10 START f\n",
                     "root self=511\n"
                     "  f calls=2 self=250 wait=50 open=1\n"
                     "overhead: 300\n");
}

static void
ticks_that_are_not_nanoseconds_are_divided_alike(void **state)
{
    replay_world world = {.gap = 60, .ticks_per_ns = 3, .start = 3000000};

    (void)state;
    replay_expect_in(&world,
                     "+3 START f\n"
                     "+30 ~270 RETURN f\n"
                     "~300 START f\n",
                     "root self=303 wait=300\n"
                     "  f calls=2 self=300 wait=270 open=1\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_that_goes_back_a_little_takes_no_time_away),
        cmocka_unit_test(gap_is_divided_by_what_the_thread_s_cpu_clock_says),
        cmocka_unit_test(gap_no_longer_than_the_limit_counts_as_running),
        cmocka_unit_test(cost_of_a_reading_is_overhead_and_does_not_blur_the_next_gap),
        cmocka_unit_test(interrupted_slow_path_is_overhead_only_up_to_five_gaps),
        cmocka_unit_test(ticks_that_are_not_nanoseconds_are_divided_alike),
    };

    return cmocka_run_group_tests_name("replay clocks", tests, NULL, NULL);
}
