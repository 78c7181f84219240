// intern.h: a number for each text, and for each triple of numbers, in the order in which they are first seen.
// The hashes are keyed at random: who wrote the texts cannot choose what falls together.
#ifndef ASY_RECORD_INTERN_H
#define ASY_RECORD_INTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/symbols.h"
#include "record/hash.h"

typedef struct {
    uint32_t a, b, c;
} asy_intern_triple;

typedef struct {
    asy_hash hash;
    uint32_t *slots; // owned; 1 + number, 0 = empty
    uint32_t size;   // power of two
    uint32_t count, cap;
    asy_text *texts;            // owned, of a table of texts: [number]; the bytes are borrowed
    asy_intern_triple *triples; // owned, of a table of triples
} asy_intern;                   // begun with asy_intern_new()

asy_intern asy_intern_new(void);
// The number of the text or triple; it is added if it is not there. One table is for texts or for triples, not for both.
// Errors: ASY_ENOMEM.
asy_status asy_intern_text(asy_intern *t, asy_text text, uint32_t *out);
asy_status asy_intern_three(asy_intern *t, asy_intern_triple three, uint32_t *out);
void asy_intern_clear(asy_intern *t);

#endif
