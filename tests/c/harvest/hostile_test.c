// hostile_test.c: arenas that lie. A valid arena is damaged at random (seeded) while it is harvested: the harvester must neither read outside,
// nor hang, nor grow beyond what the arena holds, nor tell the writer nonsense. Run under ASan and UBSan.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_writer.h"
#include "harvest/harvest.h"
#include "mimic.h"

#define CHUNKS 24u
#define THREADS 4
#define ROUNDS 1500u

static uint64_t
dice(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Values that break careless arithmetic.
static uint64_t
poison(uint64_t *state)
{
    static const uint64_t odd[] = {0,          1,          2,          511,        512,         513,          0x7fffffff,
                                   UINT32_MAX, 0x80000000, 0x100000001, UINT64_MAX, INT64_MAX,   UINT64_MAX - 7, 1025,
                                   12288,      12296,      65536,      65544,      0x3ff,       0x101,        0x102};
    uint64_t roll = dice(state);

    return roll % 3 == 0 ? dice(state) : odd[(roll >> 8) % (sizeof(odd) / sizeof(odd[0]))];
}

typedef struct {
    asy_arena arena;
    mimic threads[THREADS];
    uint32_t funcs[32];
    uint64_t now;
} victim;

static void
victim_begin(victim *v, int fd)
{
    uint32_t proc;

    memset(v, 0, sizeof(*v));
    assert_int_equal(asy_arena_attach(&v->arena, fd, MIMIC_NONCE), ASY_OK);
    proc = mimic_process(&v->arena, 5, 1000);
    for (int t = 0; t < THREADS; t++) {
        assert_true(mimic_begin(&v->threads[t], &v->arena, proc, 9, "Thread-1", UINT64_MAX, 1000));
    }
    for (int i = 0; i < 32; i++) {
        v->funcs[i] = mimic_func(&v->threads[i % THREADS], ASY_NODE_PY, "function", "file.py", 1);
    }
    v->now = 2000;
}

// Fill every kind of chunk: nodes beyond the first part, a deep stack, a second symbol chunk.
static void
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
        uint64_t roll = dice(state);

        mimic_call(&v->threads[n % 2], v->funcs[roll % 32], ASY_NODE_PY, ++depth, v->now++);
    }
}

// Spoil a word: of a directory row, of the process row, of a thread's page, of nodes, frames or symbols.
static void
spoil(victim *v, uint64_t *state)
{
    uint32_t chunk = (uint32_t)(dice(state) % 12);
    uint64_t *words;
    uint64_t at;

    switch (dice(state) % 6) {
    case 0:
        words = (uint64_t *)&v->arena.chunks[chunk];
        at = dice(state) % (sizeof(asy_chunk) / 8);
        break;
    case 1:
        words = (uint64_t *)&v->arena.procs[dice(state) % 2];
        at = dice(state) % (sizeof(asy_proc) / 8);
        break;
    case 2:
        words = asy_arena_data(&v->arena, chunk);
        at = dice(state) % (sizeof(asy_thread) / 8);
        break;
    case 3:
        words = asy_arena_data(&v->arena, chunk);
        at = ASY_THREAD_NODES_OFF / 8 + dice(state) % 800;
        break;
    case 4:
        words = asy_arena_data(&v->arena, chunk);
        at = ASY_THREAD_SYMS_OFF / 8 + dice(state) % 200;
        break;
    default:
        words = asy_arena_data(&v->arena, chunk);
        at = dice(state) % (ASY_CHUNK_BYTES / 8);
        break;
    }
    if (dice(state) % 2 == 0) {
        words[at] = poison(state);
    } else {
        words[at] ^= 1ull << (dice(state) % 64);
    }
}

// Give a row to an owner who does not exist, end it, or free it under the harvester.
static void
shuffle(victim *v, uint64_t *state)
{
    asy_chunk *c = &v->arena.chunks[dice(state) % CHUNKS];

    c->state = asy_chunk_word((uint32_t)(dice(state) % 4), (uint32_t)(dice(state) % 3), dice(state) % 6);
    c->kind = (uint32_t)(dice(state) % 6);
    c->ordinal = (uint32_t)(dice(state) % 3);
    c->sym_bytes = poison(state);
}

static void
check_bounds(const asy_writer *w, const asy_harvest *h)
{
    uint64_t nodes = 0;

    assert_string_equal(w->problem, "");
    for (uint32_t t = 0; t < w->thread_count; t++) {
        nodes += w->threads[t].node_count;
    }
    // Each thread seen took at most what the arena holds, and was merged or written once.
    assert_true(nodes <= (asy_harvest_count(h).threads_seen + 1) * CHUNKS * 2 * ASY_NODE_PART);
}

// Adds what was damaged and what was taken, so that the test can tell that it bites.
static void
attack(uint64_t seed, bool subtle, uint64_t *damaged, uint64_t *nodes)
{
    static victim v;
    uint64_t state = seed * 0x9E3779B97F4A7C15ull | 1;
    int fd = mimic_file(CHUNKS);
    asy_arena program;
    asy_writer *w = fake_writer_new();
    asy_harvest *h;
    asy_clock_pair at = {1000, 1000};

    assert_true(fd >= 0);
    victim_begin(&v, fd);
    assert_int_equal(asy_arena_attach(&program, fd, MIMIC_NONCE), ASY_OK);
    close(fd);
    assert_int_equal(asy_harvest_new(&program, w, at, &h), ASY_OK);
    victim_work(&v, &state);
    for (int polls = 0; polls < 6; polls++) {
        at = (asy_clock_pair){v.now + (uint64_t)polls * 1000, v.now + (uint64_t)polls * 1000};
        for (uint64_t n = subtle ? 1 : dice(&state) % 40; n > 0; n--) {
            spoil(&v, &state);
        }
        if (!subtle && dice(&state) % 2 == 0) {
            shuffle(&v, &state);
        }
        assert_int_equal(asy_harvest_poll(h, at, polls % 2 == 0), ASY_OK);
        if (polls == 3) {
            assert_int_equal(asy_harvest_process_died(h, 5, poison(&state), 2, 9), ASY_OK);
        }
    }
    assert_int_equal(asy_harvest_finish(h, at), ASY_OK);
    check_bounds(w, h);
    *damaged += asy_harvest_count(h).damaged_chunks;
    *nodes += asy_harvest_count(h).nodes;
    asy_harvest_free(h);
    fake_writer_free(w);
    for (int t = 0; t < THREADS; t++) {
        mimic_abandon(&v.threads[t]);
    }
    asy_arena_detach(&program);
    asy_arena_detach(&v.arena);
}

static void
no_damage_leads_outside(void **state)
{
    uint64_t damaged = 0, nodes = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        attack(seed, seed % 2 == 0, &damaged, &nodes);
    }
    assert_true(damaged > ROUNDS);      // it was noticed,
    assert_true(nodes > 1000 * ROUNDS); // and what was whole was taken
}

// Chunks of threads that never end, each under a new name: memory is bounded by the directory.
static void
endless_new_threads_share_rows(void **state)
{
    int fd = mimic_file(CHUNKS);
    asy_arena a;
    asy_writer *w = fake_writer_new();
    asy_harvest *h;
    uint64_t lot = 99;

    (void)state;
    assert_int_equal(asy_arena_attach(&a, fd, MIMIC_NONCE), ASY_OK);
    close(fd);
    assert_int_equal(asy_harvest_new(&a, w, (asy_clock_pair){1, 1}, &h), ASY_OK);
    assert_int_not_equal(mimic_process(&a, 5, 1), ASY_PROC_MAX);
    for (uint64_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < CHUNKS; i++) {
            uint64_t *data = asy_arena_data(&a, i);

            for (uint32_t n = 0; n < ASY_CHUNK_BYTES / 8; n += 1 + (uint32_t)(dice(&lot) % 64)) {
                data[n] = dice(&lot) % 3000;
            }
            ((asy_thread *)(void *)data)->node_count = ASY_NODE_PART;
            a.chunks[i].kind = ASY_KIND_THREAD;
            a.chunks[i].sym_bytes = 0;
            a.chunks[i].state = asy_chunk_word(ASY_CHUNK_ENDED, 0, 1 + round * CHUNKS + i);
        }
        assert_int_equal(asy_harvest_poll(h, (asy_clock_pair){round + 2, round + 2}, round % 4 == 0), ASY_OK);
        assert_int_equal(asy_harvest_poll(h, (asy_clock_pair){round + 2, round + 2}, false), ASY_OK);
    }
    assert_int_equal(asy_harvest_finish(h, (asy_clock_pair){300, 300}), ASY_OK);
    assert_string_equal(w->problem, "");
    assert_int_equal(asy_harvest_count(h).threads_live, 0);
    assert_int_equal(asy_harvest_count(h).threads_seen, 200 * CHUNKS);
    assert_true(w->thread_count <= 256 + 65);
    asy_harvest_free(h);
    fake_writer_free(w);
    asy_arena_detach(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_damage_leads_outside),
        cmocka_unit_test(endless_new_threads_share_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
