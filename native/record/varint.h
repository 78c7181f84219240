// varint.h: LEB128, seven bits a byte, low ones first; signed values in zigzag (0, -1, 1, -2, …).
#ifndef ASY_RECORD_VARINT_H
#define ASY_RECORD_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define ASY_VARINT_BYTES 10u // of the longest one

// Write `v` at `p`, which has room for ASY_VARINT_BYTES. Returns the byte after it.
static inline uint8_t *
asy_varint_put(uint8_t *p, uint64_t v)
{
    while (v >= 0x80u) {
        *p++ = (uint8_t)(v | 0x80u);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

// Read one at `p`. Returns the byte after it; NULL if it is cut by `end` or over 64 bits.
static inline const uint8_t *
asy_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    uint64_t r = 0;

    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        uint8_t b = *p++;

        r |= (uint64_t)(b & 0x7Fu) << shift;
        if (b < 0x80u) {
            *v = r;
            return shift == 63 && b > 1 ? NULL : p;
        }
    }
    return NULL;
}

static inline uint64_t
asy_varint_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t
asy_varint_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1u)));
}

#endif
