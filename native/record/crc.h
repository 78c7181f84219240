// crc.h: CRC-32 (ISO 3309, the one of zlib and gzip), eight bytes a step.
#ifndef ASY_RECORD_CRC_H
#define ASY_RECORD_CRC_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t t[8][256];
} asy_crc; // 8 KiB: inside a writer or a reader, so that nothing is shared

void asy_crc_init(asy_crc *c);
// Go on from `crc` (0 at first) over `len` bytes.
uint32_t asy_crc_update(const asy_crc *c, uint32_t crc, const void *bytes, size_t len);

#endif
