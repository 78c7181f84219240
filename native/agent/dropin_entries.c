// dropin_entries.c: one pass from the leaves up for times, one walk down for recursion. Neither recurses: paths may be as deep as memory.
#include "agent/dropin_entries.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

// Of a node of the row, where it is shown: its entry, the nearest shown node above it, its times. A node that is not shown hands its
// time to `above`.
typedef struct {
    uint32_t entry; // NONE: not shown
    uint32_t above; // shown node, or NONE: there is no caller
    uint32_t child, sibling;
    int64_t self, total;
} place;

typedef struct {
    uint64_t *keys; // 0 = empty
    uint32_t *values;
    uint32_t mask, used;
} map;

typedef struct {
    const asy_window_row *row;
    place *places; // one for each node
    map entries, pairs;
    uint32_t entry_room, pair_room;
    asy_dropin_table *out;
} work;

// ---- numbers by key ----

static bool
map_make(map *m, uint32_t size)
{
    *m = (map){calloc(size, sizeof(*m->keys)), calloc(size, sizeof(*m->values)), size - 1, 0};
    return m->keys != NULL && m->values != NULL;
}

static void
map_free(map *m)
{
    free(m->keys);
    free(m->values);
}

static uint32_t
map_slot(const map *m, uint64_t key)
{
    uint32_t i = (uint32_t)(key * 0x9E3779B97F4A7C15ull >> 32) & m->mask;

    while (m->keys[i] != 0 && m->keys[i] != key) {
        i = (i + 1) & m->mask;
    }
    return i;
}

static bool
map_grow(map *m)
{
    map bigger;

    if (m->used < m->mask / 2) {
        return true;
    }
    if (!map_make(&bigger, (m->mask + 1) * 2)) {
        map_free(&bigger);
        return false;
    }
    for (uint32_t i = 0; i <= m->mask; i++) {
        if (m->keys[i] != 0) {
            uint32_t slot = map_slot(&bigger, m->keys[i]);
            bigger.keys[slot] = m->keys[i];
            bigger.values[slot] = m->values[i];
        }
    }
    bigger.used = m->used;
    map_free(m);
    *m = bigger;
    return true;
}

// What `key` stands for; `fresh`, and *made, if it is new. NONE: no memory.
static uint32_t
map_put(map *m, uint64_t key, uint32_t fresh, bool *made)
{
    uint32_t slot;

    *made = false;
    if (!map_grow(m)) {
        return NONE;
    }
    slot = map_slot(m, key);
    if (m->keys[slot] == 0) {
        m->keys[slot] = key;
        m->values[slot] = fresh;
        m->used++;
        *made = true;
    }
    return m->values[slot];
}

// Room for one more of `size` bytes: a bigger array, or NULL.
static void *
array_grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
    void *bigger;

    if (count < *room) {
        return array;
    }
    bigger = realloc(array, (size_t)(*room == 0 ? 64 : *room * 2) * size);
    if (bigger != NULL) {
        *room = *room == 0 ? 64 : *room * 2;
    }
    return bigger;
}

static uint32_t
entry_of(work *w, uint32_t func, uint32_t kind)
{
    asy_dropin_table *out = w->out;
    bool made;
    uint32_t at = map_put(&w->entries, (uint64_t)kind << 32 | func, out->entry_count, &made);

    if (made) {
        asy_dropin_entry *bigger = array_grow(out->entries, out->entry_count, &w->entry_room, sizeof(*bigger));
        if (bigger == NULL) {
            return NONE;
        }
        out->entries = bigger;
        out->entries[out->entry_count++] = (asy_dropin_entry){func, kind, {0}, NONE, 0};
    }
    return at;
}

static asy_dropin_pair *
pair_of(work *w, uint32_t caller, uint32_t callee)
{
    asy_dropin_table *out = w->out;
    bool made;
    uint32_t at = map_put(&w->pairs, ((uint64_t)caller << 32 | callee) + 1, out->pair_count, &made);

    if (made) {
        asy_dropin_pair *bigger = array_grow(out->pairs, out->pair_count, &w->pair_room, sizeof(*bigger));
        if (bigger == NULL) {
            return NULL;
        }
        out->pairs = bigger;
        out->pairs[out->pair_count++] = (asy_dropin_pair){caller, callee, {0}, out->entries[caller].first, 0};
        out->entries[caller].first = at;
    }
    return at == NONE ? NULL : &out->pairs[at];
}

// ---- which nodes are shown ----

static uint32_t
shown_func(const asy_window_node *n, asy_dropin_shown shown)
{
    uint32_t kind = n->kind & 0xffu;

    return kind == ASY_NODE_PY ? n->func : kind == ASY_NODE_C ? shown(n->func) : 0;
}

static asy_status
places_fill(work *w, asy_dropin_shown shown)
{
    for (uint32_t i = 0; i < w->row->count; i++) {
        const asy_window_node *n = &w->row->nodes[i];
        const place *parent = &w->places[n->parent];
        place *p = &w->places[i];
        uint32_t func;

        *p = (place){NONE, NONE, NONE, NONE, (int64_t)n->n.self_ticks, 0};
        if (i == 0 || (n->kind & ASY_NODE_F_INHERITED) != 0) {
            continue; // entered before the window: cProfile does not know it, and what it called has no caller
        }
        p->above = parent->entry != NONE ? n->parent : parent->above;
        func = shown_func(n, shown);
        if (func != 0) {
            p->entry = entry_of(w, func, n->kind & 0xffu);
            if (p->entry == NONE) {
                return ASY_ENOMEM;
            }
        }
    }
    return ASY_OK;
}

// Children come after their parents.
static void
times_gather(work *w)
{
    for (uint32_t i = w->row->count; i-- > 1;) {
        place *p = &w->places[i];
        place *above = p->above != NONE ? &w->places[p->above] : NULL;

        if (p->entry == NONE && above != NULL) {
            above->self += p->self;
        }
        if (p->entry == NONE) {
            continue;
        }
        p->total += p->self;
        if (above != NULL) {
            above->total += p->total;
            p->sibling = above->child;
            above->child = i;
        }
    }
}

// ---- the walk ----

static void
counts_add(asy_dropin_counts *to, uint64_t calls, const place *p, bool recursive)
{
    to->calls += calls;
    to->self += p->self;
    to->recursive += recursive ? calls : 0;
    to->total += recursive ? 0 : p->total;
}

static asy_status
node_enter(work *w, uint32_t i, bool finished)
{
    const asy_window_node *n = &w->row->nodes[i];
    const place *p = &w->places[i];
    uint64_t calls = n->n.calls + n->n.resumes;
    asy_dropin_pair *pair;
    asy_dropin_entry *e = &w->out->entries[p->entry];

    if (finished) {
        calls -= n->open < calls ? n->open : calls;
    }
    counts_add(&e->n, calls, p, e->level++ != 0);
    if (p->above == NONE) {
        return ASY_OK;
    }
    pair = pair_of(w, w->places[p->above].entry, p->entry);
    if (pair == NULL) {
        return ASY_ENOMEM;
    }
    counts_add(&pair->n, calls, p, pair->level++ != 0);
    return ASY_OK;
}

static void
node_leave(work *w, uint32_t i)
{
    const place *p = &w->places[i];

    w->out->entries[p->entry].level--;
    if (p->above != NONE) {
        pair_of(w, w->places[p->above].entry, p->entry)->level--;
    }
}

// One that has no caller, and all below it.
static asy_status
walk(work *w, uint32_t from, bool finished)
{
    uint32_t i = from;
    asy_status st = node_enter(w, i, finished);

    while (st == ASY_OK) {
        if (w->places[i].child != NONE) {
            i = w->places[i].child;
            st = node_enter(w, i, finished);
            continue;
        }
        while (i != from && w->places[i].sibling == NONE) {
            node_leave(w, i);
            i = w->places[i].above;
        }
        node_leave(w, i);
        if (i == from) {
            return ASY_OK;
        }
        i = w->places[i].sibling;
        st = node_enter(w, i, finished);
    }
    return st;
}

asy_status
asy_dropin_entries_make(const asy_window_row *row, asy_dropin_shown shown, bool finished, asy_dropin_table *out)
{
    work w = {.row = row, .places = calloc(row->count, sizeof(*w.places)), .out = out};
    bool entries = map_make(&w.entries, 256), pairs = map_make(&w.pairs, 256);
    asy_status st = w.places != NULL && entries && pairs ? ASY_OK : ASY_ENOMEM;

    *out = (asy_dropin_table){0};
    if (st == ASY_OK) {
        st = places_fill(&w, shown);
    }
    if (st == ASY_OK) {
        times_gather(&w);
    }
    for (uint32_t i = 1; st == ASY_OK && i < row->count; i++) {
        if (w.places[i].entry != NONE && w.places[i].above == NONE) {
            st = walk(&w, i, finished);
        }
    }
    map_free(&w.entries);
    map_free(&w.pairs);
    free(w.places);
    if (st != ASY_OK) {
        asy_dropin_table_free(out);
    }
    return st;
}

void
asy_dropin_table_free(asy_dropin_table *table)
{
    free(table->entries);
    free(table->pairs);
    *table = (asy_dropin_table){0};
}
