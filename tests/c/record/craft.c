// craft.c: recordings made by hand, right or wrong.
#include "craft.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "record/crc.h"
#include "record/varint.h"

static void
must(bool held)
{
    if (!held) {
        abort();
    }
}

void
craft_bytes(asy_buffer *b, const void *bytes, size_t len)
{
    must(asy_buffer_append(b, bytes, len) == ASY_OK);
}

void
craft_number(asy_buffer *b, uint64_t v)
{
    uint8_t buf[ASY_VARINT_BYTES];

    craft_bytes(b, buf, (size_t)(asy_varint_put(buf, v) - buf));
}

void
craft_numbers(asy_buffer *b, size_t n, const uint64_t *v)
{
    for (size_t i = 0; i < n; i++) {
        craft_number(b, v[i]);
    }
}

void
craft_text(asy_buffer *b, const char *s)
{
    craft_number(b, strlen(s));
    craft_bytes(b, s, strlen(s));
}

void
craft_row(asy_buffer *raw, asy_buffer *row)
{
    craft_number(raw, row->len);
    craft_bytes(raw, row->data, row->len);
    row->len = 0;
}

void
craft_columns(asy_buffer *raw, size_t rows, size_t columns, const uint64_t *v)
{
    asy_buffer column = {0};

    craft_number(raw, rows);
    craft_number(raw, columns);
    for (size_t c = 0; c < columns; c++) {
        for (size_t r = 0; r < rows; r++) {
            craft_number(&column, v[r * columns + c]);
        }
        craft_row(raw, &column);
    }
    asy_buffer_free(&column);
}

void
craft_file_head(asy_buffer *file)
{
    uint8_t head[ASY_FORMAT_FILE_HEAD] = {0};

    memcpy(head, ASY_FORMAT_MAGIC, 8);
    asy_format_put32(head + 8, ASY_FORMAT_VERSION);
    craft_bytes(file, head, sizeof head);
}

static uint32_t
checksum(const uint8_t *head, const uint8_t *stored, size_t len)
{
    static asy_crc crc; // made once: the fuzzer asks for it all the time

    if (crc.t[0][1] == 0) {
        asy_crc_init(&crc);
    }
    return asy_crc_update(&crc, asy_crc_update(&crc, 0, head, 16), stored, len);
}

void
craft_block(asy_buffer *file, uint32_t type, uint32_t flags, size_t raw_bytes, const void *stored, size_t stored_bytes)
{
    uint8_t head[ASY_FORMAT_BLOCK_HEAD];

    asy_format_put32(head, type);
    asy_format_put32(head + 4, flags);
    asy_format_put32(head + 8, (uint32_t)raw_bytes);
    asy_format_put32(head + 12, (uint32_t)stored_bytes);
    asy_format_put32(head + 16, checksum(head, stored, stored_bytes));
    craft_bytes(file, head, sizeof head);
    craft_bytes(file, stored, stored_bytes);
}

void
craft_plain_block(asy_buffer *file, uint32_t type, asy_buffer *raw)
{
    craft_block(file, type, 0, raw->len, raw->data != NULL ? (const void *)raw->data : "", raw->len);
    raw->len = 0;
}

bool
craft_next(const uint8_t *bytes, size_t len, size_t *at, craft_view *v)
{
    if (*at > len || len - *at < ASY_FORMAT_BLOCK_HEAD) {
        return false;
    }
    v->head = asy_format_block_head(bytes + *at);
    v->at = *at;
    v->stored = bytes + *at + ASY_FORMAT_BLOCK_HEAD;
    if (len - *at - ASY_FORMAT_BLOCK_HEAD < v->head.stored_bytes) {
        return false;
    }
    *at += ASY_FORMAT_BLOCK_HEAD + v->head.stored_bytes;
    return true;
}

// The raw bytes of a good block.
static void
unpack(const craft_view *v, asy_buffer *raw)
{
    raw->len = 0;
    must(asy_buffer_reserve(raw, v->head.raw_bytes + 1) == ASY_OK);
    if ((v->head.flags & ASY_BLOCK_F_ZSTD) != 0) {
        size_t n = ZSTD_decompress(raw->data, v->head.raw_bytes, v->stored, v->head.stored_bytes);

        must(n == v->head.raw_bytes);
        raw->len = n;
    } else {
        craft_bytes(raw, v->stored, v->head.stored_bytes);
    }
}

asy_buffer
craft_uncompressed(const uint8_t *bytes, size_t len)
{
    asy_buffer file = {0}, raw = {0};
    size_t at = ASY_FORMAT_FILE_HEAD;
    craft_view v;

    craft_bytes(&file, bytes, at);
    while (craft_next(bytes, len, &at, &v)) {
        unpack(&v, &raw);
        craft_plain_block(&file, v.head.type, &raw);
    }
    asy_buffer_free(&raw);
    return file;
}

static uint64_t
number(const uint8_t **p, const uint8_t *end)
{
    uint64_t v = 0;

    *p = asy_varint_get(*p, end, &v);
    must(*p != NULL);
    return v;
}

// Rows with two more fields each.
static void
longer_rows(const asy_buffer *raw, asy_buffer *out)
{
    const uint8_t *p = raw->data, *end = p + raw->len;

    while (p < end) {
        uint64_t n = number(&p, end);

        craft_number(out, n + 2);
        craft_bytes(out, p, n);
        craft_bytes(out, "\x07\x08", 2);
        p += n;
    }
}

// Two columns more: they need not have a value a row.
static void
more_columns(const asy_buffer *raw, asy_buffer *out)
{
    const uint8_t *p = raw->data, *end = p + raw->len;

    craft_number(out, number(&p, end));
    craft_number(out, number(&p, end) + 2);
    craft_bytes(out, p, (size_t)(end - p));
    craft_bytes(out, "\x00\x03\xFF\xFF\xFF", 5);
}

asy_buffer
craft_newer(const uint8_t *bytes, size_t len)
{
    asy_buffer file = {0}, raw = {0}, out = {0};
    size_t at = ASY_FORMAT_FILE_HEAD;
    craft_view v;

    craft_bytes(&file, bytes, at);
    while (craft_next(bytes, len, &at, &v)) {
        craft_block(&file, 0xFFFFu, 0, 5, "later", 5);
        craft_block(&file, ASY_BLOCK_TYPES, ASY_BLOCK_F_ZSTD, 100, "not zstd", 8); // not even looked at
        unpack(&v, &raw);
        if (v.head.type == ASY_BLOCK_NODES || v.head.type == ASY_BLOCK_COUNTS) {
            more_columns(&raw, &out);
        } else {
            longer_rows(&raw, &out);
        }
        craft_block(&file, v.head.type, 0x100, out.len, out.data, out.len); // a flag that may be ignored
        out.len = 0;
    }
    asy_buffer_free(&raw);
    asy_buffer_free(&out);
    return file;
}

void
craft_fix(uint8_t *bytes, size_t len)
{
    size_t at = ASY_FORMAT_FILE_HEAD;
    craft_view v;

    while (craft_next(bytes, len, &at, &v)) {
        asy_format_put32(bytes + v.at + 16, checksum(bytes + v.at, v.stored, v.head.stored_bytes));
    }
}
