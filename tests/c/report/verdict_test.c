// verdict_test.c: the summary's answer, for programs whose truth is known.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "page.h"
#include "report/out.h"

// Begins the recording of x.py, which is in its top level for `self_ns`; returns that node.
static uint32_t
begin(build *b, uint64_t self_ns)
{
    build_begin(b, "x.py", "/srv", "x.py");
    build_thread(b, "MainThread");
    b->process.program_node = build_node(b, 0, 0, build_python(b, "<module>", "/srv/x.py", 1), 1, self_ns, 0);
    return b->process.program_node;
}

static void
test_waiting_program_is_answered_by_what_it_waits_for(void **state)
{
    build b;
    uint32_t process, n;

    (void)state;
    build_begin(&b, "first_profile.py", "/srv", "first_profile.py");
    process = build_python(&b, "process_data", "/srv/first_profile.py", 16);
    build_thread(&b, "MainThread");
    b.process.program_node =
        build_node(&b, 0, 0, build_python(&b, "<module>", "/srv/first_profile.py", 1), 1, 1 * MS, 0);
    n = build_node(&b, 0, b.process.program_node, build_python(&b, "main", "/srv/first_profile.py", 22), 1, 1 * MS, 0);
    build_node(&b, 0, n, build_python(&b, "generate_data", "/srv/first_profile.py", 12), 1, 90 * MS, 0);
    n = build_node(&b, 0, n, process, 1, 1 * MS, 0);
    build_node(&b, 0, n, build_c(&b, "sorted", "builtins"), 1, 18 * MS, 0);
    build_node(&b, 0, n, build_c(&b, "sleep", "time"), 1, 800 * MS, 799 * MS);
    build_end(&b, 920 * MS);
    page_expect_answer(
        &b, "assay: 89 % of 920 ms is process_data (first_profile.py:16), waiting (sleep); 1 call, from main\n"
            "  of it 800 ms time.sleep (waiting), 18.0 ms sorted\n");
    build_free(&b);
}

// Workers that wait for work and a main thread that joins them: what the one busy worker does is the answer.
static void
test_idle_threads_are_not_the_answer(void **state)
{
    build b;
    uint32_t top, get, acquire, work, n;

    (void)state;
    top = begin(&b, 1 * MS);
    get = build_python(&b, "Queue.get", "/usr/lib/python3.13/queue.py", 154);
    acquire = build_c(&b, "lock.acquire", "_thread");
    work = build_python(&b, "crunch", "/srv/x.py", 5);
    n = build_python(&b, "Thread.join", "/usr/lib/python3.13/threading.py", 1087);
    n = build_node(&b, 0, top, n, 1, 0, 0);
    build_node(&b, 0, n, acquire, 1, 5000 * MS, 5000 * MS);
    for (uint32_t t = 1; t < 9; t++) {
        build_thread(&b, "worker");
        n = build_node(&b, t, 0, build_python(&b, "loop", "/srv/x.py", 3), 1, 0, 0);
        build_node(&b, t, build_node(&b, t, n, get, 9, 0, 0), acquire, 9, 5000 * MS, 5000 * MS);
        if (t == 4) {
            build_node(&b, t, n, work, 2, 4000 * MS, 0);
        }
    }
    build_end(&b, 5000 * MS);
    page_expect_in_answer(&b, "assay: 80 % of 5.00 s is crunch (x.py:5), running; 2 calls, all from loop");
    build_free(&b);
}

static void
test_idleness_is_the_answer_where_there_is_nothing_else(void **state)
{
    build b;

    (void)state;
    build_begin(&b, "x.py", "/srv", "x.py");
    build_thread(&b, "MainThread");
    b.process.program_node = build_node(&b, 0, 0, build_python(&b, "serve", "/srv/x.py", 1), 1, 1 * MS, 0);
    build_node(&b, 0, b.process.program_node, build_c(&b, "epoll.poll", "select"), 4, 5000 * MS, 5000 * MS);
    build_end(&b, 5001 * MS);
    page_expect_in_answer(&b, "serve (x.py:1), waiting for other threads or for work (poll)");
    build_free(&b);
}

// A machine with other work: most of the wall time the program wanted to run and could not.
static void
test_starved_program_is_judged_by_the_time_it_had(void **state)
{
    build b;
    uint32_t top;

    (void)state;
    top = begin(&b, 500 * MS);
    build_node(&b, 0, top, build_python(&b, "f", "/srv/x.py", 4), 2, 9500 * MS, 8000 * MS);
    build_end(&b, 10000 * MS);
    page_expect_answer(&b,
                       "assay: 75 % of the 2.00 s that it ran is f (x.py:4), running; 2 calls, all from top level\n");
    build_free(&b);
}

static void
test_function_that_runs_and_waits_is_judged_by_both(void **state)
{
    build b;
    uint32_t top, n;

    (void)state;
    top = begin(&b, 100 * MS);
    n = build_node(&b, 0, top, build_python(&b, "f", "/srv/x.py", 4), 2, 500 * MS, 0);
    build_node(&b, 0, n, build_c(&b, "Cursor.execute", "sqlite3"), 2, 400 * MS, 400 * MS);
    build_end(&b, 1000 * MS);
    page_expect_answer(
        &b,
        "assay: 90 % of 1.00 s is f (x.py:4), 500 ms running, 400 ms waiting (sqlite3); 2 calls, all from top level\n"
        "  of it 500 ms its own code, 400 ms Cursor.execute (waiting)\n");
    build_free(&b);
}

static void
test_run_too_short_to_judge_is_said(void **state)
{
    build b;

    (void)state;
    build_begin(&b, "", "/srv", "");
    build_thread(&b, "MainThread");
    build_node(&b, 0, 0, build_python(&b, "f", "/srv/x.py", 4), 2, 4000, 0);
    build_end(&b, 5000);
    page_expect_answer(&b, "assay: the program took 5.00 µs: too short to say where it went\n");
    build_free(&b);
}

// On 3.11 a comprehension is a function; to a reader it is its function's own time, on every version alike.
static void
test_comprehension_is_part_of_its_function(void **state)
{
    build b;
    uint32_t top, n;

    (void)state;
    top = begin(&b, 1 * MS);
    n = build_node(&b, 0, top, build_python(&b, "lookup", "/srv/x.py", 4), 50, 1 * MS, 0);
    build_node(&b, 0, n, build_python(&b, "lookup.<locals>.<dictcomp>", "/srv/x.py", 5), 50, 900 * MS, 0);
    build_end(&b, 910 * MS);
    page_expect_answer(&b, "assay: 99 % of 910 ms is lookup (x.py:4), running; 50 calls, all from top level\n");
    build_free(&b);
}

// A lock that nobody works under is what the program waits for, an empty queue beside it or not.
static void
test_lock_that_nobody_works_under_is_the_answer(void **state)
{
    build b;
    uint32_t top, acquire, n;

    (void)state;
    top = begin(&b, 1 * MS);
    acquire = build_c(&b, "lock.acquire", "_thread");
    n = build_node(&b, 0, top, build_python(&b, "locked", "/srv/x.py", 3), 1, 0, 0);
    build_node(&b, 0, n, acquire, 1, 300 * MS, 300 * MS);
    n = build_node(&b, 0, top, build_python(&b, "receive", "/srv/x.py", 5), 1, 0, 0);
    build_node(&b, 0, n, build_c(&b, "socket.recv", "_socket"), 1, 100 * MS, 100 * MS);
    n = build_python(&b, "Queue.get", "/usr/lib/python3.13/queue.py", 154);
    n = build_node(&b, 0, top, n, 1, 0, 0);
    build_node(&b, 0, n, acquire, 1, 200 * MS, 200 * MS);
    build_end(&b, 601 * MS);
    page_expect_answer(&b, "assay: 50 % of 601 ms is locked (x.py:3), waiting (lock); 1 call, from top level\n"
                           "  of it 300 ms lock.acquire (waiting)\n");
    page_expect_in_summary(&b, "lock.acquire _thread (waiting)");
    build_free(&b);
}

// While one works, those that wait for its lock are not where the time goes.
static void
test_lock_of_a_thread_that_works_is_not_the_answer(void **state)
{
    build b;
    uint32_t top, acquire, n;

    (void)state;
    top = begin(&b, 1 * MS);
    acquire = build_c(&b, "lock.acquire", "_thread");
    build_node(&b, 0, top, build_python(&b, "work", "/srv/x.py", 3), 1, 900 * MS, 0);
    for (uint32_t t = 1; t < 5; t++) {
        build_thread(&b, "waiter");
        n = build_node(&b, t, 0, build_python(&b, "take", "/srv/x.py", 9), 1, 0, 0);
        build_node(&b, t, n, acquire, 1, 900 * MS, 900 * MS);
    }
    build_end(&b, 1000 * MS);
    page_expect_answer(&b, "assay: 90 % of 1.00 s is work (x.py:3), running; 1 call, from top level\n");
    build_free(&b);
}

// Running and waiting come one after the other: a long wait is the answer although the sum of what runs is larger.
static void
test_running_and_waiting_are_ranked_together(void **state)
{
    build b;
    char name[16];
    uint32_t top, n;

    (void)state;
    top = begin(&b, 1 * MS);
    for (uint32_t i = 0; i < 14; i++) {
        snprintf(name, sizeof name, "work%u", i);
        build_node(&b, 0, top, build_python(&b, name, "/srv/x.py", 10 + i), 1, 50 * MS, 0);
    }
    n = build_node(&b, 0, top, build_python(&b, "fetch", "/srv/x.py", 3), 1, 0, 0);
    build_node(&b, 0, n, build_c(&b, "sleep", "time"), 1, 400 * MS, 400 * MS);
    build_end(&b, 1101 * MS);
    page_expect_in_answer(&b, "assay: 36 % of 1.10 s is fetch (x.py:3), waiting (sleep); 1 call");
    build_free(&b);
}

// A thread that sleeps beside the work does not share the answer with it.
static void
test_sleep_beside_the_work_is_not_the_answer(void **state)
{
    build b;
    uint32_t top, n;

    (void)state;
    top = begin(&b, 300 * MS);
    build_node(&b, 0, top, build_python(&b, "work", "/srv/x.py", 3), 1, 700 * MS, 0);
    build_thread(&b, "heart");
    n = build_node(&b, 1, 0, build_python(&b, "beat", "/srv/x.py", 9), 1, 0, 0);
    build_node(&b, 1, n, build_c(&b, "sleep", "time"), 10, 1000 * MS, 999 * MS);
    build_end(&b, 1000 * MS);
    page_expect_answer(&b, "assay: 70 % of 1.00 s is work (x.py:3), running; 1 call, from top level\n");
    build_free(&b);
}

// Percentages are of the time that the program would have taken without us, as the parts are.
static void
test_own_cost_is_off_the_whole_as_off_the_parts(void **state)
{
    build b;
    uint32_t top, n;

    (void)state;
    top = begin(&b, 0);
    b.process.cost_py_in_ps = 100000;
    b.process.cost_py_out_ps = 100000;
    n = build_node(&b, 0, top, build_python(&b, "loop", "/srv/x.py", 3), 1, 350 * MS, 0);
    build_node(&b, 0, n, build_python(&b, "nothing", "/srv/x.py", 2), 3000000, 350 * MS, 0);
    n = build_node(&b, 0, top, build_python(&b, "nap", "/srv/x.py", 6), 1, 0, 0);
    build_node(&b, 0, n, build_c(&b, "sleep", "time"), 1, 300 * MS, 300 * MS);
    build_end(&b, 1000 * MS);
    page_expect_in_answer(&b, "assay: 75 % of 400 ms is nap (x.py:6), waiting (sleep); 1 call, from top level");
    page_expect_in_summary(&b, "wall 400 ms · running 100 ms");
    page_expect_in_summary(&b, "our own 600 ms taken off");
    build_free(&b);
}

// Our cost in one thread does not shorten what another one slept meanwhile.
static void
test_own_cost_beside_a_sleep_is_not_off_the_wall_time(void **state)
{
    build b;
    uint32_t top;

    (void)state;
    top = begin(&b, 0);
    b.process.cost_py_in_ps = 100000;
    build_node(&b, 0, top, build_c(&b, "sleep", "time"), 1, 1000 * MS, 1000 * MS);
    build_thread(&b, "worker");
    build_node(&b, 1, 0, build_python(&b, "nothing", "/srv/x.py", 2), 3000000, 350 * MS, 0);
    build_end(&b, 1000 * MS);
    page_expect_in_summary(&b, "wall 1.00 s · running 50.0 ms");
    build_free(&b);
}

static void
test_keys_are_in_order_of_what_ran_under_them(void **state)
{
    build b;
    uint32_t top, work, n;

    (void)state;
    top = begin(&b, 0);
    work = build_python(&b, "work", "/srv/x.py", 3);
    n = build_node(&b, 0, top, build_tag(&b, "alpha", "one"), 1, 0, 0);
    build_node(&b, 0, n, work, 1, 100 * MS, 0);
    n = build_node(&b, 0, top, build_tag(&b, "zeta", ""), 1, 0, 0);
    build_node(&b, 0, n, work, 1, 800 * MS, 0);
    build_end(&b, 900 * MS);
    page_expect_in_summary(&b, "\n  zeta: '' 800 ms ▇▇▇▇▇▇▇▇\n  alpha: one 100 ms ▇\n");
    build_free(&b);
}

static void
test_start_up_is_counted_apart(void **state)
{
    build b;

    (void)state;
    build_begin(&b, "x.py", "/srv", "x.py");
    build_thread(&b, "MainThread");
    build_node(&b, 0, 0, build_python(&b, "site", "<frozen site>", 1), 250, 1 * MS, 0);
    b.process.program_node = build_node(&b, 0, 0, build_python(&b, "<module>", "/srv/x.py", 1), 1, 900 * MS, 0);
    build_end(&b, 901 * MS);
    page_expect_in_summary(&b, "  exact: 1 call counted, none lost; 250 more in start-up");
    build_free(&b);
}

static void
expect_awaiting(uint64_t sleeping_ns, const char *part, bool there)
{
    build b;
    asy_profile *p;
    char *text;
    uint32_t root, outer, own, inner, wait;

    build_begin(&b, "x.py", "/srv", "x.py");
    build_thread(&b, "MainThread");
    b.process.program_node = root = build_node(&b, 0, 0, build_tag(&b, "route", "/"), 1, 0, 0);
    outer = build_node(&b, 0, root, build_python(&b, "app", "/usr/lib/python3.12/site-packages/app.py", 1), 1, 0, 0);
    build_suspended(&b, 0, outer, 1, 1 * MS, 90 * MS);
    own = build_node(&b, 0, outer, build_python(&b, "item", "/srv/x.py", 1), 1, 0, 0);
    build_suspended(&b, 0, own, 1, 1 * MS, 89 * MS);
    inner = build_node(&b, 0, own, build_python(&b, "sub", "/srv/x.py", 9), 1, 0, 0);
    build_suspended(&b, 0, inner, 1, 1 * MS, 20 * MS);
    wait = build_c(&b, "sleep", "time");
    build_node(&b, 0, inner, wait, 1, sleeping_ns, sleeping_ns);
    build_end(&b, 93 * MS);
    p = build_load(&b);
    text = page_summary(p, 100, false);
    assert_int_equal(strstr(text, part) != NULL, there);
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

// A recording of one task: it neither runs nor waits while others have the thread.
static void
test_what_a_task_awaits_is_named_where_it_does_little_else(void **state)
{
    (void)state;
    expect_awaiting(0, "awaiting 89.0 ms (item)", true);
    expect_awaiting(60 * MS, "awaiting", false);
}

// Whatever the names: no line is wider than the terminal.
// Modules that do many things: what a thread waits for in them is told by the function.
static void
test_waits_are_named_by_function_where_the_module_does_not_tell(void **state)
{
    static const struct {
        const char *name, *module;
    } calls[] = {
        {"stat", "posix"},     {"DirEntry.is_dir", "posix"}, {"TextIOWrapper.write", "_io"},
        {"kill", "posix"},     {"_exit", "posix"},           {"abort", "posix"},
        {"monotonic", "time"}, {"StringIO.write", "_io"},    {" access", "posix"},
    };
    build b;
    uint32_t top;

    (void)state;
    top = begin(&b, 1 * MS);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        build_node(&b, 0, top, build_c(&b, calls[i].name, calls[i].module), 1, 10 * MS, 10 * MS);
    }
    build_end(&b, 91 * MS);
    page_expect_in_summary(&b, "waiting 90.0 ms (GIL or scheduler 60.0 ms, file 30.0 ms)");
    build_free(&b);
}

static void
test_long_answers_are_wrapped_within_a_clause(void **state)
{
    asy_profile *p;
    build b;
    char *text;
    uint32_t top, n;

    (void)state;
    top = begin(&b, 0);
    n = build_python(&b, "a_function_with_a_rather_long_name_in_it", "/srv/some_directory/another_one/module_of_it.py",
                     3);
    n = build_node(&b, 0, top, n, 1, 500 * MS, 0);
    build_node(&b, 0, n, build_c(&b, "Cursor.execute", "sqlite3"), 2, 400 * MS, 400 * MS);
    build_end(&b, 900 * MS);
    p = build_load(&b);
    text = page_summary(p, 80, false);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_in_range(asy_text_width(line), 1, 80);
    }
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_program_is_answered_by_what_it_waits_for),
        cmocka_unit_test(test_idle_threads_are_not_the_answer),
        cmocka_unit_test(test_idleness_is_the_answer_where_there_is_nothing_else),
        cmocka_unit_test(test_starved_program_is_judged_by_the_time_it_had),
        cmocka_unit_test(test_function_that_runs_and_waits_is_judged_by_both),
        cmocka_unit_test(test_run_too_short_to_judge_is_said),
        cmocka_unit_test(test_comprehension_is_part_of_its_function),
        cmocka_unit_test(test_lock_that_nobody_works_under_is_the_answer),
        cmocka_unit_test(test_lock_of_a_thread_that_works_is_not_the_answer),
        cmocka_unit_test(test_running_and_waiting_are_ranked_together),
        cmocka_unit_test(test_sleep_beside_the_work_is_not_the_answer),
        cmocka_unit_test(test_own_cost_is_off_the_whole_as_off_the_parts),
        cmocka_unit_test(test_own_cost_beside_a_sleep_is_not_off_the_wall_time),
        cmocka_unit_test(test_keys_are_in_order_of_what_ran_under_them),
        cmocka_unit_test(test_start_up_is_counted_apart),
        cmocka_unit_test(test_waits_are_named_by_function_where_the_module_does_not_tell),
        cmocka_unit_test(test_what_a_task_awaits_is_named_where_it_does_little_else),
        cmocka_unit_test(test_long_answers_are_wrapped_within_a_clause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
