// symbols_test.c: claims about the records of the symbols log.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/symbols.h"

static asy_text
text(const char *s)
{
    return (asy_text){s, (uint32_t)strlen(s)};
}

// A record in memory of exactly its size, so that a sanitizer sees each byte read beyond it.
static char *
record(const asy_text *strings, uint32_t count)
{
    char *p = malloc(asy_symbol_size(strings, count));

    assert_non_null(p);
    asy_symbol_write(p, 7, ASY_NODE_PY, ASY_SYMBOL_F_GENERATOR, 31, strings, count);
    return p;
}

static void
what_is_written_is_read(void **state)
{
    asy_text in[] = {text("Cursor.execute"), text(""), text("sqlite3")};
    asy_text out[ASY_SYMBOL_STRINGS];
    asy_symbol head;

    (void)state;
    for (uint32_t count = 0; count <= 3; count++) {
        uint32_t size = asy_symbol_size(in, count);
        char *p = record(in, count);

        assert_int_equal(size % 8, 0);
        assert_int_equal(asy_symbol_read(p, size, &head, out), ASY_OK);
        assert_int_equal(head.bytes, size);
        assert_int_equal(head.func, 7);
        assert_int_equal(head.kind, ASY_NODE_PY);
        assert_int_equal(head.count, count);
        assert_int_equal(head.flags, ASY_SYMBOL_F_GENERATOR);
        assert_int_equal(head.line, 31);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(out[i].len, in[i].len);
            assert_memory_equal(out[i].bytes, in[i].bytes, in[i].len);
        }
        free(p);
    }
}

static void
long_strings_are_cut_at_a_character(void **state)
{
    char *longer = malloc(5000);
    asy_text in, out[ASY_SYMBOL_STRINGS];
    asy_symbol head;

    (void)state;
    for (uint32_t shift = 0; shift < 3; shift++) {
        char *p;

        memset(longer, 'x', shift);
        for (uint32_t i = shift; i + 3 <= 5000; i += 3) {
            memcpy(longer + i, "\xe2\x82\xac", 3);
        }
        in = (asy_text){longer, 4800 + shift};
        p = record(&in, 1);
        assert_int_equal(asy_symbol_read(p, asy_symbol_size(&in, 1), &head, out), ASY_OK);
        assert_true(out[0].len <= ASY_SYMBOL_STRING_MAX && out[0].len > ASY_SYMBOL_STRING_MAX - 6);
        assert_int_equal((out[0].len - shift) % 3, 0);
        assert_memory_equal(out[0].bytes + out[0].len - 3, "\xe2\x80\xa6", 3);
        free(p);
    }
    in = (asy_text){longer, ASY_SYMBOL_STRING_MAX};
    assert_int_equal(asy_symbol_size(&in, 1), 24 + 4 + ASY_SYMBOL_STRING_MAX + 4);
    free(longer);
}

static void
too_many_strings_have_no_size(void **state)
{
    asy_text in[ASY_SYMBOL_STRINGS + 1];

    (void)state;
    for (uint32_t i = 0; i <= ASY_SYMBOL_STRINGS; i++) {
        in[i] = text("k");
    }
    assert_int_not_equal(asy_symbol_size(in, ASY_SYMBOL_STRINGS), 0);
    assert_int_equal(asy_symbol_size(in, ASY_SYMBOL_STRINGS + 1), 0);
}

static void
every_truncation_is_corrupt(void **state)
{
    asy_text in[] = {text("build_lookup"), text("build_lookup"), text("lookup.py")};
    asy_text out[ASY_SYMBOL_STRINGS];
    asy_symbol head;
    uint32_t size = asy_symbol_size(in, 3);
    char *p = record(in, 3);

    (void)state;
    for (uint32_t len = 0; len < size; len++) {
        char *cut = malloc(len + 1);

        memcpy(cut, p, len);
        assert_int_equal(asy_symbol_read(cut, len, &head, out), ASY_ECORRUPT);
        free(cut);
    }
    free(p);
}

static void
flipped_bits_never_read_outside(void **state)
{
    asy_text in[] = {text("build_lookup"), text("build_lookup"), text("lookup.py")};
    asy_text out[ASY_SYMBOL_STRINGS];
    asy_symbol head;
    uint32_t size = asy_symbol_size(in, 3);
    char *p = record(in, 3);
    uint32_t refused = 0;

    (void)state;
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
        if (asy_symbol_read(p, size, &head, out) != ASY_OK) {
            refused++;
        } else {
            for (uint32_t i = 0; i < head.count; i++) {
                assert_true(out[i].bytes >= p && out[i].bytes + out[i].len <= p + size);
            }
        }
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
    }
    assert_true(refused > 32 * 3);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),         cmocka_unit_test(long_strings_are_cut_at_a_character),
        cmocka_unit_test(too_many_strings_have_no_size),   cmocka_unit_test(every_truncation_is_corrupt),
        cmocka_unit_test(flipped_bits_never_read_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
