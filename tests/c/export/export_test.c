// export_test.c: what the formats say is what the tree and the edges say, and no failing allocation leaves half of it unsaid.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "build.h"
#include "cli/export_write.h"
#include "failing.h"
#include "record/pstats.h"

// ---- files ----

static asy_profile *
load_seed(const char *name)
{
    char path[4096];
    asy_profile *p;
    const char *problem;

    snprintf(path, sizeof path, "%s/tests/fuzz/pstats/seed-%s.prof", getenv("ASSAY_SOURCE"), name);
    assert_int_equal(asy_pstats_load_file(path, &p, &problem), ASY_OK);
    return p;
}

// Everything of `p`, or what `r` selects, as text (terminated); the caller frees.
static char *
export_bytes(const asy_profile *p, const asy_report *r, asy_export_format to, size_t *len)
{
    static const asy_report all = {.path = "x"};
    FILE *file = tmpfile();
    asy_words remarks = {0};
    char *problem = NULL, *text;
    int error;
    long size;

    assert_non_null(file);
    assert_int_equal(asy_export_write(p, r != NULL ? r : &all, to, fileno(file), &error, &problem, &remarks), ASY_OK);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    text = calloc((size_t)size + 1, 1);
    assert_non_null(text);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    asy_words_clear(&remarks);
    *len = (size_t)size;
    return text;
}

static asy_profile *
through_pstats(const asy_profile *p)
{
    size_t len;
    char *bytes = export_bytes(p, NULL, ASY_TO_PSTATS, &len);
    asy_profile *again;
    const char *problem;

    assert_int_equal(asy_pstats_load_bytes(bytes, len, &again, &problem), ASY_OK);
    free(bytes);
    return again;
}

static void
expect_counts(const asy_edge_counts *n, uint64_t calls, uint64_t primitive, uint64_t self_ms, uint64_t total_ms)
{
    assert_int_equal(n->calls, calls);
    assert_int_equal(n->primitive, primitive);
    assert_int_equal(n->self_ns, self_ms * MS);
    assert_int_equal(n->total_ns, total_ms * MS);
}

static const asy_edge_counts *
func(const asy_profile *p, const char *name)
{
    for (uint32_t f = 0; f < p->func_count; f++) {
        if (strcmp(p->funcs[f].name, name) == 0) {
            return &p->edges->funcs[f];
        }
    }
    fail_msg("no function %s", name);
    return NULL;
}

static const asy_edge_counts *
edge(const asy_profile *p, const char *caller, const char *callee)
{
    for (uint32_t i = 0; i < p->edges->edge_count; i++) {
        const asy_edge *e = &p->edges->edges[i];

        if (strcmp(p->funcs[e->caller].name, caller) == 0 && strcmp(p->funcs[e->callee].name, callee) == 0) {
            return &e->counts;
        }
    }
    return NULL;
}

// ---- pstats ----

static void
test_a_pstats_file_comes_out_as_it_went_in(void **state)
{
    static const char *const names[] = {"3.11", "3.13-added", "3.15", "old", "profile", "empty"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        asy_profile *p = load_seed(names[i]), *again = through_pstats(p);

        assert_int_equal(again->func_count, p->func_count);
        assert_int_equal(again->edges->edge_count, p->edges->edge_count);
        assert_int_equal(again->edges->untimed, p->edges->untimed);
        for (uint32_t f = 0; f < p->func_count; f++) {
            const asy_edge_counts *n = func(again, p->funcs[f].name);

            assert_memory_equal(n, &p->edges->funcs[f], sizeof *n);
        }
        for (uint32_t e = 0; e < p->edges->edge_count; e++) {
            const asy_edge *one = &p->edges->edges[e];

            assert_memory_equal(edge(again, p->funcs[one->caller].name, p->funcs[one->callee].name), &one->counts,
                                sizeof one->counts);
        }
        asy_profile_free(p);
        asy_profile_free(again);
    }
}

// top 1 { fib 1 { fib 2 { other 1 { fib 4 } } } }, and a label under fib.
static void
build_recursion(build *b)
{
    uint32_t top, fib, other, n;

    build_begin(b, "fib.py", "/srv", "fib.py");
    fib = build_python(b, "Math.fib", "/srv/fib.py", 2);
    other = build_python(b, "other", "/srv/fib.py", 9);
    build_thread(b, "MainThread");
    top = build_node(b, 0, 0, build_python(b, "<module>", "/srv/fib.py", 1), 1, 1 * MS, 0);
    b->process.program_node = top;
    n = build_node(b, 0, top, fib, 1, 100 * MS, 0);
    build_node(b, 0, n, build_tag(b, "k", "v"), 1, 3 * MS, 0);
    n = build_node(b, 0, n, fib, 2, 200 * MS, 0);
    n = build_node(b, 0, n, other, 1, 10 * MS, 0);
    build_node(b, 0, n, fib, 4, 400 * MS, 0);
    build_node(b, 0, top, build_c(b, "sleep", "time"), 3, 5 * MS, 5 * MS);
    build_node(b, 0, top, build_c(b, "list.append", "builtins"), 3, 1 * MS, 0);
    build_end(b, 900 * MS);
}

static void
test_recursion_is_counted_as_cprofile_does(void **state)
{
    asy_profile *p, *q;
    build b;

    (void)state;
    build_recursion(&b);
    p = build_load(&b);
    q = through_pstats(p);
    expect_counts(func(q, "fib"), 7, 1, 703, 713); // the label's 3 ms are its owner's
    expect_counts(func(q, "other"), 1, 1, 10, 410);
    expect_counts(edge(q, "<module>", "fib"), 1, 1, 103, 713);
    expect_counts(edge(q, "fib", "fib"), 2, 2, 200, 610);
    expect_counts(edge(q, "other", "fib"), 4, 4, 400, 400);
    expect_counts(edge(q, "<module>", "<built-in method time.sleep>"), 3, 3, 5, 5);
    expect_counts(edge(q, "<module>", "<method 'append' of 'list' objects>"), 3, 3, 1, 1);
    assert_null(edge(q, "fib", "<module>"));
    asy_profile_free(p);
    asy_profile_free(q);
    build_free(&b);
}

static void
test_functions_of_one_key_are_added(void **state)
{
    asy_profile *p, *q;
    uint32_t one, two, top;
    build b;

    (void)state;
    build_begin(&b, "l.py", "/srv", "l.py");
    one = build_python(&b, "<lambda>", "/srv/l.py", 2);
    two = build_python(&b, "<lambda>", "/srv/l.py", 2);
    build_thread(&b, "MainThread");
    b.process.program_node = top = build_node(&b, 0, 0, build_python(&b, "<module>", "/srv/l.py", 1), 1, 1 * MS, 0);
    one = build_node(&b, 0, top, one, 3, 3 * MS, 0);
    build_node(&b, 0, one, two, 1, 1 * MS, 0);
    build_end(&b, 9 * MS);
    p = build_load(&b);
    q = through_pstats(p);
    assert_int_equal(q->func_count, 2);
    expect_counts(func(q, "<lambda>"), 4, 3, 4, 4); // the inner one is recursion to whoever reads it
    expect_counts(edge(q, "<lambda>", "<lambda>"), 1, 1, 1, 1);
    asy_profile_free(p);
    asy_profile_free(q);
    build_free(&b);
}

// ---- texts ----

static void
test_callgrind_says_costs_and_calls(void **state)
{
    static const char expected[] =
        "# callgrind format\nversion: 1\ncreator: assay\ncmd: fib.py\npart: 1\npositions: line\n"
        "event: Wall : wall time in ns\nevent: CPU : CPU time in ns\nevents: Wall CPU\n"
        "summary: 720000000 715000000\n"
        "\nfl=(1) /srv/fib.py\nfn=(1) Math.fib\n2 703000000 703000000\n"
        "cfi=(1)\ncfn=(1)\ncalls=2 2\n2 610000000 610000000\n"
        "cfi=(1)\ncfn=(2) other\ncalls=1 9\n2 410000000 410000000\n"
        "\nfl=(1)\nfn=(2)\n9 10000000 10000000\n"
        "cfi=(1)\ncfn=(1)\ncalls=4 2\n9 400000000 400000000\n";
    asy_profile *p;
    size_t len;
    char *text;
    build b;

    (void)state;
    build_recursion(&b);
    p = build_load(&b);
    text = export_bytes(p, NULL, ASY_TO_CALLGRIND, &len);
    text[strlen(expected)] = '\0';
    assert_string_equal(text, expected);
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_collapsed_says_each_path(void **state)
{
    static const char fib[] = "Math.fib (fib.py:2)";
    asy_profile *p;
    size_t len;
    char expected[1024], *text;
    build b;

    (void)state;
    build_recursion(&b);
    p = build_load(&b);
    text = export_bytes(p, NULL, ASY_TO_COLLAPSED, &len);
    snprintf(expected, sizeof expected,
             "<module> (fib.py:1) 1000000\n<module> (fib.py:1);%s 100000000\n<module> (fib.py:1);%s;k=v 3000000\n"
             "<module> (fib.py:1);%s;%s 200000000\n<module> (fib.py:1);%s;%s;other (fib.py:9) 10000000\n"
             "<module> (fib.py:1);%s;%s;other (fib.py:9);%s 400000000\n<module> (fib.py:1);time.sleep 5000000\n"
             "<module> (fib.py:1);list.append 1000000\n",
             fib, fib, fib, fib, fib, fib, fib, fib, fib);
    assert_string_equal(text, expected);
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

// A recursion of 3,000 levels of 1 ms each.
static void
test_a_deep_stack_is_cut_and_its_time_kept(void **state)
{
    asy_profile *p;
    uint32_t f, node = 0;
    size_t len;
    char *text, *last;
    unsigned long long sum = 0;
    build b;

    (void)state;
    build_begin(&b, "deep.py", "/srv", "deep.py");
    f = build_python(&b, "a;b\nc\\", "/srv/deep.py", 2);
    build_thread(&b, "MainThread");
    b.process.program_node = node = build_node(&b, 0, 0, build_python(&b, "<module>", "/srv/deep.py", 1), 1, 0, 0);
    for (int i = 0; i < 3000; i++) {
        node = build_node(&b, 0, node, f, 1, 1 * MS, 0);
    }
    build_end(&b, 3000 * MS);
    p = build_load(&b);
    text = export_bytes(p, NULL, ASY_TO_COLLAPSED, &len);
    assert_true(len < 1001 * 1000 * 30);
    assert_non_null(strstr(text, "<module> (deep.py:1);a\\x3bb\\x0ac\\x5c (deep.py:2);a\\x3bb"));
    last = strstr(text, ";[deeper] ");
    assert_non_null(last);
    assert_string_equal(last, ";[deeper] 2001000000\n");
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        char *end = strchr(line, '\n');

        while (end[-1] != ' ') {
            end--;
        }
        sum += strtoull(end, NULL, 10);
    }
    assert_int_equal(sum, 3000 * MS);
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

// ---- failures ----

static asy_status
export_to_null(const asy_profile *p, asy_export_format to)
{
    static const asy_report all = {.path = "x"};
    int fd = open("/dev/null", O_WRONLY), error;
    char *problem = NULL;
    asy_words remarks = {0};
    asy_status st = asy_export_write(p, &all, to, fd, &error, &problem, &remarks);

    assert_int_equal(error, 0);
    asy_words_clear(&remarks);
    free(problem);
    close(fd);
    return st;
}

static void
expect_each_failure(const asy_profile *p, asy_export_format to)
{
    long n = 0;

    for (;; n++) {
        asy_status st;
        bool reached;

        failing_countdown = n;
        st = export_to_null(p, to);
        reached = failing_countdown < 0;
        failing_countdown = -1;
        if (!reached) {
            assert_int_equal(st, ASY_OK);
            break;
        }
        // A page of JSON may do without a text; the others may not.
        assert_true(st == ASY_ENOMEM || to == ASY_TO_JSON);
        assert_true(n < 100000);
    }
    assert_true(n > 3);
}

static void
test_any_allocation_may_fail(void **state)
{
    asy_profile *p;
    build b;

    (void)state;
    build_nightly(&b);
    p = build_load(&b);
    for (int to = ASY_TO_PSTATS; to <= ASY_TO_JSON; to++) {
        expect_each_failure(p, (asy_export_format)to);
    }
    asy_profile_free(p);
    build_free(&b);
    p = load_seed("3.12");
    expect_each_failure(p, ASY_TO_PSTATS);
    expect_each_failure(p, ASY_TO_CALLGRIND);
    expect_each_failure(p, ASY_TO_JSON);
    asy_profile_free(p);
}

static void
test_a_full_disk_is_said(void **state)
{
    static const asy_report all = {.path = "x"};
    asy_profile *p = load_seed("3.12");
    int fd = open("/dev/full", O_WRONLY), error;
    asy_words remarks = {0};
    char *problem = NULL;

    (void)state;
    assert_int_equal(asy_export_write(p, &all, ASY_TO_PSTATS, fd, &error, &problem, &remarks), ASY_ENOSPC);
    assert_int_equal(error, 28);
    close(fd);
    asy_profile_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pstats_file_comes_out_as_it_went_in),
        cmocka_unit_test(test_recursion_is_counted_as_cprofile_does),
        cmocka_unit_test(test_functions_of_one_key_are_added),
        cmocka_unit_test(test_callgrind_says_costs_and_calls),
        cmocka_unit_test(test_collapsed_says_each_path),
        cmocka_unit_test(test_a_deep_stack_is_cut_and_its_time_kept),
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_a_full_disk_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
