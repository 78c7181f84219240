// pstats_test.c: pstats files are read as they are, whoever wrote them; what is none is refused wherever it goes wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "record/buffer.h"
#include "record/pstats.h"

// ---- files ----

// One of tests/fuzz/pstats. Memory of exactly its size, so that a sanitizer sees each byte read beyond it; the caller frees.
static uint8_t *
seed(const char *name, size_t *len)
{
    static uint8_t room[65536];
    char path[4096];
    uint8_t *copy;
    FILE *f;

    snprintf(path, sizeof path, "%s/tests/fuzz/pstats/seed-%s.prof", getenv("ASSAY_SOURCE"), name);
    f = fopen(path, "rb");
    assert_non_null(f);
    *len = fread(room, 1, sizeof room, f);
    fclose(f);
    copy = malloc(*len);
    assert_non_null(copy);
    memcpy(copy, room, *len);
    return copy;
}

static asy_profile *
load_seed(const char *name)
{
    size_t len;
    uint8_t *bytes = seed(name, &len);
    asy_profile *p;
    const char *problem;

    assert_int_equal(asy_pstats_load_bytes(bytes, len, &p, &problem), ASY_OK);
    assert_null(problem);
    free(bytes);
    return p;
}

static uint32_t
find(const asy_profile *p, const char *name)
{
    for (uint32_t f = 0; f < p->func_count; f++) {
        if (strcmp(p->funcs[f].name, name) == 0) {
            return f;
        }
    }
    fail_msg("no function %s", name);
    return 0;
}

static const asy_edge_counts *
edge(const asy_profile *p, const char *caller, const char *callee)
{
    for (uint32_t i = 0; i < p->edges->edge_count; i++) {
        const asy_edge *e = &p->edges->edges[i];

        if (e->caller == find(p, caller) && e->callee == find(p, callee)) {
            return &e->counts;
        }
    }
    fail_msg("%s does not call %s", caller, callee);
    return NULL;
}

static void
expect_program(const asy_profile *p, uint64_t times)
{
    const asy_profile_func *fib = &p->funcs[find(p, "fib")];
    const asy_edge_counts *n = &p->edges->funcs[find(p, "fib")];

    assert_int_equal(p->thread_count, 0);
    assert_int_equal(fib->line, 2);
    assert_int_equal(fib->kind, ASY_NODE_PY);
    assert_non_null(strstr(fib->file, "app.py"));
    assert_int_equal(n->calls, 25 * times);
    assert_int_equal(n->primitive, times);
    assert_true(n->self_ns > 0 && n->total_ns >= n->self_ns);
    assert_int_equal(edge(p, "fib", "fib")->calls, 24 * times);
    assert_int_equal(edge(p, "main", "fib")->calls, times);
    assert_int_equal(edge(p, "even", "odd")->calls, 2 * times);
    assert_int_equal(edge(p, "main", "größe")->calls, times);
}

static void
test_files_of_every_python_say_what_ran(void **state)
{
    static const char *const versions[] = {"3.11", "3.12", "3.13", "3.14", "3.15"};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char added[32];
        asy_profile *p = load_seed(versions[i]);

        expect_program(p, 1);
        assert_int_equal(edge(p, "fib", "fib")->primitive, 2);
        assert_int_equal(p->funcs[find(p, "<built-in method builtins.sum>")].kind, ASY_NODE_C);
        asy_profile_free(p);
        snprintf(added, sizeof added, "%s-added", versions[i]);
        p = load_seed(added);
        expect_program(p, 2);
        asy_profile_free(p);
    }
}

static void
test_older_ways_of_writing_are_read(void **state)
{
    asy_profile *p = load_seed("old");

    (void)state;
    expect_program(p, 2);
    asy_profile_free(p);
    p = load_seed("profile");
    expect_program(p, 1);
    assert_true(p->edges->untimed);
    asy_profile_free(p);
    p = load_seed("empty");
    assert_int_equal(p->func_count, 0);
    asy_profile_free(p);
}

static void
test_every_truncation_is_refused(void **state)
{
    static const char *const names[] = {"3.11", "3.14-added", "old", "profile", "empty", "sampled"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len;
        uint8_t *bytes = seed(names[i], &len);

        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *part = malloc(cut > 0 ? cut : 1);
            asy_profile *p;
            const char *problem;
            asy_status st;

            assert_non_null(part);
            memcpy(part, bytes, cut);
            st = asy_pstats_load_bytes(part, cut, &p, &problem);
            assert_true(st == ASY_ECORRUPT || st == ASY_EVERSION);
            assert_null(p);
            assert_non_null(problem);
            free(part);
        }
        free(bytes);
    }
}

static void
test_flipped_bits_load_or_are_refused(void **state)
{
    size_t len;
    uint8_t *bytes = seed("3.13", &len);

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        asy_profile *p;
        const char *problem;
        asy_status st;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        st = asy_pstats_load_bytes(bytes, len, &p, &problem);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true((st == ASY_OK) == (p != NULL));
        asy_profile_free(p);
    }
    free(bytes);
}

// ---- made by hand ----

static void
put(asy_buffer *b, const void *bytes, size_t len)
{
    assert_int_equal(asy_buffer_append(b, bytes, len), ASY_OK);
}

// Letters stand for themselves; after '#' a number of 32 bits follows in decimal, ending in ' '; after '"' a text up to the next one,
// as a short string; '!' marks what follows it to be referred to; after '%' a float, ending in ' '.
static void
craft(asy_buffer *b, const char *spec)
{
    uint8_t mark = 0;

    for (; *spec != '\0'; spec++) {
        char *end = (char *)(uintptr_t)spec;

        if (*spec == '#') {
            uint32_t n = (uint32_t)strtoll(spec + 1, &end, 10);

            put(b, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)}, 4);
        } else if (*spec == '%') {
            double real = strtod(spec + 1, &end);

            put(b, (uint8_t[]){(uint8_t)('g' | mark)}, 1);
            put(b, &real, sizeof real);
            mark = 0;
        } else if (*spec == '"') {
            uint8_t n = (uint8_t)strcspn(spec + 1, "\"");

            put(b, (uint8_t[]){(uint8_t)('z' | mark), n}, 2);
            put(b, spec + 1, n);
            end += n + 1;
            mark = 0;
        } else if (*spec == '!') {
            mark = 0x80;
        } else {
            put(b, (uint8_t[]){(uint8_t)((uint8_t)*spec | mark)}, 1);
            mark = 0;
        }
        spec = end;
    }
}

static asy_status
load_spec(const char *spec, asy_profile **p, const char **problem)
{
    asy_buffer b = {0};
    asy_status st;

    craft(&b, spec);
    st = asy_pstats_load_bytes(b.data, b.len, p, problem);
    asy_buffer_free(&b);
    return st;
}

#define KEY "(#3 \"f\"i#1 \"g\""
#define KEY2 "(#3 \"f\"i#2 \"h\""
#define FOUR "i#1 i#1 %0.5 %0.5 "

static void
test_hostile_files_are_refused_by_name(void **state)
{
    static const struct {
        const char *spec, *why;
    } cases[] = {
        {"", "ends early"},
        {"i#1 ", "no marshalled dict"},
        {"{" KEY "(#5 " FOUR "{00x", "something follows its end"},
        {"{" KEY "(#5 " FOUR "{0" KEY "(#5 " FOUR "{00", "stands in it twice"},
        {"{" KEY "(#5 " FOUR "{" KEY2 "(#4 " FOUR KEY2 "(#4 " FOUR "00", "same caller twice"},
        {"{" KEY "(#5 i#-1 i#1 %0 %0 {00", "number of calls"},
        {"{" KEY "(#5 i#2 i#1 %0 %0 {00", "more outermost calls than calls"},
        {"{" KEY "(#5 i#1 i#1 %nan %0 {00", "not a finite number"},
        {"{" KEY "(#5 i#1 i#1 %0 %inf {00", "not a finite number"},
        {"{" KEY "(#5 i#1 i#1 %0 %-inf {00", "not a finite number"},
        {"{" KEY "(#5 i#1 i#1 %1e300 %0 {00", "not a finite number"},
        {"{" KEY "(#5 i#1 i#1 \"x\"%0 {00", "no number"},
        {"{" KEY "(#5 i#1 i#1 %4e9 %0 {0" KEY2 "(#5 i#1 i#1 %4e9 %0 {00", "too large together"},
        {"{" KEY "(#5 i#1 l#5 ", "number is too large"},
        {"{" KEY "(#5 i#1 l#-2147483648 ", "number is too large"},
        {"{" KEY "(#2000000000 ", "ends early"},
        {"{" KEY "(#-1 ", "below zero"},
        {"{" KEY "(#4 " FOUR "0", "(calls, calls, time, time, callers)"},
        {"{" KEY "(#5 " FOUR "i#1 0", "no dict"},
        {"{" KEY "(#5 " FOUR "{" KEY2 "(#3 i#1 00", "(calls, calls, time, time)"},
        {"{(#2 \"f\"i#1 ", "(file, line, name)"},
        {"{(#3 \"f\"i#-1 \"g\"", "a line is not"},
        {"{(#3 \"f\"\"1\"\"g\"", "a line is not"},
        {"{(#3 i#1 i#1 \"g\"", "no name"},
        {"{u#-5 ", "below zero"},
        {"{s#1 x", "no text, number, tuple or dict"},
        {"{c", "code object"},
        {"{(#3 r#7 ", "does not have"},
        {"!{!(#3 r#1 i#1 \"g\"", "holds itself"},
        {"!{r#0 ", "holds itself"},
        {"{" KEY "!(#5 " FOUR "r#0 0", "holds itself"},
        {"{" KEY "(#5 " FOUR "{00", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asy_profile *p;
        const char *problem;
        asy_status st = load_spec(cases[i].spec, &p, &problem);

        if (cases[i].why == NULL) {
            assert_int_equal(st, ASY_OK);
        } else {
            assert_int_equal(st, ASY_ECORRUPT);
            if (strstr(problem, cases[i].why) == NULL) {
                fail_msg("%s: %s", cases[i].spec, problem);
            }
        }
        asy_profile_free(p);
    }
}

static void
test_sampled_files_are_refused_by_name(void **state)
{
    size_t len;
    uint8_t *bytes = seed("sampled", &len);
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(asy_pstats_load_bytes(bytes, len, &p, &problem), ASY_EVERSION);
    assert_non_null(strstr(problem, "sampling profiler"));
    free(bytes);
}

static void
test_what_is_referred_to_is_what_stood_there(void **state)
{
    // The key of the caller, its counts and an empty dict each once, then by reference.
    static const char spec[] = "{!(#3 !\"f\"i#1 \"g\"(#5 " FOUR "!{0"
                               "!(#3 r#1 i#2 \"h\"(#5 " FOUR "{r#0 !(#4 i#3 i#2 %1.5 %2.5 0"
                               "(#3 r#1 i#3 \"k\"(#5 " FOUR "{r#0 r#4 r#3 r#4 0"
                               "(#3 r#1 i#4 \"l\"(#5 " FOUR "r#2 0";
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(load_spec(spec, &p, &problem), ASY_OK);
    assert_int_equal(p->func_count, 4);
    assert_int_equal(p->edges->edge_count, 3);
    assert_string_equal(p->funcs[3].file, "f");
    assert_int_equal(edge(p, "g", "h")->calls, 3);
    assert_int_equal(edge(p, "h", "k")->primitive, 2);
    assert_int_equal(edge(p, "h", "k")->self_ns, 1500000000);
    asy_profile_free(p);
}

static void
test_times_below_zero_are_zero_and_counted(void **state)
{
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(load_spec("{" KEY "(#5 i#1 i#1 %-0.25 %0.5 {00", &p, &problem), ASY_OK);
    assert_int_equal(p->edges->funcs[0].self_ns, 0);
    assert_int_equal(p->edges->funcs[0].total_ns, 500000000);
    assert_int_equal(p->edges->below_zero, 1);
    asy_profile_free(p);
}

static void
test_a_caller_without_an_entry_has_no_calls(void **state)
{
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(load_spec("{" KEY "(#5 " FOUR "{" KEY2 "(#4 " FOUR "00", &p, &problem), ASY_OK);
    assert_int_equal(p->func_count, 2);
    assert_int_equal(p->edges->funcs[find(p, "h")].calls, 0);
    asy_profile_free(p);
}

static void
test_names_are_made_valid(void **state)
{
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(load_spec("{(#3 \"a\xff\"i#1 \"\xed\xa0\x80\"(#5 " FOUR "{00", &p, &problem), ASY_OK);
    assert_string_equal(p->funcs[0].file, "a\xEF\xBF\xBD");
    assert_string_equal(p->funcs[0].name, "\xEF\xBF\xBD");
    asy_profile_free(p);
}

static void
test_a_deep_or_long_claim_takes_no_memory(void **state)
{
    // A dict in a dict in a dict: the shape ends it at once.
    asy_buffer b = {0};
    asy_profile *p;
    const char *problem;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        craft(&b, "{");
    }
    assert_int_equal(asy_pstats_load_bytes(b.data, b.len, &p, &problem), ASY_ECORRUPT);
    assert_non_null(strstr(problem, "at byte 2"));
    asy_buffer_free(&b);
}

static void
test_files_that_cannot_be_opened_say_why(void **state)
{
    asy_profile *p;
    const char *problem;

    (void)state;
    assert_int_equal(asy_pstats_load_file("/nonexistent/x.prof", &p, &problem), ASY_ENOENT);
    assert_non_null(problem);
    assert_int_equal(asy_pstats_load_file("/", &p, &problem), ASY_EIO);
    assert_true(asy_pstats_looks_like("/nonexistent/x.prof"));
    assert_false(asy_pstats_looks_like("/nonexistent/x.assay"));
    assert_false(asy_pstats_looks_like("/dev/zero"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_every_python_say_what_ran),
        cmocka_unit_test(test_older_ways_of_writing_are_read),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_flipped_bits_load_or_are_refused),
        cmocka_unit_test(test_hostile_files_are_refused_by_name),
        cmocka_unit_test(test_sampled_files_are_refused_by_name),
        cmocka_unit_test(test_what_is_referred_to_is_what_stood_there),
        cmocka_unit_test(test_times_below_zero_are_zero_and_counted),
        cmocka_unit_test(test_a_caller_without_an_entry_has_no_calls),
        cmocka_unit_test(test_names_are_made_valid),
        cmocka_unit_test(test_a_deep_or_long_claim_takes_no_memory),
        cmocka_unit_test(test_files_that_cannot_be_opened_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
