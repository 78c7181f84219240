// harvest_test.c: claims about what of an arena reaches a recording.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harvest/harvest.h"
#include "harvest/map.h"
#include "harvest/model.h"
#include "world.h"

static void
a_thread_that_ended_is_whole_and_its_chunks_are_free(void **state)
{
    world *w = world_new(8);
    mimic m;
    uint32_t f, g;

    (void)state;
    begin(w, &m, "MainThread", 100);
    f = mimic_func(&m, ASY_NODE_PY, "main", "first.py", 3);
    g = mimic_func(&m, ASY_NODE_C, "sleep", "time", 0);
    mimic_call(&m, f, ASY_NODE_PY, 1, START + 150);
    for (uint64_t i = 0; i < 3; i++) {
        mimic_call(&m, g, ASY_NODE_C, 2, START + 200 + i * 100);
        mimic_return(&m, 2, START + 240 + i * 100);
    }
    mimic_return(&m, 1, START + 500);
    m.cpu_ns = 77;
    mimic_end(&m, START + 700);
    poll_at(w, 800, false);
    poll_at(w, 900, false);
    assert_int_equal(chunks_in_use(w), 0);
    finish_at(w, 1000);
    assert_int_equal(w->writer->thread_count, 1);
    assert_string_equal(w->writer->threads[0].name, "MainThread");
    assert_int_equal(w->writer->threads[0].row.start_ns, 100);
    assert_int_equal(w->writer->threads[0].row.end_ns, 700);
    assert_int_equal(w->writer->threads[0].row.cpu_ns, 77);
    assert_int_equal(w->writer->threads[0].row.ended, 1);
    assert_int_equal(fake_node_at(w->writer, 0, "main")->counts.calls, 1);
    assert_int_equal(fake_node_at(w->writer, 0, "main")->counts.self_ns, 350 - 120);
    assert_int_equal(fake_node_at(w->writer, 0, "main/sleep")->counts.calls, 3);
    assert_int_equal(fake_node_at(w->writer, 0, "main/sleep")->counts.self_ns, 120);
    assert_int_equal(fake_node_at(w->writer, 0, "")->counts.self_ns, 250);
    assert_int_equal(fake_total(w->writer).self_ns, 600);
    assert_int_equal(w->writer->processes[0].main_thread, 0);
    assert_string_equal(w->writer->funcs[0].file, "first.py");
    world_free(w);
}

static void
open_calls_end_at_the_death_of_the_process(void **state)
{
    world *w = world_new(8);
    mimic m;
    uint32_t f, g;

    (void)state;
    begin(w, &m, "MainThread", 0);
    f = mimic_func(&m, ASY_NODE_PY, "main", "a.py", 1);
    g = mimic_func(&m, ASY_NODE_PY, "fib", "a.py", 2);
    mimic_call(&m, f, ASY_NODE_PY, 1, START + 100);
    for (uint64_t i = 0; i < 3; i++) {
        mimic_call(&m, g, ASY_NODE_PY, 2 + i, START + 200 + i);
    }
    mimic_abandon(&m);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 700, 2, 9), ASY_OK);
    assert_int_equal(chunks_in_use(w), 0);
    finish_at(w, 5000);
    assert_int_equal(fake_node_at(w->writer, 0, "main")->counts.open, 1);
    assert_int_equal(fake_node_at(w->writer, 0, "main/fib/fib/fib")->counts.open, 1);
    assert_int_equal(fake_node_at(w->writer, 0, "main/fib/fib/fib")->counts.self_ns, 498);
    assert_int_equal(fake_node_at(w->writer, 0, "main/fib/fib/fib")->counts.wait_ns, 0); // below the gap limit
    assert_int_equal(fake_total(w->writer).self_ns, 700);
    assert_int_equal(w->writer->threads[0].row.ended, 0);
    assert_int_equal(w->writer->threads[0].row.end_ns, 700);
    assert_int_equal(w->writer->processes[0].end_ns, 700);
    assert_int_equal(w->writer->processes[0].exited, 2);
    assert_int_equal(w->writer->processes[0].status, 9);
    world_free(w);
}

static void
a_long_open_call_counts_as_waiting_unless_its_cpu_time_is_known(void **state)
{
    world *w = world_new(8);
    mimic killed, ended;
    uint32_t f;

    (void)state;
    begin(w, &killed, "killed", 0);
    begin(w, &ended, "ended", 0);
    f = mimic_func(&killed, ASY_NODE_C, "sleep", "time", 0);
    mimic_call(&killed, f, ASY_NODE_C, 1, START + 100);
    mimic_call(&ended, f, ASY_NODE_C, 1, START + 100);
    asy_word_store(&ended.tree.thread->end_cpu_ns, 3000);
    asy_word_store(&ended.tree.thread->end_ticks, START + 50100); // left without a return event
    asy_arena_end(&w->agent, ended.chunk);
    mimic_abandon(&ended);
    mimic_abandon(&killed);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 90100, 2, 9), ASY_OK);
    finish_at(w, 100000);
    for (uint32_t i = 0; i < 2; i++) {
        const fake_node *n = fake_node_at(w->writer, i, "sleep");

        if (w->writer->threads[i].row.ended) {
            assert_int_equal(n->counts.self_ns, 50000);
            assert_int_equal(n->counts.wait_ns, 50000 - (3000 - 100)); // 100 were between events
        } else {
            assert_int_equal(n->counts.self_ns, 90000);
            assert_int_equal(n->counts.wait_ns, 90000);
        }
    }
    world_free(w);
}

// A real thread, this one: it runs for 30 ms of its CPU clock inside a call that never returns.
static void
an_open_call_of_a_killed_process_ran_as_it_was_last_seen(void **state)
{
    world *w = world_new(8);
    mimic m;
    uint32_t f, proc;
    uint64_t from, cpu, ran, now;

    (void)state;
    asy_harvest_free(w->harvest);
    from = asy_clock_ns();
    assert_int_equal(asy_harvest_new(&w->program, w->writer, (asy_clock_pair){from, from}, &w->harvest), ASY_OK);
    proc = mimic_process(&w->agent, (uint64_t)getpid(), from);
    assert_true(mimic_begin(&m, &w->agent, proc, (uint64_t)gettid(), "busy", 1000, from));
    f = mimic_func(&m, ASY_NODE_C, "dot", "numpy", 0);
    mimic_call(&m, f, ASY_NODE_C, 1, from);
    usleep(1000); // the kernel adds up at a switch
    cpu = asy_clock_thread_cpu_ns();
    asy_word_store(&m.tree.thread->cpu_read_ns, cpu);
    while (asy_clock_thread_cpu_ns() < cpu + 30000000) {
    }
    usleep(1000);
    now = asy_clock_ns();
    ran = asy_clock_thread_cpu_ns() - cpu;
    assert_int_equal(asy_harvest_poll(w->harvest, (asy_clock_pair){now, now}, true), ASY_OK);
    assert_int_equal(asy_harvest_poll(w->harvest, (asy_clock_pair){now, now}, true), ASY_OK);
    assert_int_equal(fake_node_at(w->writer, 0, "dot")->counts.self_ns, now - from);
    assert_true(llabs((int64_t)(now - from - ran) - (int64_t)fake_node_at(w->writer, 0, "dot")->counts.wait_ns) <
                5000000);
    assert_true(w->writer->threads[0].row.cpu_ns >= ran - 5000000);
    // Killed when as much time again has passed: the second half counts like the first.
    assert_int_equal(asy_harvest_process_died(w->harvest, (uint64_t)getpid(), now + (now - from), 2, 9), ASY_OK);
    assert_int_equal(fake_node_at(w->writer, 0, "dot")->counts.self_ns, 2 * (now - from));
    assert_true(llabs((int64_t)(2 * (now - from - ran)) - (int64_t)fake_node_at(w->writer, 0, "dot")->counts.wait_ns) <
                10000000);
    mimic_abandon(&m);
    world_free(w);
}

static void
a_checkpoint_writes_only_what_changed(void **state)
{
    world *w = world_new(16);
    mimic m;
    uint32_t funcs[50];
    uint64_t before;

    (void)state;
    begin(w, &m, "MainThread", 0);
    for (uint32_t i = 0; i < 50; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", i);
        funcs[i] = mimic_func(&m, ASY_NODE_PY, name, "a.py", i);
        mimic_call(&m, funcs[i], ASY_NODE_PY, 1, START + 10 + i * 2);
        mimic_return(&m, 1, START + 11 + i * 2);
    }
    poll_at(w, 200, true);
    poll_at(w, 300, true);
    assert_int_equal(fake_total(w->writer).calls, 50);
    before = w->writer->count_rows;
    mimic_call(&m, funcs[7], ASY_NODE_PY, 1, START + 400);
    mimic_return(&m, 1, START + 410);
    poll_at(w, 500, true);
    assert_int_equal(w->writer->count_rows - before, 2); // f7, and the root that waits
    assert_int_equal(fake_node_at(w->writer, 0, "f7")->counts.calls, 2);
    assert_int_equal(fake_total(w->writer).self_ns, 500); // what is open counts up to now
    before = w->writer->count_rows;
    poll_at(w, 600, false);
    assert_int_equal(w->writer->count_rows, before);
    mimic_end(&m, START + 700);
    finish_at(w, 800);
    assert_int_equal(fake_total(w->writer).self_ns, 700);
    world_free(w);
}

static void
deep_stacks_and_many_nodes_span_chunks(void **state)
{
    world *w = world_new(64);
    mimic m;
    uint32_t f;
    const fake_thread *t;

    (void)state;
    begin(w, &m, "MainThread", 0);
    f = mimic_func(&m, ASY_NODE_PY, "down", "a.py", 1);
    for (uint64_t d = 0; d < 9000; d++) { // nodes in 9 chunks, frames in 2
        mimic_call(&m, f, ASY_NODE_PY, 1 + d, START + d);
    }
    poll_at(w, 8999, true);
    poll_at(w, 8999, true);
    t = &w->writer->threads[0];
    assert_int_equal(t->node_count, 9001);
    assert_int_equal(fake_total(w->writer).open, 9000);
    assert_int_equal(fake_total(w->writer).calls, 9000);
    for (uint32_t i = 2; i < 9000; i++) {
        assert_int_equal(t->nodes[i].parent, i - 1);
        assert_int_equal(t->nodes[i].counts.self_ns, 1);
    }
    for (uint64_t d = 9000; d-- > 0;) {
        mimic_return(&m, 1 + d, START + 20000 - d);
    }
    mimic_end(&m, START + 30000);
    finish_at(w, 40000);
    assert_int_equal(chunks_in_use(w), 0);
    assert_int_equal(fake_total(w->writer).open, 0);
    assert_int_equal(fake_total(w->writer).self_ns, 30000);
    world_free(w);
}

static void
nodes_wait_for_their_symbol_and_get_a_question_mark_at_last(void **state)
{
    world *w = world_new(8);
    mimic m;
    uint32_t late, never;
    asy_text text[3] = {{"late", 4}, {"late", 4}, {"a.py", 4}};

    (void)state;
    begin(w, &m, "MainThread", 0);
    poll_at(w, 5, true);
    late = mimic_new_func(&m);
    never = mimic_new_func(&m);
    mimic_call(&m, late, ASY_NODE_PY, 1, START + 10);
    mimic_return(&m, 1, START + 20);
    poll_at(w, 30, true);
    assert_int_equal(w->writer->threads[0].node_count, 1); // held back
    assert_true(mimic_symbol(&m, late, ASY_NODE_PY, 1, text, 3));
    mimic_call(&m, never, ASY_NODE_PY, 1, START + 40);
    mimic_return(&m, 1, START + 50);
    poll_at(w, 60, true);
    assert_int_equal(w->writer->threads[0].node_count, 2);
    assert_int_equal(fake_node_at(w->writer, 0, "late")->counts.calls, 1);
    mimic_end(&m, START + 70);
    finish_at(w, 80);
    assert_int_equal(fake_node_at(w->writer, 0, "?")->counts.calls, 1);
    assert_int_equal(w->writer->processes[0].losses[ASY_LOSS_SYMBOLS], 1);
    world_free(w);
}

static void
symbol_chunks_are_freed_when_they_are_read(void **state)
{
    world *w = world_new(8);
    mimic m;
    char name[1001];

    (void)state;
    begin(w, &m, "MainThread", 0);
    memset(name, 'n', 1000);
    name[1000] = '\0';
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 50; i++) { // 2 KiB each: more than a chunk a round
            assert_int_not_equal(mimic_func(&m, ASY_NODE_PY, name, "a.py", 1), 0);
        }
        poll_at(w, round, false);
        assert_true(chunks_in_use(w) <= 4);
    }
    assert_int_equal(w->writer->func_count, 1000);
    mimic_end(&m, START + 70);
    finish_at(w, 80);
    assert_int_equal(chunks_in_use(w), 0);
    world_free(w);
}

static void
pinned_chunks_are_copied_but_stay(void **state)
{
    world *w = world_new(8);
    mimic m;

    (void)state;
    begin(w, &m, "MainThread", 0);
    __atomic_store_n(&w->agent.procs[w->proc].pins, 1, __ATOMIC_RELEASE);
    mimic_end(&m, START + 5);
    poll_at(w, 10, false);
    poll_at(w, 20, true);
    assert_int_equal(chunks_in_use(w), 1);
    assert_int_equal(w->writer->threads[0].row.ended, 1);
    __atomic_store_n(&w->agent.procs[w->proc].pins, 0, __ATOMIC_RELEASE);
    poll_at(w, 30, false);
    assert_int_equal(chunks_in_use(w), 0);
    world_free(w);
}

static void
a_claim_that_was_never_filled_is_freed(void **state)
{
    world *w = world_new(8);
    uint32_t index;
    void *data;

    (void)state;
    assert_int_equal(asy_arena_claim(&w->agent, w->proc, 5, &index, &data), ASY_OK);
    poll_at(w, 10, true);
    assert_int_equal(chunks_in_use(w), 1); // its owner may still fill it
    asy_arena_end(&w->agent, index);
    poll_at(w, 20, true);
    assert_int_equal(chunks_in_use(w), 0);
    assert_int_equal(asy_arena_claim(&w->agent, w->proc, 5, &index, &data), ASY_OK);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 30, 1, 0), ASY_OK);
    assert_int_equal(chunks_in_use(w), 0);
    world_free(w);
}

static void
the_process_says_what_it_is(void **state)
{
    world *w = world_new(8);
    asy_proc *p = &w->agent.procs[w->proc];
    asy_text argv[] = {{"/usr/bin/python3", 16}, {"/srv", 4}, {"python3", 7},
                       {"my script.py", 12},     {"", 0},     {"it's", 4}};
    mimic m;

    (void)state;
    begin(w, &m, "MainThread", 0);
    assert_true(mimic_symbol(&m, 0, ASY_SYMBOL_PROCESS, 0, argv, 6));
    p->cost_py_in = 10 * 1024;
    p->cost_c_out = 512;
    p->program_ticks = START + 40;
    p->program_node = 1;
    p->resident_bytes = 99;
    p->losses[ASY_LOSS_FORKS] = 3;
    mimic_call(&m, mimic_func(&m, ASY_NODE_PY, "<module>", "a.py", 1), ASY_NODE_PY, 1, START + 40);
    mimic_end(&m, START + 50);
    finish_at(w, 80);
    assert_string_equal(w->writer->commands[0], "python3 'my script.py' '' 'it'\\''s'");
    assert_memory_equal(w->writer->processes[0].cwd.bytes, "/srv", 4);
    assert_int_equal(w->writer->processes[0].pid, PID);
    assert_int_equal(w->writer->processes[0].cost_py_in_ps, 10000);
    assert_int_equal(w->writer->processes[0].cost_c_out_ps, 500);
    assert_int_equal(w->writer->processes[0].program_ns, 40);
    assert_int_equal(w->writer->processes[0].program_end_ns, 0);
    assert_int_equal(w->writer->processes[0].program_node, 1);
    assert_int_equal(w->writer->processes[0].resident_bytes, 99);
    assert_int_equal(w->writer->processes[0].losses[ASY_LOSS_FORKS], 3);
    assert_int_equal(w->writer->processes[0].python_version, 0x030C0100);
    world_free(w);
}

static void
what_lives_at_the_end_is_taken_as_it_stands(void **state)
{
    world *w = world_new(600);
    static mimic m[400];
    uint32_t f = 0;

    (void)state;
    for (uint32_t i = 0; i < 400; i++) {
        begin(w, &m[i], "server", i);
        if (f == 0) {
            f = mimic_func(&m[i], ASY_NODE_PY, "serve", "a.py", 1);
        }
        mimic_call(&m[i], f, ASY_NODE_PY, 1, START + i + 1);
    }
    finish_at(w, 500);
    assert_int_equal(w->writer->thread_count, 400); // alive at the end: each by itself
    assert_int_equal(fake_total(w->writer).calls, 400);
    assert_int_equal(fake_total(w->writer).open, 400);
    for (uint32_t i = 0; i < 400; i++) {
        mimic_abandon(&m[i]);
    }
    world_free(w);
}

// 40 threads that wait in one call for `days`.
static void
expect_all_of_a_long_run(uint64_t days, uint64_t ticks_per_us)
{
    world *w = world_new(64);
    uint64_t us = days * 86400 * 1000000, ticks = us * ticks_per_us;
    mimic m[40];

    asy_harvest_free(w->harvest);
    w->agent.head->clock = ASY_CLOCK_COUNTER;
    assert_int_equal(asy_harvest_new(&w->program, w->writer, (asy_clock_pair){START, 0}, &w->harvest), ASY_OK);
    for (uint32_t i = 0; i < 40; i++) {
        begin(w, &m[i], "waits", 0);
        mimic_call(&m[i], mimic_func(&m[i], ASY_NODE_C, "wait", "m", 0), ASY_NODE_C, 1, START);
        mimic_return(&m[i], 1, START + ticks);
        mimic_end(&m[i], START + ticks);
    }
    assert_int_equal(asy_harvest_finish(w->harvest, (asy_clock_pair){START + ticks, us * 1000}), ASY_OK);
    assert_int_equal(fake_total(w->writer).calls, 40);
    assert_int_equal(fake_total(w->writer).self_ns, 40 * us * 1000);
    assert_int_equal(asy_harvest_count(w->harvest).damaged_chunks, 0);
    world_free(w);
}

static void
many_threads_of_many_days_are_counted_to_the_end(void **state)
{
    (void)state;
    expect_all_of_a_long_run(60, 2600);   // an x86-64 machine
    expect_all_of_a_long_run(600, 24);    // an aarch64 one
    expect_all_of_a_long_run(600, 20000); // more ticks than 64 bits hold
}

static void
a_failing_writer_stops_the_harvest(void **state)
{
    world *w = world_new(8);
    mimic m;

    (void)state;
    begin(w, &m, "MainThread", 0);
    mimic_abandon(&m);
    w->writer->fail = ASY_ENOSPC;
    assert_int_equal(asy_harvest_poll(w->harvest, at(5), true), ASY_ENOSPC);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 6, 1, 0), ASY_ENOSPC);
    assert_int_equal(asy_harvest_finish(w->harvest, at(7)), ASY_ENOSPC);
    world_free(w);
}

static void
a_map_keeps_what_is_not_removed(void **state)
{
    asy_map m = {0};
    uint64_t v;

    (void)state;
    assert_false(asy_map_get(&m, 1, &v));
    for (uint64_t i = 1; i <= 2000; i++) {
        assert_int_equal(asy_map_put(&m, i * 64, i), ASY_OK);
    }
    for (uint64_t i = 1; i <= 2000; i += 3) {
        asy_map_remove(&m, i * 64);
        asy_map_remove(&m, i * 64);
    }
    for (uint64_t i = 1; i <= 2000; i++) {
        assert_int_equal(asy_map_get(&m, i * 64, &v), i % 3 != 1);
        if (i % 3 != 1) {
            assert_int_equal(v, i);
        }
    }
    asy_map_clear(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_ended_is_whole_and_its_chunks_are_free),
        cmocka_unit_test(open_calls_end_at_the_death_of_the_process),
        cmocka_unit_test(a_long_open_call_counts_as_waiting_unless_its_cpu_time_is_known),
        cmocka_unit_test(an_open_call_of_a_killed_process_ran_as_it_was_last_seen),
        cmocka_unit_test(a_checkpoint_writes_only_what_changed),
        cmocka_unit_test(deep_stacks_and_many_nodes_span_chunks),
        cmocka_unit_test(nodes_wait_for_their_symbol_and_get_a_question_mark_at_last),
        cmocka_unit_test(symbol_chunks_are_freed_when_they_are_read),
        cmocka_unit_test(pinned_chunks_are_copied_but_stay),
        cmocka_unit_test(a_claim_that_was_never_filled_is_freed),
        cmocka_unit_test(the_process_says_what_it_is),
        cmocka_unit_test(what_lives_at_the_end_is_taken_as_it_stands),
        cmocka_unit_test(many_threads_of_many_days_are_counted_to_the_end),
        cmocka_unit_test(a_failing_writer_stops_the_harvest),
        cmocka_unit_test(a_map_keeps_what_is_not_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
