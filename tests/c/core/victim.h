// victim.h: a valid arena with every kind of chunk in use, and ways to damage it at random (seeded): for tests.
#ifndef ASY_TESTS_VICTIM_H
#define ASY_TESTS_VICTIM_H

#include "mimic.h"

#define VICTIM_CHUNKS 24u
#define VICTIM_THREADS 4
#define VICTIM_PID 5u

typedef struct {
    asy_arena arena;
    mimic threads[VICTIM_THREADS];
    uint32_t funcs[32];
    uint64_t now;
} victim;

uint64_t victim_dice(uint64_t *state);
// Values that break careless arithmetic.
uint64_t victim_poison(uint64_t *state);
// Attach to the arena behind `fd` and begin a process with its threads. False if that fails.
bool victim_begin(victim *v, int fd);
// Fill nodes beyond the first part, a deep stack, a second symbol chunk.
void victim_work(victim *v, uint64_t *state);
// Spoil a word of a directory row, a process row, a thread's page, of nodes, frames or symbols.
void victim_spoil(victim *v, uint64_t *state);
// Give a row to an owner who does not exist, end it, or free it under the harvester.
void victim_shuffle(victim *v, uint64_t *state);
void victim_end(victim *v);

#endif
