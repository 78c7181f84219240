// marshal.c: see marshal.h. The format: CPython's Python/marshal.c.
#include "record/marshal.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_REF 0x80u
#define DIGIT_BITS 15 // of TYPE_LONG

static asy_status
refuse(asy_marshal *m, const char *why)
{
    m->why = why;
    return ASY_ECORRUPT;
}

// The next `n` bytes; NULL, and why: there are not as many.
static const uint8_t *
take(asy_marshal *m, size_t n)
{
    const uint8_t *p = m->bytes + m->at;

    if (n > m->len - m->at) {
        m->why = "it ends early";
        return NULL;
    }
    m->at += n;
    return p;
}

static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static asy_status
take32(asy_marshal *m, uint32_t *out)
{
    const uint8_t *p = take(m, 4);

    if (p == NULL) {
        return ASY_ECORRUPT;
    }
    *out = get32(p);
    return ASY_OK;
}

static asy_status
take_length(asy_marshal *m, bool is_short, uint32_t *out)
{
    const uint8_t *p = take(m, is_short ? 1 : 4);

    if (p == NULL) {
        return ASY_ECORRUPT;
    }
    *out = is_short ? *p : get32(p);
    return *out > INT32_MAX ? refuse(m, "a length is below zero") : ASY_OK;
}

static asy_status
take_text(asy_marshal *m, bool is_short, asy_marshal_item *out)
{
    uint32_t len = 0;
    const uint8_t *p = NULL;
    asy_status st = take_length(m, is_short, &len);

    if (st == ASY_OK) {
        p = take(m, len);
        st = p == NULL ? ASY_ECORRUPT : ASY_OK;
    }
    if (st == ASY_OK) {
        out->kind = ASY_MARSHAL_TEXT;
        out->text.bytes = (const char *)p;
        out->text.len = len;
    }
    return st;
}

static asy_status
take_int(asy_marshal *m, asy_marshal_item *out)
{
    uint32_t n = 0;
    asy_status st = take32(m, &n);

    out->kind = ASY_MARSHAL_INT;
    out->n = (int32_t)n;
    return st;
}

static asy_status
take_float(asy_marshal *m, asy_marshal_item *out)
{
    const uint8_t *p = take(m, 8);
    uint64_t bits;

    if (p == NULL) {
        return ASY_ECORRUPT;
    }
    bits = get32(p) | (uint64_t)get32(p + 4) << 32;
    out->kind = ASY_MARSHAL_FLOAT;
    memcpy(&out->real, &bits, sizeof out->real);
    return ASY_OK;
}

// Digits of 15 bits, the least first; their number is below zero where the value is. Up to four: 60 bits.
static asy_status
take_long(asy_marshal *m, asy_marshal_item *out)
{
    uint32_t raw = 0;
    int64_t value = 0;
    const uint8_t *p;
    asy_status st = take32(m, &raw);
    int32_t digits = (int32_t)raw;
    uint32_t count = digits < 0 ? 0u - raw : raw;

    if (st != ASY_OK) {
        return st;
    }
    if (count > 4) {
        return refuse(m, "a number is too large");
    }
    p = take(m, 2u * count);
    if (p == NULL) {
        return ASY_ECORRUPT;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t digit = p[2 * i] | (uint32_t)p[2 * i + 1] << 8;

        if (digit >> DIGIT_BITS != 0) {
            return refuse(m, "a number is not written as marshal does");
        }
        value |= (int64_t)digit << (DIGIT_BITS * i);
    }
    out->kind = ASY_MARSHAL_INT;
    out->n = digits < 0 ? -value : value;
    return ASY_OK;
}

// Each item takes a byte at least: a count that the rest of the file cannot hold is refused before anybody believes it.
static asy_status
take_tuple(asy_marshal *m, bool is_short, asy_marshal_item *out)
{
    asy_status st = take_length(m, is_short, &out->count);

    out->kind = ASY_MARSHAL_TUPLE;
    return st == ASY_OK && out->count > m->len - m->at ? refuse(m, "it ends early") : st;
}

static asy_status
take_ref(asy_marshal *m, asy_marshal_item *out)
{
    uint32_t slot = 0;
    asy_status st = take32(m, &slot);

    if (st != ASY_OK) {
        return st;
    }
    if (slot >= m->ref_count) {
        return refuse(m, "it refers to something that it does not have");
    }
    *out = m->refs[slot];
    if (out->kind == ASY_MARSHAL_TUPLE || out->kind == ASY_MARSHAL_DICT) {
        return refuse(m, "something in it holds itself");
    }
    return ASY_OK;
}

static asy_status
keep(asy_marshal *m, asy_marshal_item *item)
{
    if (m->ref_count == m->ref_cap) {
        uint32_t cap = m->ref_cap == 0 ? 256 : 2 * m->ref_cap;
        asy_marshal_item *refs = realloc(m->refs, cap * sizeof *refs);
        uint32_t *memos;

        if (refs == NULL) {
            return ASY_ENOMEM;
        }
        m->refs = refs;
        memos = realloc(m->memos, cap * sizeof *memos);
        if (memos == NULL) {
            return ASY_ENOMEM;
        }
        m->memos = memos;
        m->ref_cap = cap;
    }
    item->slot = m->ref_count;
    item->memo = item->kind == ASY_MARSHAL_TEXT ? m->ref_count : ASY_MARSHAL_NO_SLOT;
    m->memos[m->ref_count] = 0;
    m->refs[m->ref_count++] = *item;
    return ASY_OK;
}

static asy_status
take_value(asy_marshal *m, uint8_t type, asy_marshal_item *out)
{
    switch (type) {
    case '0': out->kind = ASY_MARSHAL_NULL; return ASY_OK;
    case 'T': out->kind = ASY_MARSHAL_TRUE; return ASY_OK;
    case '{': out->kind = ASY_MARSHAL_DICT; return ASY_OK;
    case 'i': return take_int(m, out);
    case 'l': return take_long(m, out);
    case 'g': return take_float(m, out);
    case '(': return take_tuple(m, false, out);
    case ')': return take_tuple(m, true, out);
    case 'u': // UTF-8
    case 't': // interned
    case 'a': // ASCII
    case 'A': return take_text(m, false, out);
    case 'z': // short ASCII
    case 'Z': return take_text(m, true, out);
    case 'r': return take_ref(m, out);
    case 'c': m->at--; return refuse(m, "it holds a code object, as files of python -m profile do");
    default: m->at--; return refuse(m, "something in it is no text, number, tuple or dict");
    }
}

asy_status
asy_marshal_next(asy_marshal *m, asy_marshal_item *out)
{
    const uint8_t *p = take(m, 1);
    uint8_t type;
    asy_status st;

    *out = (asy_marshal_item){.slot = ASY_MARSHAL_NO_SLOT, .memo = ASY_MARSHAL_NO_SLOT};
    if (p == NULL) {
        return ASY_ECORRUPT;
    }
    type = *p & (uint8_t)~FLAG_REF;
    st = take_value(m, type, out);
    if (st == ASY_OK && (*p & FLAG_REF) != 0) {
        bool valued = out->kind != ASY_MARSHAL_NULL && out->kind != ASY_MARSHAL_TRUE && type != 'r';

        st = valued ? keep(m, out) : refuse(m, "a mark is where marshal writes none");
    }
    return st;
}

void
asy_marshal_define(asy_marshal *m, uint32_t slot, uint64_t known)
{
    if (slot != ASY_MARSHAL_NO_SLOT) {
        m->refs[slot].kind = ASY_MARSHAL_KNOWN;
        m->refs[slot].known = known;
    }
}

void
asy_marshal_clear(asy_marshal *m)
{
    free(m->refs);
    free(m->memos);
    m->refs = NULL;
    m->memos = NULL;
    m->ref_count = m->ref_cap = 0;
}
