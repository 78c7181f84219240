// columns.c: rows of numbers, column by column.
// A writer's columns have room for a whole block from the start, so that a row needs no check of its own.
#include "record/columns.h"

#include <stdlib.h>

void
asy_columns_init(asy_columns *c, unsigned count, unsigned widest)
{
    *c = (asy_columns){.count = count, .stride = (size_t)ASY_COLUMNS_ROWS * widest};
}

void
asy_columns_free(asy_columns *c)
{
    free(c->area);
    c->area = NULL;
}

static void
begin(asy_columns *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        c->end[i] = c->area + i * c->stride;
    }
    c->rows = 0;
    c->thread = 0;
    c->node = UINT32_MAX; // the row before the first: its successor is node 0 of thread 0
}

asy_status
asy_columns_room(asy_columns *c)
{
    if (c->area == NULL) {
        c->area = malloc(c->count * c->stride);
        if (c->area == NULL) {
            return ASY_ENOMEM;
        }
        begin(c);
    }
    return ASY_OK;
}

void
asy_columns_begin_row(asy_columns *c, uint32_t thread, uint32_t node)
{
    asy_columns_put(c, 0, asy_varint_zigzag((int64_t)thread - c->thread));
    asy_columns_put(c, 1, asy_varint_zigzag((int64_t)node - (int64_t)(uint32_t)(c->node + 1u)));
    c->thread = thread;
    c->node = node;
    c->rows++;
}

asy_status
asy_columns_take(asy_columns *c, asy_buffer *raw)
{
    size_t need = (c->count + 2) * ASY_VARINT_BYTES;
    asy_status st;
    uint8_t *p;

    for (unsigned i = 0; i < c->count; i++) {
        need += (size_t)(c->end[i] - (c->area + i * c->stride));
    }
    st = asy_buffer_reserve(raw, need);
    if (st != ASY_OK) {
        return st;
    }
    p = asy_varint_put(raw->data + raw->len, c->rows);
    p = asy_varint_put(p, c->count);
    raw->len = (size_t)(p - raw->data);
    for (unsigned i = 0; i < c->count; i++) {
        const uint8_t *from = c->area + i * c->stride;
        size_t bytes = (size_t)(c->end[i] - from);

        p = asy_varint_put(raw->data + raw->len, bytes);
        raw->len = (size_t)(p - raw->data);
        (void)asy_buffer_append(raw, from, bytes); // reserved above
    }
    begin(c);
    return ASY_OK;
}

bool
asy_columns_open(asy_columns_view *v, const uint8_t *p, const uint8_t *end, unsigned count)
{
    uint64_t columns, bytes;

    p = asy_varint_get(p, end, &v->rows);
    p = p == NULL ? NULL : asy_varint_get(p, end, &columns);
    if (p == NULL || columns < count) {
        return false;
    }
    for (uint64_t i = 0; i < columns; i++) {
        p = asy_varint_get(p, end, &bytes);
        if (p == NULL || bytes > (uint64_t)(end - p)) {
            return false;
        }
        if (i < count) {
            if (v->rows > bytes) { // a value takes a byte at least
                return false;
            }
            v->p[i] = p;
            v->end[i] = p + bytes;
        }
        p += bytes;
    }
    return p == end;
}

bool
asy_columns_get(asy_columns_view *v, unsigned column, size_t n, uint64_t max, uint64_t *out)
{
    const uint8_t *p = v->p[column];

    for (size_t i = 0; i < n; i++) {
        p = asy_varint_get(p, v->end[column], &out[i]);
        if (p == NULL || out[i] > max) {
            return false;
        }
    }
    v->p[column] = p;
    return true;
}

bool
asy_columns_done(const asy_columns_view *v, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (v->p[i] != v->end[i]) {
            return false;
        }
    }
    return v->rows == 0;
}
