// symbols.c: the symbols log of a process into functions of the recording.
// Records are whole and name their function themselves, so the order of chunks does not matter; the first record of an id counts.
#include "harvest/model.h"

#define ALIKE_MAX 16u // functions of one process that look alike and are looked for among those of others

static const asy_text NOTHING = {"", 0};

// How many strings a record of this kind has at least.
static uint32_t
strings_wanted(uint32_t kind)
{
    switch (kind) {
    case ASY_NODE_PY:
    case ASY_NODE_C:
    case ASY_NODE_CLASS:
    case ASY_NODE_OBJECT: return 3;
    case ASY_NODE_PHASE: return 1;
    default: return 0;
    }
}

static uint64_t
mix(uint64_t h, const char *bytes, uint32_t len)
{
    h = (h ^ len) * 0x9E3779B97F4A7C15ULL;
    for (uint32_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)bytes[i]) * 0x100000001B3ULL;
    }
    return h ^ h >> 29;
}

static uint64_t
hash_of(const asy_symbol *head, const asy_text *strings)
{
    uint64_t h = ((uint64_t)head->kind << 56) ^ ((uint64_t)head->flags << 32) ^ head->line;

    h = (h ^ head->count) * 0x9E3779B97F4A7C15ULL;
    for (uint32_t i = 0; i < head->count; i++) {
        h = mix(h, strings[i].bytes, strings[i].len);
    }
    return h;
}

// The function of another process that looks as this one does: processes that run the same code share its definitions. The nth of its
// kind in one process is the nth of another. *key: what it is to be found by, if it is new; 0: not at all.
static bool
find_alike(const asy_harvest *h, const asy_model_image *image, const asy_symbol *head, const asy_text *strings,
           uint64_t *key, uint32_t *id)
{
    uint64_t hash = hash_of(head, strings);

    for (uint32_t i = 0; i < ALIKE_MAX; i++) {
        uint64_t known;

        *key = (hash + i * 0x9E3779B97F4A7C15ULL) | 1;
        if (!asy_map_get(&h->interned, *key, &known)) {
            return false;
        }
        *id = (uint32_t)known;
        if (!asy_image_uses(image, *id)) {
            return true;
        }
    }
    *key = 0;
    return false;
}

static asy_status
define(asy_harvest *h, asy_model_process *p, uint32_t func, asy_symbol *head, asy_text *strings)
{
    uint32_t id = h->next_func;
    uint64_t known, key;
    asy_status st;

    if (asy_map_get(&p->image->funcs, func, &known)) {
        return ASY_OK;
    }
    while (head->count < strings_wanted(head->kind)) {
        strings[head->count++] = NOTHING;
    }
    if (head->kind == ASY_NODE_TAG) {
        head->count = (uint16_t)(head->count & ~1u);
    }
    if (find_alike(h, p->image, head, strings, &key, &id)) {
        return asy_image_put(p->image, func, id);
    }
    id = h->next_func;
    st = asy_write_func(h->writer, id, head, strings);
    if (st != ASY_OK) {
        return st;
    }
    h->next_func++; // the writer has it, whatever follows
    st = asy_image_put(p->image, func, id);
    return st == ASY_OK && key != 0 ? asy_map_put(&h->interned, key, id) : st;
}

asy_status
asy_symbols_take(asy_harvest *h, asy_model_process *p, const uint8_t *bytes, uint32_t len, uint32_t *used,
                 bool *damaged)
{
    asy_text strings[ASY_SYMBOL_STRINGS];
    asy_symbol head;
    asy_status st = ASY_OK;

    *used = 0;
    *damaged = false;
    while (st == ASY_OK && *used < len) {
        if (asy_symbol_read(bytes + *used, len - *used, &head, strings) != ASY_OK) {
            *damaged = true;
            return ASY_OK;
        }
        if (head.kind == ASY_SYMBOL_PROCESS) {
            st = asy_image_texts(p->image, strings, head.count);
        } else if (head.func != 0 && head.kind > ASY_NODE_ROOT && head.kind < ASY_NODE_KINDS) {
            st = define(h, p, head.func, &head, strings);
        }
        if (st == ASY_OK) {
            *used += head.bytes;
        }
    }
    return st;
}

// The one function "?" stands for all that never got a name; each is counted.
asy_status
asy_symbols_invent(asy_harvest *h, asy_model_process *p, uint32_t func, uint32_t *id)
{
    asy_status st;

    if (h->nameless == ASY_NONE) {
        asy_text strings[3] = {{"?", 1}, {"?", 1}, NOTHING};
        asy_symbol head = {.bytes = asy_symbol_size(strings, 3), .kind = ASY_NODE_PY, .count = 3};

        st = asy_write_func(h->writer, h->next_func, &head, strings);
        if (st != ASY_OK) {
            return st;
        }
        h->nameless = h->next_func++;
    }
    if (func != 0) {
        st = asy_image_put(p->image, func, h->nameless);
        if (st != ASY_OK) {
            return st;
        }
    }
    p->lost_symbols++;
    *id = h->nameless;
    return ASY_OK;
}
