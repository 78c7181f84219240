// craft.h: recordings made by hand, right or wrong. No test library: the fuzzer uses it too.
// Out of memory ends the process: these are tests.
#ifndef CRAFT_H
#define CRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/buffer.h"
#include "record/format.h"

void craft_bytes(asy_buffer *b, const void *bytes, size_t len);
void craft_number(asy_buffer *b, uint64_t v);
void craft_numbers(asy_buffer *b, size_t n, const uint64_t *v);
void craft_text(asy_buffer *b, const char *s);
// `row` with its length to `raw`; row is emptied.
void craft_row(asy_buffer *raw, asy_buffer *row);
// rows × columns numbers, row by row, as a block of columns.
void craft_columns(asy_buffer *raw, size_t rows, size_t columns, const uint64_t *v);

void craft_file_head(asy_buffer *file);
// A block whose stored bytes are given; its checksum is right.
void craft_block(asy_buffer *file, uint32_t type, uint32_t flags, size_t raw_bytes, const void *stored,
                 size_t stored_bytes);
// An uncompressed block of `raw`, which is emptied.
void craft_plain_block(asy_buffer *file, uint32_t type, asy_buffer *raw);

// A block of a recording, borrowed. False: there is no whole one at *at. *at goes behind it.
typedef struct {
    asy_block_head head;
    size_t at;
    const uint8_t *stored;
} craft_view;
bool craft_next(const uint8_t *bytes, size_t len, size_t *at, craft_view *v);

// The same recording with all blocks stored uncompressed.
asy_buffer craft_uncompressed(const uint8_t *bytes, size_t len);
// The same recording as a later version of the format may write it: unknown blocks, rows and columns that are longer.
asy_buffer craft_newer(const uint8_t *bytes, size_t len);
// Give every block that its length allows a right checksum.
void craft_fix(uint8_t *bytes, size_t len);

#endif
