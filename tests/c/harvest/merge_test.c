// merge_test.c: claims about short threads that share a row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harvest/model.h"
#include "world.h"

static void
short_threads_are_merged_by_name_and_path(void **state)
{
    world *w = world_new(32);
    mimic m;
    uint32_t f = 0;
    uint64_t merged = 0;
    char name[64];

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "Thread-%u (worker)", i);
        begin(w, &m, name, i * 10);
        if (f == 0) {
            f = mimic_func(&m, ASY_NODE_PY, "work", "a.py", 1);
        }
        mimic_call(&m, f, ASY_NODE_PY, 1, START + i * 10 + 1);
        mimic_call(&m, f, ASY_NODE_PY, 2, START + i * 10 + 2);
        mimic_return(&m, 2, START + i * 10 + 5);
        mimic_return(&m, 1, START + i * 10 + 6);
        mimic_end(&m, START + i * 10 + 7);
        if (i % 8 == 7) {
            poll_at(w, i * 10 + 9, false);
            assert_true(chunks_in_use(w) <= 16);
        }
    }
    finish_at(w, 40000);
    assert_int_equal(w->writer->thread_count, ASY_OWN_ROWS + 1);
    for (uint32_t i = 0; i < w->writer->thread_count; i++) {
        merged += w->writer->threads[i].row.merged;
    }
    assert_int_equal(merged, 3000);
    assert_string_equal(w->writer->threads[ASY_OWN_ROWS].name, "Thread-* (worker)");
    assert_int_equal(fake_node_at(w->writer, ASY_OWN_ROWS, "work/work")->counts.calls, 3000 - ASY_OWN_ROWS);
    assert_int_equal(fake_total(w->writer).calls, 6000);
    assert_int_equal(fake_total(w->writer).self_ns, 3000 * 7);
    assert_int_equal(asy_harvest_count(w->harvest).threads_seen, 3000);
    assert_int_equal(asy_harvest_count(w->harvest).threads_live, 0);
    assert_int_equal(chunks_in_use(w), 0);
    world_free(w);
}

static void
names_beyond_the_limit_share_a_row(void **state)
{
    world *w = world_new(32);
    mimic m;
    char name[64];

    (void)state;
    for (uint32_t i = 0; i < 700; i++) {
        snprintf(name, sizeof(name), "%c%c-worker", 'a' + (int)i / 26, 'a' + (int)i % 26);
        begin(w, &m, name, i);
        mimic_end(&m, START + i + 1);
        poll_at(w, i + 1, false);
        poll_at(w, i + 1, false);
    }
    finish_at(w, 40000);
    assert_int_equal(w->writer->thread_count, ASY_OWN_ROWS + ASY_NAMES_MERGED + 1);
    assert_string_equal(w->writer->threads[w->writer->thread_count - 1].name, "other threads");
    assert_int_equal(w->writer->threads[w->writer->thread_count - 1].row.merged, 700 - ASY_OWN_ROWS - ASY_NAMES_MERGED);
    world_free(w);
}

static uint64_t
calls_of(const asy_writer *w, const char *name)
{
    uint64_t calls = 0;

    for (uint32_t t = 0; t < w->thread_count; t++) {
        for (uint32_t i = 1; i < w->threads[t].node_count; i++) {
            const fake_node *n = &w->threads[t].nodes[i];

            calls += strcmp(w->funcs[n->func].name, name) == 0 ? n->counts.calls : 0;
        }
    }
    return calls;
}

// A thread of ten ticks: f calls g, g calls f and h. Six ticks of self time are f's, two g's, one h's, one the root's.
static void
nested_thread(world *w, mimic *m, uint32_t *funcs, uint64_t ns)
{
    static const char *const names[] = {"f", "g", "h"};

    begin(w, m, "worker", ns);
    for (int i = 0; i < 3 && funcs[2] == 0; i++) {
        funcs[i] = mimic_func(m, ASY_NODE_PY, names[i], "a.py", 1);
    }
    mimic_call(m, funcs[0], ASY_NODE_PY, 1, START + ns);
    mimic_call(m, funcs[1], ASY_NODE_PY, 2, START + ns + 2);
    mimic_call(m, funcs[0], ASY_NODE_PY, 3, START + ns + 3);
    mimic_return(m, 3, START + ns + 6);
    mimic_call(m, funcs[2], ASY_NODE_PY, 4, START + ns + 7);
    mimic_return(m, 4, START + ns + 8);
    mimic_return(m, 2, START + ns + 8);
    mimic_return(m, 1, START + ns + 9);
    mimic_end(m, START + ns + 10);
}

// The row's root, f and f/g have a node; f/g/f is folded into f, f/g/h gets a flat node.
static void
calls_beyond_the_limit_of_merged_rows_stay_with_their_function(void **state)
{
    world *w = world_new(32);
    uint32_t row = ASY_OWN_ROWS, funcs[3] = {0};
    mimic m;

    (void)state;
    w->harvest->merged_limit = 3;
    w->agent.head->losses[ASY_LOSS_FOLDS] = 5; // what the agents folded
    for (uint32_t i = 0; i < ASY_OWN_ROWS + 100; i++) {
        nested_thread(w, &m, funcs, i * 20);
        poll_at(w, i * 20 + 15, i % 64 == 0);
    }
    finish_at(w, 40000);
    assert_int_equal(w->writer->thread_count, row + 1);
    assert_int_equal(w->writer->threads[row].node_count, 4);
    assert_int_equal(fake_node_at(w->writer, row, "f")->counts.calls, 200);
    assert_int_equal(fake_node_at(w->writer, row, "f")->counts.self_ns, 600);
    assert_int_equal(fake_node_at(w->writer, row, "f/g")->counts.calls, 100);
    assert_int_equal(fake_node_at(w->writer, row, "f/g")->counts.self_ns, 200);
    assert_int_equal(fake_node_at(w->writer, row, "h")->counts.calls, 100);
    assert_int_equal(fake_node_at(w->writer, row, "h")->kind, ASY_NODE_PY | ASY_NODE_F_FOLDED);
    assert_int_equal(calls_of(w->writer, "f"), 2 * (ASY_OWN_ROWS + 100));
    assert_int_equal(calls_of(w->writer, "h"), ASY_OWN_ROWS + 100);
    assert_int_equal(fake_total(w->writer).self_ns, (ASY_OWN_ROWS + 100) * 10);
    assert_int_equal(w->writer->losses[ASY_LOSS_FOLDS], 5 + 200);
    assert_int_equal(w->writer->losses[ASY_LOSS_EVENTS], 0);
    world_free(w);
}

static void
numbers_in_names_are_generalised(void **state)
{
    static const char *const pairs[][2] = {
        {"Thread-12 (worker)", "Thread-* (worker)"},
        {"ThreadPoolExecutor-0_3", "ThreadPoolExecutor-*_*"},
        {"Thread-12 (work_2)", "Thread-* (work_2)"},
        {"5t66-w", "*t*-w"},
        {"MainThread", "MainThread"},
        {"7", "*"},
        {"", ""},
        {"a (b) 9", "a (b) *"},
        {"(x)", "(x)"},
    };
    char out[ASY_NAME_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        uint32_t len = asy_names_merged(pairs[i][0], (uint32_t)strlen(pairs[i][0]), out);

        assert_int_equal(len, strlen(pairs[i][1]));
        assert_memory_equal(out, pairs[i][1], len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_threads_are_merged_by_name_and_path),
        cmocka_unit_test(names_beyond_the_limit_share_a_row),
        cmocka_unit_test(calls_beyond_the_limit_of_merged_rows_stay_with_their_function),
        cmocka_unit_test(numbers_in_names_are_generalised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
