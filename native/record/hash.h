// hash.h: hashes of what a recording says, keyed at random: who wrote it cannot choose what falls together.
// A polynomial in a secret point over the numbers below 2^61 - 1: two different sequences of n words agree at n of these
// points at most. asy_hash_end() makes of it what indexes a table.
#ifndef ASY_RECORD_HASH_H
#define ASY_RECORD_HASH_H

#include <stdint.h>

typedef struct {
    uint64_t point, mix;
} asy_hash;

// A key of its own for each table.
asy_hash asy_hash_key(void);

// The state, 0 at the beginning, after one more word.
static inline uint64_t
asy_hash_add(const asy_hash *h, uint64_t state, uint32_t word)
{
    const uint64_t prime = (1ull << 61) - 1;
    unsigned __int128 product = (unsigned __int128)(state + word + 1) * h->point; // a 0 counts too
    uint64_t sum = (uint64_t)(product & prime) + (uint64_t)(product >> 61);

    return sum >= prime ? sum - prime : sum;
}

// The bytes of a text and its end.
uint64_t asy_hash_text(const asy_hash *h, uint64_t state, const char *text);

static inline uint32_t
asy_hash_end(const asy_hash *h, uint64_t state)
{
    uint64_t x = (state ^ h->mix) * 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 32) ^ h->point) * 0xd6e8feb86659fd93ull;
    return (uint32_t)(x >> 32);
}

#endif
