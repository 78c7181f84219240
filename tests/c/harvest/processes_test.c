// processes_test.c: many processes: rows that are used again, functions that fork children share with their parents, and groups.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "harvest/model.h"
#include "world.h"

// A process that was forked off another one.
static uint32_t
forked(world *w, uint64_t pid, uint32_t parent, uint64_t funcs, uint64_t ns)
{
    uint32_t slot = mimic_process(&w->agent, pid, START + ns);
    asy_proc *p = &w->agent.procs[slot];

    p->forked_from = w->agent.procs[parent].serial;
    p->inherited_funcs = funcs;
    p->next_func = funcs;
    p->flags = ASY_PROC_F_FORKED;
    return slot;
}

// It calls `func` once and is killed.
static void
live_and_die(world *w, uint32_t slot, uint32_t func, uint64_t ns)
{
    mimic m;

    assert_true(mimic_begin(&m, &w->agent, slot, 100, "MainThread", 1000, START + ns));
    mimic_call(&m, func, ASY_NODE_PY, 1, START + ns + 1);
    mimic_return(&m, 1, START + ns + 2);
    mimic_abandon(&m);
    assert_int_equal(asy_harvest_row_died(w->harvest, slot, START + ns + 10, 1, 0), ASY_OK);
}

static void
a_fork_child_knows_its_parent_s_functions_also_when_that_has_died(void **state)
{
    world *w = world_new(16);
    mimic parent, child;
    uint32_t slot, own, func;

    (void)state;
    begin(w, &parent, "MainThread", 0);
    func = mimic_func(&parent, ASY_NODE_PY, "shared", "a.py", 1);
    mimic_call(&parent, func, ASY_NODE_PY, 1, START + 10);
    slot = forked(w, 5000, w->proc, func + 1, 20);
    mimic_abandon(&parent);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 30, 2, 9), ASY_OK);
    assert_true(mimic_begin(&child, &w->agent, slot, 5000, "MainThread", 1000, START + 40));
    own = mimic_func(&child, ASY_NODE_PY, "own", "a.py", 2);
    assert_int_equal(own, func + 1);
    mimic_call(&child, func, ASY_NODE_PY, 1, START + 50);
    mimic_call(&child, own, ASY_NODE_PY, 2, START + 60);
    mimic_abandon(&child);
    assert_int_equal(asy_harvest_row_died(w->harvest, slot, START + 70, 1, 3), ASY_OK);
    finish_at(w, 100);
    assert_int_equal(fake_node_at(w->writer, 1, "shared/own")->counts.calls, 1);
    assert_int_equal(w->writer->func_count, 2);
    assert_int_equal(w->writer->processes[1].exited, 1);
    assert_int_equal(w->writer->processes[1].status, 3);
    assert_int_equal(chunks_in_use(w), 0);
    world_free(w);
}

static void
processes_that_run_the_same_code_share_its_functions(void **state)
{
    world *w = world_new(16);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t slot = mimic_process(&w->agent, 6000 + i, START + 10 + i);
        mimic m;

        assert_true(mimic_begin(&m, &w->agent, slot, 100, "MainThread", 1000, START + 20));
        for (uint32_t k = 0; k < 2; k++) { // two that look alike stay two
            mimic_call(&m, mimic_func(&m, ASY_NODE_PY, "lambda", "a.py", 1), ASY_NODE_PY, 1, START + 30);
            mimic_return(&m, 1, START + 31);
        }
        mimic_abandon(&m);
        assert_int_equal(asy_harvest_row_died(w->harvest, slot, START + 40, 1, 0), ASY_OK);
    }
    finish_at(w, 100);
    assert_int_equal(w->writer->func_count, 2);
    assert_int_equal(fake_total(w->writer).calls, 6);
    world_free(w);
}

static void
any_number_of_processes_fit_and_from_some_number_on_they_are_counted_together(void **state)
{
    const uint32_t count = ASY_OWN_PROCESSES + 2000;
    world *w = world_new(16);
    mimic parent;
    uint32_t func;

    (void)state;
    begin(w, &parent, "MainThread", 0);
    func = mimic_func(&parent, ASY_NODE_PY, "shared", "a.py", 1);
    for (uint32_t i = 0; i < count; i++) {
        live_and_die(w, forked(w, 10000 + i, w->proc, func + 1, 10 + i), func, 10 + i);
    }
    mimic_abandon(&parent);
    finish_at(w, 10000);
    assert_int_equal(fake_total(w->writer).calls, count);
    assert_int_equal(w->writer->process_count, ASY_OWN_PROCESSES + 1);
    assert_int_equal(w->writer->processes[ASY_OWN_PROCESSES].merged, 1 + count - ASY_OWN_PROCESSES);
    assert_int_equal(w->writer->processes[ASY_OWN_PROCESSES].pid, 0);
    assert_int_equal(w->writer->notes, 1);
    assert_true(w->harvest->proc_top <= 2);
    world_free(w);
}

static void
a_group_s_program_is_where_that_of_its_processes_begins(void **state)
{
    world *w = world_new(16);
    mimic parent;
    uint32_t func;

    (void)state;
    begin(w, &parent, "MainThread", 0);
    func = mimic_func(&parent, ASY_NODE_PY, "shared", "a.py", 1);
    poll_at(w, 5, true);
    w->harvest->own_processes = ASY_LASTING_PROCESSES; // as if so many had been there
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t slot = forked(w, 10000 + i, w->proc, func + 1, 10 + i);
        mimic m;

        assert_true(mimic_begin(&m, &w->agent, slot, 100, "MainThread", 1000, START + 20));
        m.tree.thread->flags = ASY_THREAD_F_MAIN;
        w->agent.procs[slot].program_node = mimic_call(&m, func, ASY_NODE_PY, 1, START + 30);
        w->agent.procs[slot].program_ticks = START + 30;
        mimic_abandon(&m);
        assert_int_equal(asy_harvest_row_died(w->harvest, slot, START + 40, 1, 0), ASY_OK);
    }
    mimic_abandon(&parent);
    finish_at(w, 10000);
    assert_int_equal(w->writer->process_count, 2);
    assert_int_equal(w->writer->processes[1].merged, 5);
    assert_int_equal(w->writer->processes[1].program_ns, 30);
    assert_int_equal(w->writer->processes[1].program_node, 1);
    assert_int_not_equal(w->writer->processes[1].main_thread, UINT32_MAX);
    world_free(w);
}

static void
a_program_that_another_one_follows_has_not_ended_as_the_process_did(void **state)
{
    world *w = world_new(16);
    mimic m;
    uint32_t next;

    (void)state;
    begin(w, &m, "MainThread", 0);
    asy_word_store(&w->agent.procs[w->proc].end_ticks, START + 50);
    next = mimic_process(&w->agent, PID, START + 60);
    w->agent.procs[next].image = 1;
    mimic_abandon(&m);
    assert_int_equal(asy_harvest_process_died(w->harvest, PID, START + 100, 1, 7), ASY_OK);
    finish_at(w, 200);
    assert_int_equal(w->writer->processes[0].exited, 0);
    assert_int_equal(w->writer->processes[0].end_ns, 50);
    assert_int_equal(w->writer->processes[1].exited, 1);
    assert_int_equal(w->writer->processes[1].status, 7);
    assert_int_equal(w->writer->notes, 0); // nothing is missing
    world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_child_knows_its_parent_s_functions_also_when_that_has_died),
        cmocka_unit_test(processes_that_run_the_same_code_share_its_functions),
        cmocka_unit_test(any_number_of_processes_fit_and_from_some_number_on_they_are_counted_together),
        cmocka_unit_test(a_group_s_program_is_where_that_of_its_processes_begins),
        cmocka_unit_test(a_program_that_another_one_follows_has_not_ended_as_the_process_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
