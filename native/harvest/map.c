// map.c: open addressing with linear probing; never more than half full.
// Not thread-safe.
#include "harvest/map.h"

#include <stdlib.h>

struct asy_map_slot {
    uint64_t key, value; // key 0 = empty
};

#define SLOTS_FIRST 16u

static uint32_t
home(const asy_map *m, uint64_t key)
{
    return (uint32_t)((key * 0x9E3779B97F4A7C15ULL) >> 32) & m->mask;
}

static struct asy_map_slot *
find(const asy_map *m, uint64_t key)
{
    uint32_t i = home(m, key);

    while (m->slots[i].key != 0 && m->slots[i].key != key) {
        i = (i + 1) & m->mask;
    }
    return &m->slots[i];
}

static asy_status
grow(asy_map *m)
{
    asy_map bigger = {.mask = m->slots == NULL ? SLOTS_FIRST - 1 : m->mask * 2 + 1, .used = m->used};

    bigger.slots = calloc((size_t)bigger.mask + 1, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 0; m->slots != NULL && i <= m->mask; i++) {
        if (m->slots[i].key != 0) {
            *find(&bigger, m->slots[i].key) = m->slots[i];
        }
    }
    free(m->slots);
    *m = bigger;
    return ASY_OK;
}

asy_status
asy_map_put(asy_map *m, uint64_t key, uint64_t value)
{
    struct asy_map_slot *s;

    if (m->slots == NULL || m->used > m->mask / 2) {
        asy_status st = grow(m);

        if (st != ASY_OK) {
            return st;
        }
    }
    s = find(m, key);
    m->used += s->key == 0;
    *s = (struct asy_map_slot){key, value};
    return ASY_OK;
}

bool
asy_map_get(const asy_map *m, uint64_t key, uint64_t *value)
{
    const struct asy_map_slot *s;

    if (m->slots == NULL) {
        return false;
    }
    s = find(m, key);
    if (s->key == 0) {
        return false;
    }
    *value = s->value;
    return true;
}

// Keys that probed past the gap move back into it.
void
asy_map_remove(asy_map *m, uint64_t key)
{
    uint32_t gap, i;

    if (m->slots == NULL) {
        return;
    }
    gap = (uint32_t)(find(m, key) - m->slots);
    if (m->slots[gap].key == 0) {
        return;
    }
    m->used--;
    for (i = (gap + 1) & m->mask; m->slots[i].key != 0; i = (i + 1) & m->mask) {
        uint32_t want = home(m, m->slots[i].key);

        if (((i - want) & m->mask) >= ((i - gap) & m->mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap].key = 0;
}

void
asy_map_clear(asy_map *m)
{
    free(m->slots);
    *m = (asy_map){0};
}
