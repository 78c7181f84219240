// crc.c: CRC-32 by slicing: eight table look-ups for eight bytes do not wait for each other.
// t[k][b] is the remainder of byte b followed by k zero bytes.
#include "record/crc.h"

#include "record/format.h"

#define POLYNOMIAL 0xEDB88320u // reflected

void
asy_crc_init(asy_crc *c)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t r = b;

        for (int bit = 0; bit < 8; bit++) {
            r = (r >> 1) ^ ((r & 1u) != 0 ? POLYNOMIAL : 0u);
        }
        c->t[0][b] = r;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t b = 0; b < 256; b++) {
            uint32_t r = c->t[k - 1][b];

            c->t[k][b] = (r >> 8) ^ c->t[0][r & 0xFFu];
        }
    }
}

uint32_t
asy_crc_update(const asy_crc *c, uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    crc = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t a = crc ^ asy_format_get32(p);
        uint32_t b = asy_format_get32(p + 4);

        crc = c->t[7][a & 0xFFu] ^ c->t[6][(a >> 8) & 0xFFu] ^ c->t[5][(a >> 16) & 0xFFu] ^ c->t[4][a >> 24] ^
              c->t[3][b & 0xFFu] ^ c->t[2][(b >> 8) & 0xFFu] ^ c->t[1][(b >> 16) & 0xFFu] ^ c->t[0][b >> 24];
    }
    for (; len > 0; p++, len--) {
        crc = (crc >> 8) ^ c->t[0][(crc ^ *p) & 0xFFu];
    }
    return ~crc;
}
