// victim.c: an arena to be damaged, for tests.
#include "victim.h"

#include <string.h>

uint64_t
victim_dice(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t
victim_poison(uint64_t *state)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   511,
                                   512,
                                   513,
                                   0x7fffffff,
                                   UINT32_MAX,
                                   0x80000000,
                                   0x100000001,
                                   UINT64_MAX,
                                   INT64_MAX,
                                   UINT64_MAX - 7,
                                   1025,
                                   12288,
                                   12296,
                                   65536,
                                   65544,
                                   0x3ff,
                                   0x101,
                                   0x102};
    uint64_t roll = victim_dice(state);

    return roll % 3 == 0 ? victim_dice(state) : odd[(roll >> 8) % (sizeof(odd) / sizeof(odd[0]))];
}

bool
victim_begin(victim *v, int fd)
{
    uint32_t proc;

    memset(v, 0, sizeof(*v));
    if (asy_arena_attach(&v->arena, fd, MIMIC_NONCE) != ASY_OK) {
        return false;
    }
    proc = mimic_process(&v->arena, VICTIM_PID, 1000);
    for (int t = 0; t < VICTIM_THREADS; t++) {
        if (!mimic_begin(&v->threads[t], &v->arena, proc, 9, "Thread-1", UINT64_MAX, 1000)) {
            return false;
        }
    }
    for (int i = 0; i < 32; i++) {
        v->funcs[i] = mimic_func(&v->threads[i % VICTIM_THREADS], ASY_NODE_PY, "function", "file.py", 1);
    }
    v->now = 2000;
    return true;
}

void
victim_work(victim *v, uint64_t *state)
{
    char name[600];
    uint64_t depth = 0;

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 12; i++) {
        mimic_func(&v->threads[0], ASY_NODE_C, name, "m", 0);
    }
    for (int n = 0; n < 1500; n++) {
        uint64_t roll = victim_dice(state);

        mimic_call(&v->threads[n % 2], v->funcs[roll % 32], ASY_NODE_PY, ++depth, v->now++);
    }
}

void
victim_spoil(victim *v, uint64_t *state)
{
    uint32_t chunk = (uint32_t)(victim_dice(state) % 12);
    uint64_t *words;
    uint64_t at;

    switch (victim_dice(state) % 6) {
    case 0:
        words = (uint64_t *)&v->arena.chunks[chunk];
        at = victim_dice(state) % (sizeof(asy_chunk) / 8);
        break;
    case 1:
        words = (uint64_t *)&v->arena.procs[victim_dice(state) % 2];
        at = victim_dice(state) % (sizeof(asy_proc) / 8);
        break;
    case 2:
        words = asy_arena_data(&v->arena, chunk);
        at = victim_dice(state) % (sizeof(asy_thread) / 8);
        break;
    case 3:
        words = asy_arena_data(&v->arena, chunk);
        at = ASY_THREAD_NODES_OFF / 8 + victim_dice(state) % 800;
        break;
    case 4:
        words = asy_arena_data(&v->arena, chunk);
        at = ASY_THREAD_SYMS_OFF / 8 + victim_dice(state) % 200;
        break;
    default:
        words = asy_arena_data(&v->arena, chunk);
        at = victim_dice(state) % (ASY_CHUNK_BYTES / 8);
        break;
    }
    if (victim_dice(state) % 2 == 0) {
        words[at] = victim_poison(state);
    } else {
        words[at] ^= 1ull << (victim_dice(state) % 64);
    }
}

void
victim_shuffle(victim *v, uint64_t *state)
{
    asy_chunk *c = &v->arena.chunks[victim_dice(state) % VICTIM_CHUNKS];

    c->state =
        asy_chunk_word((uint32_t)(victim_dice(state) % 4), (uint32_t)(victim_dice(state) % 3), victim_dice(state) % 6);
    c->kind = (uint32_t)(victim_dice(state) % 6);
    c->ordinal = (uint32_t)(victim_dice(state) % 3);
    c->sym_bytes = victim_poison(state);
}

void
victim_end(victim *v)
{
    for (int t = 0; t < VICTIM_THREADS; t++) {
        mimic_abandon(&v->threads[t]);
    }
    asy_arena_detach(&v->arena);
}
