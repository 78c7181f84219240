// mimic.h: the writing side of an arena as an agent does it, without a Python: for tests.
#ifndef ASY_TESTS_MIMIC_H
#define ASY_TESTS_MIMIC_H

#include "core/arena.h"
#include "core/symbols.h"
#include "core/tree.h"

#define MIMIC_NONCE 77u

typedef struct {
    asy_arena *arena; // borrowed
    uint32_t proc;
    uint64_t serial;
    asy_tree tree;
    uint64_t cpu_ns, now; // what the tree's clocks say
    uint32_t chunk;       // the THREAD chunk
    uint32_t *others;     // owned: NODES and STACK chunks
    uint32_t other_count, other_room;
    uint32_t syms; // chunk that takes symbols now
    uint8_t *syms_at;
    uint32_t syms_used, syms_room, syms_ordinal;
} mimic;

// Who owns each chunk, kept by the writers themselves beside the arena: shared memory, a word a chunk, or NULL. A claim of a chunk that
// somebody else still holds is counted in mimic_doubles.
extern uint64_t *mimic_ledger;
extern uint64_t *mimic_doubles;
// The calling process and thread hold chunk `index` no longer.
void mimic_let_go(mimic *m, uint32_t index);

// Bytes of a file with exactly so many chunks.
uint64_t mimic_bytes(uint64_t chunks);
// A formatted memfd; -1 on failure.
int mimic_file(uint64_t chunks);
// Claim a process row and make it LIVE; ASY_PROC_MAX if there is none.
uint32_t mimic_process(asy_arena *a, uint64_t pid, uint64_t now);
// Begin a thread in a new THREAD chunk. False if no memory can be had.
bool mimic_begin(mimic *m, asy_arena *a, uint32_t proc, uint64_t native_id, const char *name, uint64_t gap,
                 uint64_t now);
// It ends by itself: its chunks become ENDED.
void mimic_end(mimic *m, uint64_t now);
// Forget the private side; the arena keeps what it has (as after a SIGKILL).
void mimic_abandon(mimic *m);
// Define a function in the log; its id, 0 if the log is full.
uint32_t mimic_func(mimic *m, uint32_t kind, const char *name, const char *file, uint32_t line);
bool mimic_symbol(mimic *m, uint32_t func, uint32_t kind, uint32_t line, const asy_text *strings, uint32_t count);
uint32_t mimic_new_func(mimic *m); // an id without a symbol
// A call begins at `now`, and ends.
uint32_t mimic_call(mimic *m, uint32_t func, uint32_t kind, uint64_t token, uint64_t now);
void mimic_return(mimic *m, uint64_t token, uint64_t now);

#endif
