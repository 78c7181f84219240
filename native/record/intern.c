// intern.c: see intern.h. Open addressing, half full at most.
#include "record/intern.h"

#include <stdlib.h>
#include <string.h>

asy_intern
asy_intern_new(void)
{
    return (asy_intern){.hash = asy_hash_key()};
}

void
asy_intern_clear(asy_intern *t)
{
    free(t->slots);
    free(t->texts);
    free(t->triples);
    *t = (asy_intern){0};
}

static uint32_t
hash_text(const asy_hash *h, asy_text text)
{
    uint64_t state = asy_hash_add(h, 0, text.len);
    uint32_t word, i = 0;

    for (; text.len - i >= sizeof word; i += (uint32_t)sizeof word) {
        memcpy(&word, text.bytes + i, sizeof word);
        state = asy_hash_add(h, state, word);
    }
    for (; i < text.len; i++) {
        state = asy_hash_add(h, state, (unsigned char)text.bytes[i]);
    }
    return asy_hash_end(h, state);
}

static uint32_t
hash_three(const asy_hash *h, asy_intern_triple three)
{
    return asy_hash_end(h, asy_hash_add(h, asy_hash_add(h, asy_hash_add(h, 0, three.a), three.b), three.c));
}

static asy_status
grow_entries(asy_intern *t, bool texts)
{
    uint32_t cap = t->cap == 0 ? 256 : 2 * t->cap;
    void *grown = texts ? realloc(t->texts, cap * sizeof *t->texts) : realloc(t->triples, cap * sizeof *t->triples);

    if (grown == NULL) {
        return ASY_ENOMEM;
    }
    if (texts) {
        t->texts = grown;
    } else {
        t->triples = grown;
    }
    t->cap = cap;
    return ASY_OK;
}

static asy_status
grow_slots(asy_intern *t, bool texts)
{
    uint32_t size = t->size == 0 ? 1024 : 2 * t->size;
    uint32_t *slots = calloc(size, sizeof *slots);

    if (slots == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = texts ? hash_text(&t->hash, t->texts[i]) : hash_three(&t->hash, t->triples[i]);

        for (at &= size - 1; slots[at] != 0; at = (at + 1) & (size - 1)) {
        }
        slots[at] = i + 1;
    }
    free(t->slots);
    t->slots = slots;
    t->size = size;
    return ASY_OK;
}

// Room for one more.
static asy_status
make_room(asy_intern *t, bool texts)
{
    asy_status st = t->count < t->cap ? ASY_OK : grow_entries(t, texts);

    return st == ASY_OK && t->count >= t->size / 2 ? grow_slots(t, texts) : st;
}

asy_status
asy_intern_text(asy_intern *t, asy_text text, uint32_t *out)
{
    asy_status st = make_room(t, true);
    uint32_t at;

    if (st != ASY_OK) {
        return st;
    }
    at = hash_text(&t->hash, text) & (t->size - 1);
    for (; t->slots[at] != 0; at = (at + 1) & (t->size - 1)) {
        const asy_text *known = &t->texts[t->slots[at] - 1];

        if (known->len == text.len && memcmp(known->bytes, text.bytes, text.len) == 0) {
            *out = t->slots[at] - 1;
            return ASY_OK;
        }
    }
    t->texts[t->count++] = text;
    t->slots[at] = t->count;
    *out = t->count - 1;
    return ASY_OK;
}

asy_status
asy_intern_three(asy_intern *t, asy_intern_triple three, uint32_t *out)
{
    asy_status st = make_room(t, false);
    uint32_t at;

    if (st != ASY_OK) {
        return st;
    }
    at = hash_three(&t->hash, three) & (t->size - 1);
    for (; t->slots[at] != 0; at = (at + 1) & (t->size - 1)) {
        const asy_intern_triple *known = &t->triples[t->slots[at] - 1];

        if (known->a == three.a && known->b == three.b && known->c == three.c) {
            *out = t->slots[at] - 1;
            return ASY_OK;
        }
    }
    t->triples[t->count++] = three;
    t->slots[at] = t->count;
    *out = t->count - 1;
    return ASY_OK;
}
