// view_test.c: what a view says of recordings whose truth is known.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "report/rows.h"
#include "report/tag_tables.h"
#include "report/tags.h"
#include "report/view.h"

static asy_view *
view_of(const asy_profile *p, const asy_view_select *select)
{
    asy_view_select all = {.part = ASY_VIEW_PROGRAM};
    asy_view *v;

    assert_int_equal(asy_view_make(p, select == NULL ? &all : select, &v), ASY_OK);
    return v;
}

static const asy_row *
row_of(const asy_row *rows, uint32_t count, uint32_t func)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].func == func) {
            return &rows[i];
        }
    }
    fail_msg("no row for function %u", func);
    return NULL;
}

static asy_row
flat_row(const asy_view *v, uint32_t func)
{
    asy_row *rows;
    asy_row row;
    uint32_t count;

    assert_int_equal(asy_rows_flat(v, &rows, &count), ASY_OK);
    row = *row_of(rows, count, func);
    free(rows);
    return row;
}

// What `links` finds for `func`: `count` rows. Returns that of `other`.
static asy_row
link_row(asy_status links(const asy_view *, uint32_t, asy_row **, uint32_t *), const asy_view *v, uint32_t func,
         uint32_t count, uint32_t other)
{
    asy_row *rows;
    asy_row row;
    uint32_t found;

    assert_int_equal(links(v, func, &rows, &found), ASY_OK);
    assert_int_equal(found, count);
    row = *row_of(rows, found, other);
    free(rows);
    return row;
}

// fib → fib → fib, once beside it below g.
static void
test_recursion_counts_total_once(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    asy_row fib;
    uint32_t f, g, n;

    (void)state;
    build_begin(&b, "", "/p", "");
    f = build_python(&b, "fib", "/p/x.py", 1);
    g = build_python(&b, "g", "/p/x.py", 9);
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, 0, f, 1, 10, 0);
    n = build_node(&b, 0, n, f, 2, 20, 0);
    n = build_node(&b, 0, n, g, 4, 100, 0);
    build_node(&b, 0, n, f, 4, 40, 0);
    n = build_node(&b, 0, 0, g, 1, 5, 0);
    build_node(&b, 0, n, f, 3, 30, 0);
    build_end(&b, 1000);
    p = build_load(&b);
    v = view_of(p, NULL);
    fib = flat_row(v, f);
    assert_int_equal(fib.calls, 10);
    assert_int_equal(fib.primitive, 1 + 3);
    assert_int_equal(fib.self_ns, 100);
    assert_int_equal(fib.total_ns, 170 + 30);
    assert_int_equal(flat_row(v, g).total_ns, 140 + 35);
    assert_int_equal(flat_row(v, g).primitive, 5);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_callers_and_callees_add_up_to_the_total(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    asy_row row;
    uint32_t f, x, y, leaf, n;

    (void)state;
    build_begin(&b, "", "/p", "");
    f = build_python(&b, "f", "/p/x.py", 1);
    x = build_python(&b, "x", "/p/x.py", 2);
    y = build_python(&b, "y", "/p/x.py", 3);
    leaf = build_c(&b, "len", "builtins");
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, build_node(&b, 0, 0, x, 1, 1, 0), f, 2, 10, 0);
    build_node(&b, 0, n, leaf, 7, 70, 0);
    n = build_node(&b, 0, n, f, 1, 5, 0); // recursion
    build_node(&b, 0, n, leaf, 1, 9, 0);
    n = build_node(&b, 0, build_node(&b, 0, 0, y, 1, 1, 0), f, 5, 50, 0);
    build_node(&b, 0, n, leaf, 3, 30, 0);
    build_end(&b, 1000);
    p = build_load(&b);
    v = view_of(p, NULL);

    assert_int_equal(link_row(asy_rows_callers, v, f, 3, x).total_ns, 94);
    assert_int_equal(link_row(asy_rows_callers, v, f, 3, y).total_ns, 80);
    assert_int_equal(link_row(asy_rows_callers, v, f, 3, f).calls, 1);
    assert_int_equal(link_row(asy_rows_callers, v, f, 3, f).total_ns, 14); // within the 94
    assert_int_equal(flat_row(v, f).total_ns, 94 + 80);

    row = link_row(asy_rows_callees, v, f, 2, leaf);
    assert_int_equal(row.calls, 11);
    assert_int_equal(row.total_ns + flat_row(v, f).self_ns, flat_row(v, f).total_ns);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

// main → fib → fib → fib, and main → even → odd → even → odd: each caller has the time of the outermost calls it made.
static void
test_callers_of_a_recursive_function_have_its_time_once_each(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    asy_row row;
    uint32_t m, fib, even, odd, n, top;

    (void)state;
    build_begin(&b, "", "/p", "");
    m = build_python(&b, "main", "/p/x.py", 1);
    fib = build_python(&b, "fib", "/p/x.py", 2);
    even = build_python(&b, "even", "/p/x.py", 3);
    odd = build_python(&b, "odd", "/p/x.py", 4);
    build_thread(&b, "MainThread");
    top = build_node(&b, 0, 0, m, 1, 1, 0);
    n = build_node(&b, 0, top, fib, 1, 10, 0);
    n = build_node(&b, 0, n, fib, 2, 20, 10);
    build_node(&b, 0, n, fib, 4, 40, 0);
    n = build_node(&b, 0, top, even, 1, 100, 0);
    n = build_node(&b, 0, n, odd, 1, 200, 0);
    n = build_node(&b, 0, n, even, 1, 300, 0);
    build_node(&b, 0, n, odd, 1, 400, 0);
    build_end(&b, 2000);
    p = build_load(&b);
    v = view_of(p, NULL);

    row = link_row(asy_rows_callers, v, fib, 2, m);
    assert_int_equal(row.primitive, 1);
    assert_int_equal(row.total_ns, 70);
    row = link_row(asy_rows_callers, v, fib, 2, fib);
    assert_int_equal(row.calls, 6);
    assert_int_equal(row.primitive, 0);
    assert_int_equal(row.total_ns, 60);
    assert_int_equal(row.total_wait_ns, 10);
    row = link_row(asy_rows_callees, v, fib, 1, fib);
    assert_int_equal(row.calls, 6);
    assert_int_equal(row.primitive, 0);
    assert_int_equal(row.total_ns, 60);

    assert_int_equal(link_row(asy_rows_callers, v, even, 2, m).total_ns, 1000);
    assert_int_equal(link_row(asy_rows_callers, v, even, 2, odd).total_ns, 700);
    row = link_row(asy_rows_callers, v, odd, 1, even);
    assert_int_equal(row.calls, 2);
    assert_int_equal(row.primitive, 1);
    assert_int_equal(row.total_ns, 900);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

// Costs: 2 ns in and 1 ns out of a Python call, 3 and 4 of a C call.
static void
test_own_cost_comes_off_callee_and_caller(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    uint32_t f, c, n;

    (void)state;
    build_begin(&b, "", "/p", "");
    f = build_python(&b, "f", "/p/x.py", 1);
    c = build_c(&b, "len", "builtins");
    b.process.cost_py_in_ps = 2000;
    b.process.cost_py_out_ps = 1000;
    b.process.cost_c_in_ps = 3000;
    b.process.cost_c_out_ps = 4000;
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, 0, f, 10, 1000, 500);
    build_node(&b, 0, n, c, 100, 310, 300);
    build_end(&b, 5000);
    p = build_load(&b);
    v = view_of(p, NULL);
    // f: 10 × 2 + 100 × 4 = 420 off the 500 that ran; len: 300 off, but only 10 ran.
    assert_int_equal(flat_row(v, f).self_ns, 1000 - 420);
    assert_int_equal(flat_row(v, f).wait_ns, 500);
    assert_int_equal(flat_row(v, c).self_ns, 300);
    assert_int_equal(v->taken_off_ns, 430);
    assert_int_equal(v->uncertain_ns, 290 + 10); // and 10 × 1 that f's caller, the root, did not have
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_threads_merge_by_path(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    uint32_t f, g;

    (void)state;
    build_begin(&b, "", "/p", "");
    f = build_python(&b, "f", "/p/x.py", 1);
    g = build_python(&b, "g", "/p/x.py", 2);
    for (uint32_t t = 0; t < 3; t++) {
        build_thread(&b, t == 2 ? "other" : "worker");
        build_node(&b, t, build_node(&b, t, 0, f, 1, 10, 0), g, 2, 5, 0);
    }
    build_end(&b, 100);
    p = build_load(&b);
    v = view_of(p, NULL);
    assert_int_equal(v->node_count, 3);
    assert_int_equal(v->threads, 3);
    assert_int_equal(flat_row(v, g).calls, 6);
    assert_int_equal(v->nodes[0].total_ns, 45);
    asy_view_free(v);
    v = view_of(p, &(asy_view_select){.thread = "worker"});
    assert_int_equal(v->threads, 2);
    assert_int_equal(flat_row(v, g).calls, 4);
    asy_view_free(v);
    v = view_of(p, &(asy_view_select){.thread = "3"});
    assert_int_equal(flat_row(v, g).calls, 2);
    asy_view_free(v);
    v = view_of(p, &(asy_view_select){.thread = "nobody"});
    assert_int_equal(v->threads, 0);
    assert_int_equal(v->node_count, 1);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_program_and_startup_are_apart(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    uint32_t boot, module, f, n;

    (void)state;
    build_begin(&b, "x.py", "/p", "x.py");
    boot = build_python(&b, "_run", "<frozen runpy>", 1);
    module = build_python(&b, "<module>", "/p/x.py", 1);
    f = build_python(&b, "f", "/p/x.py", 2);
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, 0, boot, 1, 100, 40);
    b.process.program_node = build_node(&b, 0, n, module, 1, 10, 0);
    build_node(&b, 0, b.process.program_node, f, 3, 30, 0);
    build_node(&b, 0, n, f, 1, 7, 0); // at exit
    build_thread(&b, "worker");
    build_node(&b, 1, 0, f, 5, 50, 0);
    build_end(&b, 1000);
    p = build_load(&b);

    v = view_of(p, NULL);
    assert_int_equal(flat_row(v, f).calls, 8);
    assert_int_equal(v->startup.calls, 2);
    assert_int_equal(v->startup.self_ns, 107);
    assert_int_equal(v->startup.wait_ns, 40);
    assert_int_equal(v->nodes[v->nodes[0].first_child].func, module);
    asy_view_free(v);

    v = view_of(p, &(asy_view_select){.part = ASY_VIEW_STARTUP});
    assert_int_equal(flat_row(v, f).calls, 1);
    assert_int_equal(v->nodes[0].total_ns, 107);
    asy_view_free(v);

    v = view_of(p, &(asy_view_select){.part = ASY_VIEW_ALL});
    assert_int_equal(flat_row(v, f).calls, 9);
    assert_int_equal(v->nodes[0].total_ns, 197);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

// A runtime that was initialised again runs the same code once more, below the first time: no recursion.
static void
test_program_that_runs_again_is_no_recursion(void **state)
{
    static const asy_view_part parts[] = {ASY_VIEW_PROGRAM, ASY_VIEW_ALL};
    build b;
    asy_profile *p;
    uint32_t module, f, n;

    (void)state;
    build_begin(&b, "x", "/p", "");
    module = build_python(&b, "<module>", "<string>", 1);
    f = build_python(&b, "f", "<string>", 2);
    build_thread(&b, "MainThread");
    n = b.process.program_node = build_node(&b, 0, 0, module, 1, 10, 0);
    build_node(&b, 0, n, f, 3, 30, 0);
    n = build_node(&b, 0, n, module, 2, 20, 0);
    n = build_node(&b, 0, n, f, 4, 40, 0);
    build_node(&b, 0, n, module, 1, 5, 0); // by exec
    build_end(&b, 1000);
    p = build_load(&b);
    for (size_t i = 0; i < 2; i++) {
        asy_view *v = view_of(p, &(asy_view_select){.part = parts[i]});

        assert_int_equal(flat_row(v, module).calls, 4);
        assert_int_equal(flat_row(v, module).primitive, 3);
        assert_int_equal(flat_row(v, module).self_ns, 35);
        assert_int_equal(flat_row(v, module).total_ns, 105);
        assert_int_equal(flat_row(v, f).calls, 7);
        assert_int_equal(v->node_count, 4);
        asy_view_free(v);
    }
    asy_profile_free(p);
    build_free(&b);
}

// main: tag a { f { tag b { g } } }, g
static void
test_inner_label_counts_and_time_under_it_is_its_callers(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    asy_tag_tables tables;
    const asy_tag_row *rows;
    uint32_t m, f, g, a, c, n, root;

    (void)state;
    build_begin(&b, "", "/p", "");
    m = build_python(&b, "main", "/p/x.py", 1);
    f = build_python(&b, "f", "/p/x.py", 2);
    g = build_python(&b, "g", "/p/x.py", 3);
    a = build_tag(&b, "customer", "acme");
    c = build_tag(&b, "customer", "globex");
    build_thread(&b, "MainThread");
    root = build_node(&b, 0, 0, m, 1, 1, 0);
    n = build_node(&b, 0, root, a, 2, 200, 0);
    n = build_node(&b, 0, n, f, 3, 30, 0);
    n = build_node(&b, 0, n, c, 1, 4, 0);
    build_node(&b, 0, n, g, 5, 500, 100);
    build_node(&b, 0, root, g, 7, 7, 0);
    build_end(&b, 1000);
    p = build_load(&b);

    v = view_of(p, NULL);
    assert_int_equal(flat_row(v, m).self_ns, 1 + 200);
    assert_int_equal(flat_row(v, f).self_ns, 30 + 4);
    assert_int_equal(asy_tag_tables_make(v, &tables), ASY_OK);
    assert_int_equal(tables.count, 1);
    assert_string_equal(tables.at[0].key, "customer");
    assert_int_equal(tables.at[0].value_count, 2);
    rows = tables.at[0].rows;
    assert_string_equal(rows[0].value, "globex");
    assert_int_equal(rows[0].self_ns, 504);
    assert_int_equal(rows[0].wait_ns, 100);
    assert_int_equal(rows[0].total_ns, 504);
    assert_string_equal(rows[1].value, "acme");
    assert_int_equal(rows[1].self_ns, 230);
    assert_int_equal(rows[1].total_ns, 734);
    assert_int_equal(rows[1].calls, 2);
    assert_null(rows[2].value);
    assert_int_equal(rows[2].self_ns, 8);
    asy_tag_tables_clear(&tables);
    asy_view_free(v);

    v = view_of(p, &(asy_view_select){.labels = &(asy_view_label){"customer", "acme"}, .label_count = 1});
    assert_int_equal(v->nodes[0].total_ns, 230);
    assert_int_equal(flat_row(v, f).calls, 3);
    assert_int_equal(flat_row(v, m).calls, 0); // the way to it, without counts of its own
    assert_int_equal(flat_row(v, m).total_ns, 230);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

// What tag_tables.c finds by differences, found node by node.
static void
expect_sums_of_nodes(const asy_view *v, const asy_tag_table *table)
{
    asy_tags tags;

    assert_int_equal(asy_tags_make(v, table->key, &tags), ASY_OK);
    assert_int_equal(tags.value_count, table->value_count);
    for (uint32_t r = 0; r <= table->value_count; r++) {
        const asy_tag_row *row = &table->rows[r];
        uint64_t self = 0, wait = 0;

        for (uint32_t i = 1; i < v->node_count; i++) {
            const char *value = tags.of_node[i] == 0 ? NULL : tags.values[tags.of_node[i] - 1];

            if (value == NULL || row->value == NULL ? value == row->value : strcmp(value, row->value) == 0) {
                self += v->nodes[i].self_ns;
                wait += v->nodes[i].wait_ns;
            }
        }
        assert_int_equal(row->self_ns, self);
        assert_int_equal(row->wait_ns, wait);
    }
    asy_tags_clear(&tags);
}

// Nodes below nodes at random, half of them tags of six keys and four values, some below themselves.
static void
test_all_keys_at_once_say_what_each_says_alone(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"}, *const values[] = {"", "1", "2", "3"};
    uint32_t funcs[48], below[400] = {0}, lot = 1;
    asy_tag_tables tables;
    asy_profile *p;
    asy_view *v;
    build b;

    (void)state;
    build_begin(&b, "", "/p", "");
    for (uint32_t i = 0; i < 48; i++) {
        funcs[i] = i < 24 ? build_tag(&b, keys[i % 6], values[i / 6]) : build_python(&b, "f", "/p/x.py", i);
    }
    build_thread(&b, "MainThread");
    below[0] = build_node(&b, 0, 0, funcs[47], 1, 5, 0);
    for (uint32_t i = 1; i < 400; i++) {
        lot = lot * 1664525 + 1013904223;
        below[i] = build_node(&b, 0, below[(lot >> 8) % i], funcs[(lot >> 20) % 48], 1, i * 1000, i);
    }
    build_end(&b, 1000000000);
    p = build_load(&b);
    v = view_of(p, NULL);
    assert_int_equal(asy_tag_tables_make(v, &tables), ASY_OK);
    assert_int_equal(tables.count, 6);
    for (uint32_t i = 0; i < tables.count; i++) {
        assert_string_equal(tables.at[i].key, keys[i]);
        expect_sums_of_nodes(v, &tables.at[i]);
    }
    asy_tag_tables_clear(&tables);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

// main: tag customer=acme { tag day=3 { f }, tag day=4, customer=globex { f }, f }
static void
test_several_labels_hold_together(void **state)
{
    static const asy_view_label both[] = {{"day", "3"}, {"customer", "acme"}};
    static const asy_view_label contradiction[] = {{"customer", "globex"}, {"customer", "acme"}};
    asy_view_label many[ASY_VIEW_LABELS + 1];
    build b;
    asy_profile *p;
    asy_view *v;
    uint32_t m, f, n, customer;

    (void)state;
    build_begin(&b, "", "/p", "");
    m = build_python(&b, "main", "/p/x.py", 1);
    f = build_python(&b, "f", "/p/x.py", 2);
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, 0, m, 1, 1, 0);
    customer = build_node(&b, 0, n, build_tag(&b, "customer", "acme"), 1, 2, 0);
    n = build_node(&b, 0, customer, build_tag(&b, "day", "3"), 1, 40, 0);
    build_node(&b, 0, n, f, 5, 500, 0);
    n = build_node(&b, 0, customer, build_tag(&b, "day", "4"), 1, 6, 0);
    n = build_node(&b, 0, n, build_tag(&b, "customer", "globex"), 1, 7, 0);
    build_node(&b, 0, n, f, 8, 8000, 0);
    build_node(&b, 0, customer, f, 9, 90000, 0);
    build_end(&b, 100000);
    p = build_load(&b);

    v = view_of(p, &(asy_view_select){.labels = both, .label_count = 2});
    assert_int_equal(v->nodes[0].total_ns, 540);
    assert_int_equal(flat_row(v, f).calls, 5);
    asy_view_free(v);
    v = view_of(p, &(asy_view_select){.labels = both, .label_count = 1});
    assert_int_equal(v->nodes[0].total_ns, 540);
    asy_view_free(v);
    v = view_of(p, &(asy_view_select){.labels = contradiction, .label_count = 2});
    assert_int_equal(v->nodes[0].total_ns, 0);
    asy_view_free(v);
    for (uint32_t i = 0; i <= ASY_VIEW_LABELS; i++) {
        many[i] = both[1];
    }
    v = view_of(p, &(asy_view_select){.labels = many, .label_count = ASY_VIEW_LABELS});
    assert_int_equal(v->nodes[0].total_ns, 2 + 40 + 500 + 6 + 90000);
    asy_view_free(v);
    assert_int_equal(asy_view_make(p, &(asy_view_select){.labels = many, .label_count = ASY_VIEW_LABELS + 1}, &v),
                     ASY_ELIMIT);
    assert_null(v);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_collapse_lays_direct_recursion_flat_at_any_depth(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v, *flat;
    uint32_t f, leaf, n = 0;

    (void)state;
    build_begin(&b, "", "/p", "");
    f = build_python(&b, "f", "/p/x.py", 1);
    leaf = build_c(&b, "len", "builtins");
    build_thread(&b, "MainThread");
    for (int i = 0; i < 100000; i++) {
        n = build_node(&b, 0, n, f, 1, 2, 0);
    }
    build_node(&b, 0, n, leaf, 9, 90, 0);
    build_end(&b, 1000000);
    p = build_load(&b);
    v = view_of(p, NULL);
    assert_int_equal(flat_row(v, f).total_ns, 200090);
    assert_int_equal(flat_row(v, f).primitive, 1);
    assert_int_equal(asy_view_collapse(v, &flat), ASY_OK);
    assert_int_equal(flat->node_count, 3);
    assert_int_equal(flat->nodes[1].calls, 100000);
    assert_int_equal(flat->nodes[1].self_ns, 200000);
    assert_int_equal(flat->nodes[0].total_ns, 200090);
    asy_view_free(flat);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_functions_of_two_processes_are_one_but_lambdas_of_one_stay_apart(void **state)
{
    build b;
    asy_profile *p;
    asy_view *v;
    uint32_t ids[6];

    (void)state;
    build_begin(&b, "", "/p", "");
    build_process(&b, 1);
    for (int i = 0; i < 4; i++) { // two of process 1 first: the order of processes must not matter
        ids[i] = build_python(&b, "<lambda>", "/p/x.py", 4);
    }
    ids[4] = build_c(&b, "len", "builtins");
    ids[5] = build_c(&b, "len", "builtins");
    build_thread_of(&b, 0, "MainThread");
    build_thread_of(&b, 1, "MainThread");
    build_node(&b, 1, 0, ids[0], 1, 1, 0);
    build_node(&b, 1, 0, ids[1], 10, 10, 0);
    build_node(&b, 0, 0, ids[2], 100, 100, 0);
    build_node(&b, 0, 0, ids[3], 1000, 1000, 0);
    build_node(&b, 0, 0, ids[4], 1, 1, 0);
    build_node(&b, 0, 0, ids[5], 1, 1, 0);
    build_end(&b, 5000);
    p = build_load(&b);
    v = view_of(p, NULL);
    assert_int_equal(v->processes, 2);
    assert_int_equal(flat_row(v, ids[0]).calls, 101);
    assert_int_equal(flat_row(v, ids[1]).calls, 1010);
    assert_int_equal(flat_row(v, ids[4]).calls, 2);
    asy_view_free(v);
    asy_profile_free(p);
    build_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recursion_counts_total_once),
        cmocka_unit_test(test_callers_and_callees_add_up_to_the_total),
        cmocka_unit_test(test_callers_of_a_recursive_function_have_its_time_once_each),
        cmocka_unit_test(test_own_cost_comes_off_callee_and_caller),
        cmocka_unit_test(test_threads_merge_by_path),
        cmocka_unit_test(test_program_and_startup_are_apart),
        cmocka_unit_test(test_program_that_runs_again_is_no_recursion),
        cmocka_unit_test(test_inner_label_counts_and_time_under_it_is_its_callers),
        cmocka_unit_test(test_all_keys_at_once_say_what_each_says_alone),
        cmocka_unit_test(test_several_labels_hold_together),
        cmocka_unit_test(test_collapse_lays_direct_recursion_flat_at_any_depth),
        cmocka_unit_test(test_functions_of_two_processes_are_one_but_lambdas_of_one_stay_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
