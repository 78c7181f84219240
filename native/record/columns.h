// columns.h: rows of numbers, kept and stored column by column.
// A block of columns: varints rows, columns; then each column's bytes as a varint and its varints. Rows of one kind
// change little from one to the next, so that a column compresses where a row would not.
#ifndef ASY_RECORD_COLUMNS_H
#define ASY_RECORD_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "record/buffer.h"
#include "record/varint.h"

#define ASY_COLUMNS_MAX 9u
#define ASY_COLUMNS_ROWS 32768u // rows of a block that a writer makes

// ---- writing ----

typedef struct {
    unsigned count;
    uint32_t rows;
    size_t stride;                 // bytes of one column's part of `area`
    uint8_t *area;                 // owned; NULL until the first row
    uint8_t *end[ASY_COLUMNS_MAX]; // where the column goes on
    uint32_t thread, node;         // of the row before: rows are written as differences
} asy_columns;

// `widest`: bytes that a value of any column may take.
void asy_columns_init(asy_columns *c, unsigned count, unsigned widest);
void asy_columns_free(asy_columns *c);
// The first two columns of a new row, by which the caller fills the others. c->area must be there.
// Errors: ASY_ENOMEM.
asy_status asy_columns_room(asy_columns *c);
void asy_columns_begin_row(asy_columns *c, uint32_t thread, uint32_t node);
// Append the block's bytes to `raw` and begin anew. Errors: ASY_ENOMEM; nothing is changed then.
asy_status asy_columns_take(asy_columns *c, asy_buffer *raw);

static inline void
asy_columns_put(asy_columns *c, unsigned column, uint64_t v)
{
    c->end[column] = asy_varint_put(c->end[column], v);
}

// ---- reading ----

typedef struct {
    uint64_t rows; // not yet read
    const uint8_t *p[ASY_COLUMNS_MAX], *end[ASY_COLUMNS_MAX];
} asy_columns_view;

// Split a block's bytes. Columns after the first `count` are passed over. False: they are not such a block.
bool asy_columns_open(asy_columns_view *v, const uint8_t *p, const uint8_t *end, unsigned count);
// The next `n` values of a column. False: it is cut, or one is over `max`.
bool asy_columns_get(asy_columns_view *v, unsigned column, size_t n, uint64_t max, uint64_t *out);
// No bytes are left over behind the rows.
bool asy_columns_done(const asy_columns_view *v, unsigned count);

#endif
