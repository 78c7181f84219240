// hash_test.c: what a recording says cannot be chosen so that it falls together in a report's tables.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "record/hash.h"

#define PLACES 4096u
#define KEYS 4096u
#define MOST 32u // at one place: 8 is usual for so many keys, and 32 comes once in 10^30 tables

typedef struct {
    uint32_t a, b;
} pair;

static uint32_t
place(const asy_hash *h, pair k)
{
    return asy_hash_end(h, asy_hash_add(h, asy_hash_add(h, 0, k.a), k.b)) % PLACES;
}

static void
expect_spread(const uint32_t *counts)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_true(counts[i] < MOST);
    }
}

static void
expect_pairs_spread(const pair *keys)
{
    asy_hash h = asy_hash_key();
    uint32_t counts[PLACES] = {0};

    for (uint32_t i = 0; i < KEYS; i++) {
        counts[place(&h, keys[i])]++;
    }
    expect_spread(counts);
}

// With a key that is known, keys for one place are easy to find. Another table puts them elsewhere.
static void
keys_for_one_place_of_a_table_are_spread_in_the_next(void **state)
{
    static pair keys[KEYS];
    asy_hash h = asy_hash_key();
    uint32_t found = 0;

    (void)state;
    for (uint32_t i = 0; found < KEYS; i++) {
        keys[found] = (pair){i / 1000, i % 1000};
        found += place(&h, keys[found]) == 7;
    }
    expect_pairs_spread(keys);
}

// Multiplied by a constant that everybody knows, these agree in the bits that a table of this size looks at.
static void
keys_chosen_against_a_fixed_product_are_spread(void **state)
{
    const uint64_t factor = 0x9e3779b97f4a7c15ull;
    static pair keys[KEYS];
    uint32_t found = 0;

    (void)state;
    for (uint64_t i = 1; found < KEYS; i++) {
        if ((i * factor >> 32) % PLACES == 0) {
            keys[found++] = (pair){(uint32_t)(i >> 32), (uint32_t)i};
        }
    }
    expect_pairs_spread(keys);
}

static void
rows_and_steps_are_spread(void **state)
{
    static pair keys[KEYS];

    (void)state;
    for (uint32_t shift = 0; shift < 20; shift++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            keys[i] = (pair){i << shift, 0};
        }
        expect_pairs_spread(keys);
        for (uint32_t i = 0; i < KEYS; i++) {
            keys[i] = (pair){3, i << shift};
        }
        expect_pairs_spread(keys);
    }
}

static void
texts_are_spread_and_their_ends_are_seen(void **state)
{
    asy_hash h = asy_hash_key();
    uint32_t counts[PLACES] = {0};
    char text[32];

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(text, sizeof text, "%u", i * PLACES);
        counts[asy_hash_end(&h, asy_hash_text(&h, 0, text)) % PLACES]++;
    }
    expect_spread(counts);
    assert_true(asy_hash_text(&h, asy_hash_text(&h, 0, "ab"), "c") !=
                asy_hash_text(&h, asy_hash_text(&h, 0, "a"), "bc"));
    assert_true(asy_hash_text(&h, 0, "same") == asy_hash_text(&h, 0, "same"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_for_one_place_of_a_table_are_spread_in_the_next),
        cmocka_unit_test(keys_chosen_against_a_fixed_product_are_spread),
        cmocka_unit_test(rows_and_steps_are_spread),
        cmocka_unit_test(texts_are_spread_and_their_ends_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
