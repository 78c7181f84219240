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
#include "victim.h"

#define ROUNDS 1500u

static void
check_bounds(const asy_writer *w, const asy_harvest *h)
{
    uint64_t nodes = 0;

    assert_string_equal(w->problem, "");
    for (uint32_t t = 0; t < w->thread_count; t++) {
        nodes += w->threads[t].node_count;
    }
    // Each thread seen took at most what the arena holds, and was merged or written once.
    assert_true(nodes <= (asy_harvest_count(h).threads_seen + 1) * VICTIM_CHUNKS * 2 * ASY_NODE_PART);
}

// Adds what was damaged and what was taken, so that the test can tell that it bites.
static void
attack(uint64_t seed, bool subtle, uint64_t *damaged, uint64_t *nodes)
{
    static victim v;
    uint64_t state = seed * 0x9E3779B97F4A7C15ull | 1;
    int fd = mimic_file(VICTIM_CHUNKS);
    asy_arena program;
    asy_writer *w = fake_writer_new();
    asy_harvest *h;
    asy_clock_pair at = {1000, 1000};

    assert_true(fd >= 0);
    assert_true(victim_begin(&v, fd));
    assert_int_equal(asy_arena_attach(&program, fd, MIMIC_NONCE), ASY_OK);
    close(fd);
    assert_int_equal(asy_harvest_new(&program, w, at, &h), ASY_OK);
    victim_work(&v, &state);
    for (int polls = 0; polls < 6; polls++) {
        at = (asy_clock_pair){v.now + (uint64_t)polls * 1000, v.now + (uint64_t)polls * 1000};
        for (uint64_t n = subtle ? 1 : victim_dice(&state) % 40; n > 0; n--) {
            victim_spoil(&v, &state);
        }
        if (!subtle && victim_dice(&state) % 2 == 0) {
            victim_shuffle(&v, &state);
        }
        assert_int_equal(asy_harvest_poll(h, at, polls % 2 == 0), ASY_OK);
        if (polls == 3) {
            assert_int_equal(asy_harvest_process_died(h, 5, victim_poison(&state), 2, 9), ASY_OK);
        }
    }
    assert_int_equal(asy_harvest_finish(h, at), ASY_OK);
    check_bounds(w, h);
    *damaged += asy_harvest_count(h).damaged_chunks;
    *nodes += asy_harvest_count(h).nodes;
    asy_harvest_free(h);
    fake_writer_free(w);
    victim_end(&v);
    asy_arena_detach(&program);
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
    int fd = mimic_file(VICTIM_CHUNKS);
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
        for (uint32_t i = 0; i < VICTIM_CHUNKS; i++) {
            uint64_t *data = asy_arena_data(&a, i);

            for (uint32_t n = 0; n < ASY_CHUNK_BYTES / 8; n += 1 + (uint32_t)(victim_dice(&lot) % 64)) {
                data[n] = victim_dice(&lot) % 3000;
            }
            ((asy_thread *)(void *)data)->node_count = ASY_NODE_PART;
            a.chunks[i].kind = ASY_KIND_THREAD;
            a.chunks[i].sym_bytes = 0;
            a.chunks[i].state = asy_chunk_word(ASY_CHUNK_ENDED, 0, 1 + round * VICTIM_CHUNKS + i);
        }
        assert_int_equal(asy_harvest_poll(h, (asy_clock_pair){round + 2, round + 2}, round % 4 == 0), ASY_OK);
        assert_int_equal(asy_harvest_poll(h, (asy_clock_pair){round + 2, round + 2}, false), ASY_OK);
    }
    assert_int_equal(asy_harvest_finish(h, (asy_clock_pair){300, 300}), ASY_OK);
    assert_string_equal(w->problem, "");
    assert_int_equal(asy_harvest_count(h).threads_live, 0);
    assert_int_equal(asy_harvest_count(h).threads_seen, 200 * VICTIM_CHUNKS);
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
