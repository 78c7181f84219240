// format.h: the recording's bytes, in constants. docs/format.md is the description; both change together.
// All integers outside varints are little-endian.
#ifndef ASY_RECORD_FORMAT_H
#define ASY_RECORD_FORMAT_H

#include <stdint.h>

#define ASY_FORMAT_MAGIC                                                                                               \
    "\x89"                                                                                                             \
    "ASSAY\r\n"                   // 8 bytes; broken by a transfer that rewrites line ends
#define ASY_FORMAT_VERSION 1u     // raised only when an older reader would show something wrong
#define ASY_FORMAT_FILE_HEAD 16u  // magic, version, 4 bytes that readers ignore
#define ASY_FORMAT_BLOCK_HEAD 20u // type, flags, raw_bytes, stored_bytes, crc

// Block types, in the order in which a writer flushes them: what a block refers to is in a lower type.
// A reader passes over types that it does not know.
enum {
    ASY_BLOCK_SESSION = 1,
    ASY_BLOCK_PROCESSES,
    ASY_BLOCK_THREADS,
    ASY_BLOCK_FUNCS,
    ASY_BLOCK_NODES,
    ASY_BLOCK_COUNTS,
    ASY_BLOCK_NOTES,
    ASY_BLOCK_LOSSES,
    ASY_BLOCK_END,
    ASY_BLOCK_TYPES
};

#define ASY_BLOCK_F_ZSTD 1u      // the stored bytes are one zstd frame of raw_bytes
#define ASY_BLOCK_F_CODING 0xFFu // how the stored bytes are coded: a reader that does not know it cannot go on

// Limits. A reader refuses what is over them, a writer keeps to them.
#define ASY_FORMAT_BLOCK_MAX (4u << 20) // raw_bytes; stored_bytes is never more than raw_bytes
// The raw bytes of all blocks up to any block's end: at most FREE + RATIO × file bytes up to there. A writer stores a
// block uncompressed rather than break this, so that memory is bounded by the size of a file.
#define ASY_FORMAT_RAW_FREE (1u << 20)
#define ASY_FORMAT_RAW_RATIO 64u
#define ASY_FORMAT_TEXT_MAX 65535u        // bytes of any text
#define ASY_FORMAT_VALUE_MAX (1ULL << 62) // of counts and times; larger ones are written as this

#define ASY_NODES_COLUMNS 5u
#define ASY_COUNTS_COLUMNS 9u

// A block's head, decoded. The CRC-32 (as in zlib) covers the 16 bytes before it and the stored bytes.
typedef struct {
    uint32_t type, flags, raw_bytes, stored_bytes, crc;
} asy_block_head;

static inline void
asy_format_put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline uint32_t
asy_format_get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline asy_block_head
asy_format_block_head(const uint8_t *p)
{
    return (asy_block_head){
        .type = asy_format_get32(p),
        .flags = asy_format_get32(p + 4),
        .raw_bytes = asy_format_get32(p + 8),
        .stored_bytes = asy_format_get32(p + 12),
        .crc = asy_format_get32(p + 16),
    };
}

#endif
