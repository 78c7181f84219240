// damage_test.c: recordings that were cut or damaged show what they hold, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "craft.h"
#include "sample.h"

#define SEED 20260101u

static uint32_t
next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

// Memory of exactly this size, so that a sanitizer sees each byte read beyond it.
static uint8_t *
exact(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static asy_status
load(const uint8_t *bytes, size_t len, asy_profile **p, const char **problem)
{
    uint8_t *copy = exact(bytes, len);
    asy_status st = asy_profile_load_bytes(copy, len, p, problem);

    free(copy);
    return st;
}

// Everything that is counted in a profile: grows with each block of the sample.
static uint64_t
amount(const asy_profile *p)
{
    uint64_t n = (p->start_unix_ns != 0) + p->process_count + p->thread_count + p->func_count + p->note_count;

    n += p->losses[ASY_LOSS_EXECS];
    for (uint32_t t = 0; t < p->thread_count; t++) {
        n += p->threads[t].node_count;
        for (uint32_t i = 0; i < p->threads[t].node_count; i++) {
            n += p->threads[t].nodes[i].calls;
        }
    }
    return n;
}

static void
check_cut(asy_status st, asy_profile *p, const char *problem, size_t border)
{
    char where[32];

    assert_int_equal(st, ASY_OK);
    sample_check(p, false);
    assert_int_equal(p->cut_at, border);
    assert_true(p->cut);
    (void)snprintf(where, sizeof where, "at byte %zu", border);
    assert_non_null(problem);
    assert_non_null(strstr(problem, where));
}

static void
check_truncations(const uint8_t *bytes, size_t len)
{
    size_t border = ASY_FORMAT_FILE_HEAD, next_border = border;
    uint64_t expected = 0;
    craft_view v = {0};

    for (size_t cut = ASY_FORMAT_FILE_HEAD; cut < len; cut++) {
        asy_profile *p = NULL;
        const char *problem = NULL;
        asy_status st = load(bytes, cut, &p, &problem);

        if (cut == next_border) {
            border = cut;
            assert_true(craft_next(bytes, len, &next_border, &v));
            assert_true(cut == ASY_FORMAT_FILE_HEAD || amount(p) > expected); // the block before is in it
            expected = amount(p);
        }
        check_cut(st, p, problem, border);
        assert_int_equal(amount(p), expected);
        asy_profile_free(p);
    }
    assert_int_equal(v.head.type, ASY_BLOCK_END);
}

static void
every_truncation_loads_its_whole_blocks(void **state)
{
    (void)state;
    for (int flush = 0; flush < 2; flush++) {
        size_t len;
        uint8_t *bytes = sample_bytes(flush, &len);

        check_truncations(bytes, len);
        free(bytes);
    }
}

static void
truncations_of_a_file_do_too(void **state)
{
    char path[] = "damage-XXXXXX";
    int fd = mkstemp(path);
    size_t len;
    uint8_t *bytes = sample_bytes(false, &len);

    (void)state;
    assert_int_equal(write(fd, bytes, len), len);
    for (size_t cut = len - 1; cut >= ASY_FORMAT_FILE_HEAD; cut -= 7) {
        asy_profile *p = NULL, *q = NULL;
        const char *problem = NULL;
        asy_status st;

        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        assert_int_equal(load(bytes, cut, &q, &problem), ASY_OK);
        st = asy_profile_load_file(path, &p, &problem);
        check_cut(st, p, problem, q->cut_at);
        assert_int_equal(amount(p), amount(q));
        asy_profile_free(p);
        asy_profile_free(q);
    }
    close(fd);
    unlink(path);
    free(bytes);
}

static void
what_ends_in_its_head_is_no_recording(void **state)
{
    size_t len;
    uint8_t *bytes = sample_bytes(false, &len);

    (void)state;
    for (size_t cut = 0; cut < ASY_FORMAT_FILE_HEAD; cut++) {
        asy_profile *p = NULL;
        const char *problem = NULL;

        assert_int_equal(load(bytes, cut, &p, &problem), ASY_ECORRUPT);
        assert_null(p);
        assert_string_equal(problem, "it is not a recording of assay, at byte 0");
    }
    free(bytes);
}

// Flip `n` bits; returns whether all lie in the four bytes that readers ignore.
static bool
flip(uint8_t *bytes, size_t len, uint32_t n, uint32_t *seed)
{
    bool ignored = true;

    for (; n > 0; n--) {
        size_t bit = next(seed) % (len * 8);

        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1u << bit % 8));
        ignored = ignored && bit / 8 >= 12 && bit / 8 < ASY_FORMAT_FILE_HEAD;
    }
    return ignored;
}

static void
flipped_bits_show_nothing_wrong(void **state)
{
    uint32_t seed = SEED, loaded = 0;
    size_t len;
    uint8_t *good = sample_bytes(true, &len);

    (void)state;
    for (uint32_t i = 0; i < 6000; i++) {
        uint8_t *bytes = exact(good, len);
        bool ignored = flip(bytes, len, 1 + i % 4, &seed);
        asy_profile *p = NULL;
        const char *problem = NULL;
        asy_status st = asy_profile_load_bytes(bytes, len, &p, &problem);

        assert_true(st == ASY_OK || st == ASY_ECORRUPT || st == ASY_EVERSION);
        assert_true((st == ASY_OK) == (p != NULL));
        if (p != NULL && memcmp(bytes, good, len) != 0) {
            sample_check(p, ignored);
            loaded++;
        }
        asy_profile_free(p);
        free(bytes);
    }
    assert_true(loaded > 4000);
    free(good);
}

// Bits flipped below checksums that are right: what an attacker makes.
static void
check_hostile(const uint8_t *good, size_t len, uint32_t rounds, uint32_t *refused)
{
    uint32_t seed = SEED;

    for (uint32_t i = 0; i < rounds; i++) {
        uint8_t *bytes = exact(good, len);
        asy_profile *p = NULL;
        const char *problem = NULL;
        asy_status st;

        (void)flip(bytes, len, 1 + i % 3, &seed);
        craft_fix(bytes, len);
        st = asy_profile_load_bytes(bytes, len, &p, &problem);
        if (st == ASY_OK) {
            assert_null(invariant_broken(p));
        } else {
            assert_true(st == ASY_ECORRUPT || st == ASY_EVERSION);
            assert_null(p);
            assert_non_null(problem);
            ++*refused;
        }
        asy_profile_free(p);
        free(bytes);
    }
}

static void
flipped_bits_below_right_checksums_break_no_promise(void **state)
{
    uint32_t refused = 0;
    size_t len;
    uint8_t *good = sample_bytes(false, &len);
    asy_buffer plain = craft_uncompressed(good, len);

    (void)state;
    check_hostile(good, len, 3000, &refused);
    check_hostile(plain.data, plain.len, 8000, &refused);
    assert_true(refused > 1000);
    asy_buffer_free(&plain);
    free(good);
}

static void
blocks_may_be_uncompressed(void **state)
{
    size_t len;
    uint8_t *good = sample_bytes(false, &len);
    asy_buffer plain = craft_uncompressed(good, len);
    asy_profile *p = NULL;
    const char *problem = NULL;

    (void)state;
    assert_true(plain.len > len);
    assert_int_equal(load(plain.data, plain.len, &p, &problem), ASY_OK);
    sample_check(p, true);
    asy_profile_free(p);
    asy_buffer_free(&plain);
    free(good);
}

static void
what_later_versions_add_is_passed_over(void **state)
{
    size_t len;
    uint8_t *good = sample_bytes(true, &len);
    asy_buffer newer = craft_newer(good, len);
    asy_profile *p = NULL;
    const char *problem = NULL;

    (void)state;
    assert_int_equal(load(newer.data, newer.len, &p, &problem), ASY_OK);
    sample_check(p, true);
    asy_profile_free(p);
    asy_buffer_free(&newer);
    free(good);
}

static void
what_follows_the_end_is_not_read(void **state)
{
    size_t len;
    uint8_t *good = sample_bytes(true, &len);
    asy_buffer file = {0};
    asy_profile *p = NULL;
    const char *problem = NULL;

    (void)state;
    craft_bytes(&file, good, len);
    craft_bytes(&file, good, len);
    assert_int_equal(load(file.data, file.len, &p, &problem), ASY_OK);
    sample_check(p, true);
    assert_null(problem);
    asy_profile_free(p);
    asy_buffer_free(&file);
    free(good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_loads_its_whole_blocks),
        cmocka_unit_test(truncations_of_a_file_do_too),
        cmocka_unit_test(what_ends_in_its_head_is_no_recording),
        cmocka_unit_test(flipped_bits_show_nothing_wrong),
        cmocka_unit_test(flipped_bits_below_right_checksums_break_no_promise),
        cmocka_unit_test(blocks_may_be_uncompressed),
        cmocka_unit_test(what_later_versions_add_is_passed_over),
        cmocka_unit_test(what_follows_the_end_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
