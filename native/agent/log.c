// log.c: records one after the other in SYMS chunks of thread 0, and where each id's record is.
#include "agent/log.h"

#include <string.h>

#define INDEX_FIRST 4096u

void
asy_log_open(void)
{
    asy_the_agent.log.open = true;
}

// A new chunk for the records to come.
static bool
chunk_take(asy_agent *a)
{
    uint32_t index;
    void *data;

    if (asy_arena_claim(&a->arena, a->slot, 0, &index, &data) != ASY_OK) {
        return false;
    }
    a->log.base = data;
    a->log.used = 0;
    a->log.chunk = index;
    asy_arena_publish(&a->arena, index, ASY_KIND_SYMS, a->log.chunks++);
    return true;
}

// Where a record is to be found later: not where the program may take it back.
static const void *
record_keep(asy_agent *a, const uint8_t *record, uint32_t bytes)
{
    if (a->standalone) {
        return record;
    }
    if (a->log.copies == NULL || a->log.copied + bytes > ASY_CHUNK_BYTES) {
        uint8_t *fresh = asy_agent_alloc(ASY_CHUNK_BYTES, false);

        if (fresh == NULL) {
            return NULL;
        }
        a->log.copies = fresh; // those before stay
        a->log.copied = 0;
    }
    memcpy(a->log.copies + a->log.copied, record, bytes);
    a->log.copied += bytes;
    return a->log.copies + a->log.copied - bytes;
}

// Ids beyond what the index can hold have a record, but none that asy_log_find knows.
static void
index_put(asy_agent *a, uint32_t func, const void *record)
{
    uint32_t room = a->log.room == 0 ? INDEX_FIRST : a->log.room;
    const void **bigger;

    while (room <= func) {
        room *= 2;
    }
    if (room != a->log.room) {
        bigger = asy_agent_alloc(room * sizeof(*bigger), false);
        if (bigger == NULL) {
            return;
        }
        if (a->log.index != NULL) {
            memcpy(bigger, a->log.index, a->log.room * sizeof(*bigger));
            asy_agent_release(a->log.index, a->log.room * sizeof(*bigger));
        }
        a->log.index = bigger;
        a->log.room = room;
    }
    a->log.index[func] = record;
}

void
asy_log_write(uint32_t func, uint32_t kind, uint32_t flags, uint32_t line, const asy_text *texts, uint32_t count)
{
    asy_agent *a = &asy_the_agent;
    uint32_t bytes = asy_symbol_size(texts, count);

    if (!a->log.open) {
        return;
    }
    if (bytes == 0 || bytes > ASY_CHUNK_BYTES ||
        ((a->log.base == NULL || a->log.used + bytes > ASY_CHUNK_BYTES) && !chunk_take(a))) {
        asy_arena_lose(&a->arena, a->slot, ASY_LOSS_SYMBOLS, 1);
        return;
    }
    asy_symbol_write(a->log.base + a->log.used, func, kind, flags, line, texts, count);
    index_put(a, func, record_keep(a, a->log.base + a->log.used, bytes)); // the process's is func 0
    a->log.used += bytes;
    __atomic_store_n(&a->arena.chunks[a->log.chunk].sym_bytes, a->log.used, __ATOMIC_RELEASE);
}

const asy_symbol *
asy_log_find(uint32_t func)
{
    asy_agent *a = &asy_the_agent;
    const asy_symbol *found = NULL;

    bool forked = !asy_agent_here(); // whoever held the lock at the fork is not here; nobody writes

    if (!forked) {
        pthread_mutex_lock(&a->lock);
    }
    if (func < a->log.room) {
        found = a->log.index[func];
    }
    if (!forked) {
        pthread_mutex_unlock(&a->lock);
    }
    return found;
}

const asy_symbol *
asy_log_process(void)
{
    return asy_log_find(0);
}
