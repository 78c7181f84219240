// marshal.h: what CPython's marshal writes for texts, numbers, tuples and dicts, in its versions 2 to 5, from untrusted bytes.
// Only these; everything else (code above all) is refused. A container is given as its head: its items follow. One that is referred
// to later has a slot, and whoever reads its items says what it was.
#ifndef ASY_RECORD_MARSHAL_H
#define ASY_RECORD_MARSHAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef enum {
    ASY_MARSHAL_NULL, // the end of a dict
    ASY_MARSHAL_TEXT,
    ASY_MARSHAL_INT,
    ASY_MARSHAL_FLOAT,
    ASY_MARSHAL_TRUE,
    ASY_MARSHAL_TUPLE, // `count` items follow
    ASY_MARSHAL_DICT,  // pairs of items follow, and ASY_MARSHAL_NULL
    ASY_MARSHAL_KNOWN, // a container again, which was said to be `known`
} asy_marshal_kind;

#define ASY_MARSHAL_NO_SLOT UINT32_MAX

typedef struct {
    uint8_t kind;  // asy_marshal_kind
    uint32_t slot; // of a container, to be given to asy_marshal_define; ASY_MARSHAL_NO_SLOT: it is not referred to
    uint32_t memo; // of a text that is referred to: the place for a number of the caller's, ASY_MARSHAL_NO_SLOT: none
    union {
        struct {
            const char *bytes; // borrowed from the input; UTF-8, perhaps with surrogates, perhaps not valid
            uint32_t len;
        } text;
        int64_t n;
        double real;
        uint32_t count;
        uint64_t known;
    };
} asy_marshal_item;

typedef struct {
    const uint8_t *bytes; // borrowed
    size_t len, at;
    const char *why;        // a clause, static: what is wrong at `at`
    asy_marshal_item *refs; // owned; [slot]
    uint32_t *memos;        // owned; [slot] 1 + a text's number, 0: none yet
    uint32_t ref_count, ref_cap;
} asy_marshal; // bytes and len are set, the rest zeroed

// Errors: ASY_ECORRUPT (why), ASY_ENOMEM.
asy_status asy_marshal_next(asy_marshal *m, asy_marshal_item *out);
// What stands for the container wherever it is referred to from now on; before that it is a reference to itself, which is refused.
void asy_marshal_define(asy_marshal *m, uint32_t slot, uint64_t known);
void asy_marshal_clear(asy_marshal *m);

#endif
