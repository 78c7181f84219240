// world.h: an arena with one process, and a harvester of it that tells a stand-in for the writer.
#ifndef ASY_TESTS_WORLD_H
#define ASY_TESTS_WORLD_H

#include "fake_writer.h"
#include "harvest/harvest.h"
#include "mimic.h"

#define PID 4711u
#define START 1000000000u // ticks are ns here; the session begins at START

typedef struct {
    asy_arena agent, program;
    asy_writer *writer;
    asy_harvest *harvest;
    uint32_t proc;
} world;

// A point in time, ns since the session began.
asy_clock_pair at(uint64_t ns);
world *world_new(uint64_t chunks);
void world_free(world *w);
void begin(world *w, mimic *m, const char *name, uint64_t ns);
uint32_t chunks_in_use(const world *w);
void poll_at(world *w, uint64_t ns, bool write);
void finish_at(world *w, uint64_t ns);

#endif
