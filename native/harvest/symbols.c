// symbols.c: the symbols log of a process into functions of the recording.
// Records are whole and name their function themselves, so the order of chunks does not matter; the first record of an id counts.
#include "harvest/model.h"

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

static asy_status
define(asy_harvest *h, asy_model_process *p, uint32_t func, asy_symbol *head, asy_text *strings)
{
    uint32_t id = h->next_func;
    uint64_t known;
    asy_status st;

    if (asy_map_get(&p->funcs, func, &known)) {
        return ASY_OK;
    }
    while (head->count < strings_wanted(head->kind)) {
        strings[head->count++] = NOTHING;
    }
    if (head->kind == ASY_NODE_TAG) {
        head->count = (uint16_t)(head->count & ~1u);
    }
    st = asy_write_func(h->writer, id, head, strings);
    if (st != ASY_OK) {
        return st;
    }
    h->next_func++; // the writer has it, whatever follows
    return asy_map_put(&p->funcs, func, id);
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
            st = asy_process_texts(p, strings, head.count);
        } else if (head.func != 0 && head.kind > ASY_NODE_ROOT && head.kind < ASY_NODE_KINDS) {
            st = define(h, p, head.func, &head, strings);
        }
        if (st == ASY_OK) {
            *used += head.bytes;
        }
    }
    return st;
}

bool
asy_symbols_find(const asy_model_process *p, uint32_t func, uint32_t *id)
{
    uint64_t known;

    if (func == 0 || !asy_map_get(&p->funcs, func, &known)) {
        return false;
    }
    *id = (uint32_t)known;
    return true;
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
        st = asy_map_put(&p->funcs, func, h->nameless);
        if (st != ASY_OK) {
            return st;
        }
    }
    p->lost_symbols++;
    *id = h->nameless;
    return ASY_OK;
}
