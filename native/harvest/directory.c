// directory.c: the chunk directory: what is new, what its symbols say, what can be freed.
// Claimers take the lowest free row, so the rows that were ever claimed are a prefix: a scan ends at the first row beyond the known
// ones that is still free.
#include "harvest/model.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
state_of(const asy_harvest *h, uint32_t chunk)
{
    return __atomic_load_n(&h->arena->chunks[chunk].state, __ATOMIC_ACQUIRE);
}

uint64_t
asy_harvest_owner_pins(const asy_harvest *h, uint64_t owner)
{
    uint32_t slot = (uint32_t)(owner & 0xffff);
    const asy_model_process *p = slot < ASY_PROC_MAX ? h->processes[slot] : NULL;

    return p == NULL || p->dead ? 0 : __atomic_load_n(&h->arena->procs[slot].pins, __ATOMIC_ACQUIRE);
}

static void
forget(asy_harvest *h, uint32_t chunk)
{
    asy_arena_free(h->arena, chunk);
    h->chunks[chunk] = (asy_model_chunk){.owner = UINT64_MAX};
}

void
asy_directory_release(asy_harvest *h, uint32_t chunk)
{
    asy_model_chunk *c = &h->chunks[chunk];

    c->taken = true;
    if ((state_of(h, chunk) & 0xff) == ASY_CHUNK_ENDED && asy_harvest_owner_pins(h, c->owner) == 0) {
        forget(h, chunk);
    }
}

// Room for what is known of one more row.
static asy_status
reserve(asy_harvest *h)
{
    uint32_t room = h->chunk_room == 0 ? 64 : h->chunk_room * 2;
    asy_model_chunk *bigger;

    if (h->chunk_top < h->chunk_room) {
        return ASY_OK;
    }
    bigger = realloc(h->chunks, room * sizeof(*bigger));
    if (bigger == NULL) {
        return ASY_ENOMEM;
    }
    h->chunks = bigger;
    h->chunk_room = room;
    return ASY_OK;
}

// Left alone until its owner ends it.
static void
refuse(asy_harvest *h, uint32_t chunk)
{
    h->totals.damaged_chunks++;
    asy_directory_release(h, chunk);
}

static bool
wholly_read(const asy_harvest *h, uint32_t chunk)
{
    uint32_t read = h->chunks[chunk].read;

    return read == ASY_NONE || read == asy_word_load(&h->arena->chunks[chunk].sym_bytes);
}

static asy_status
take_symbols(asy_harvest *h, asy_model_process *p, uint32_t chunk)
{
    asy_model_chunk *c = &h->chunks[chunk];
    uint32_t off = c->kind == ASY_KIND_THREAD ? ASY_THREAD_SYMS_OFF : 0;
    uint32_t room = c->kind == ASY_KIND_THREAD ? ASY_THREAD_SYMS_BYTES : ASY_CHUNK_BYTES;
    uint64_t bytes = __atomic_load_n(&h->arena->chunks[chunk].sym_bytes, __ATOMIC_ACQUIRE);
    const uint8_t *data;
    uint32_t used;
    bool damaged;
    asy_status st;

    if (bytes == c->read || c->read == ASY_NONE) {
        return ASY_OK;
    }
    data = asy_arena_data(h->arena, chunk);
    if (data == NULL) {
        return ASY_OK; // no address space: perhaps later
    }
    if (bytes < c->read || bytes > room) {
        h->totals.damaged_chunks++;
        c->read = ASY_NONE;
        return ASY_OK;
    }
    memcpy(h->scratch, data + off + c->read, bytes - c->read); // checked in a copy: its owner may be hostile
    st = asy_symbols_take(h, p, h->scratch, (uint32_t)bytes - c->read, &used, &damaged);
    c->read += used;
    if (damaged) {
        h->totals.damaged_chunks++;
        c->read = ASY_NONE;
    }
    __atomic_store_n(&h->arena->chunks[chunk].read_bytes, c->read, __ATOMIC_RELAXED);
    return st;
}

// A row that is seen for the first time with a kind.
static asy_status
meet(asy_harvest *h, uint32_t chunk, uint64_t state, uint32_t kind)
{
    asy_model_chunk *c = &h->chunks[chunk];
    uint32_t slot = (uint32_t)(state >> 8) & 0xffff;
    bool accepted = false;
    asy_model_process *p;
    asy_status st;

    if (slot >= ASY_PROC_MAX || kind > ASY_KIND_SYMS) {
        c->owner = state >> 8;
        refuse(h, chunk);
        return ASY_OK;
    }
    st = asy_process_meet(h, slot, &p);
    if (st == ASY_OK) {
        st = asy_process_link(h, p);
    }
    if (st != ASY_OK) {
        return st;
    }
    if (p->dead) {
        c->owner = state >> 8;
        asy_arena_end(h->arena, chunk);
        refuse(h, chunk);
        return ASY_OK;
    }
    st = asy_threads_link(h, p, state >> 24, chunk, kind, asy_word_load32(&h->arena->chunks[chunk].ordinal), &accepted);
    if (st != ASY_OK) {
        return st;
    }
    *c = (asy_model_chunk){.owner = state >> 8, .kind = kind};
    if (!accepted) {
        refuse(h, chunk);
    }
    return ASY_OK;
}

static asy_status
look(asy_harvest *h, uint32_t chunk, uint64_t state)
{
    asy_model_chunk *c = &h->chunks[chunk];
    uint32_t kind = __atomic_load_n(&h->arena->chunks[chunk].kind, __ATOMIC_ACQUIRE);
    bool ended = (state & 0xff) == ASY_CHUNK_ENDED;
    asy_status st = ASY_OK;

    if (c->owner != UINT64_MAX && c->owner != state >> 8) {
        h->totals.damaged_chunks++; // the row was overwritten
        *c = (asy_model_chunk){.owner = UINT64_MAX};
    }
    if (c->owner == UINT64_MAX && kind == 0) {
        if (ended) {
            forget(h, chunk); // claimed, but its memory was refused
        }
        return ASY_OK;
    }
    if (c->owner == UINT64_MAX) {
        st = meet(h, chunk, state, kind);
    }
    if (st != ASY_OK || c->owner == UINT64_MAX) {
        return st;
    }
    if (!c->taken && (c->kind == ASY_KIND_THREAD || c->kind == ASY_KIND_SYMS)) {
        st = take_symbols(h, h->processes[c->owner & 0xffff], chunk);
    }
    if (st == ASY_OK && ended && (c->taken || (c->kind == ASY_KIND_SYMS && wholly_read(h, chunk)))) {
        asy_directory_release(h, chunk);
    }
    return st;
}

asy_status
asy_directory_scan(asy_harvest *h)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < h->arena->chunk_count && st == ASY_OK; i++) {
        uint64_t state = state_of(h, i);

        if (i == h->chunk_top) {
            if ((state & 0xff) == ASY_CHUNK_FREE) {
                break;
            }
            st = reserve(h);
            if (st != ASY_OK) {
                break;
            }
            h->chunks[h->chunk_top++] = (asy_model_chunk){.owner = UINT64_MAX};
        }
        if ((state & 0xff) != ASY_CHUNK_FREE) {
            st = look(h, i, state);
        }
    }
    return st;
}

void
asy_directory_bury(asy_harvest *h, uint32_t slot)
{
    for (uint32_t i = 0; i < h->chunk_top; i++) {
        uint64_t state = state_of(h, i);
        bool here = (state >> 8 & 0xffff) == slot;

        if ((state & 0xff) != ASY_CHUNK_FREE && here) {
            asy_arena_end(h->arena, i);
            forget(h, i);
        }
    }
}
