// symbols.h: the records of the symbols log.
// Names are copied as bytes at first sight: code objects, C definitions and classes die.
// A record: asy_symbol, then `count` strings, each a uint32_t length and its bytes, the whole padded with zeros to 8.
//   PY:     qualname, name, file          line = co_firstlineno
//   C, CLASS, OBJECT: name, "", module      (name is qualified: "list.append"; module may be empty)
//   TAG:    key, value, key, value, …     sorted by key; count is even
//   PHASE:  name
//   PROCESS: executable, cwd, argv[0], argv[1], …   (func 0)
#ifndef ASY_CORE_SYMBOLS_H
#define ASY_CORE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

#define ASY_SYMBOL_PROCESS 0x40u // a `kind` beside asy_node_kind
#define ASY_SYMBOL_STRINGS 64u
#define ASY_SYMBOL_STRING_MAX 4096u // longer ones are cut, at a character, and end in "…"

#define ASY_SYMBOL_F_GENERATOR 1u
#define ASY_SYMBOL_F_COROUTINE 2u
#define ASY_SYMBOL_F_ASYNC_GENERATOR 4u

typedef struct {
    uint32_t bytes; // of the whole record, a multiple of 8
    uint32_t func;
    uint16_t kind;
    uint16_t count;
    uint32_t flags;
    uint32_t line; // 0 = none
    uint32_t spare;
} asy_symbol;

typedef struct {
    const char *bytes; // borrowed; not terminated; UTF-8, lone surrogates as three bytes
    uint32_t len;
} asy_text;

// Bytes that a record with these strings takes; 0 if there are too many.
uint32_t asy_symbol_size(const asy_text *strings, uint32_t count);
// Write one at `out` (8-aligned, asy_symbol_size bytes). Strings over the limit are cut.
void asy_symbol_write(void *out, uint32_t func, uint32_t kind, uint32_t flags, uint32_t line, const asy_text *strings,
                      uint32_t count);
// Check and split a record at `in` with `len` bytes available. strings has room for ASY_SYMBOL_STRINGS; they borrow from `in`.
// Errors: ASY_ECORRUPT.
asy_status asy_symbol_read(const void *in, size_t len, asy_symbol *head, asy_text *strings);

#endif
