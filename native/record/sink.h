// sink.h: whole blocks of a recording, to a file or to memory.
// When a block cannot be written, everything since the last mark is taken back, where the file allows it; asy_sink_outlive then goes on
// in memory. Not thread-safe.
#ifndef ASY_RECORD_SINK_H
#define ASY_RECORD_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "core/status.h"
#include "record/buffer.h"
#include "record/crc.h"

typedef struct {
    int fd;                 // borrowed; -1 = memory
    bool outlives;          // its file, in memory
    asy_status file_status; // why the file was left for memory; ASY_OK: it was not
    asy_buffer memory;      // the recording, with fd -1
    asy_buffer block;       // the block being made
    uint64_t file_bytes;    // whole blocks and the file's head, so far
    uint64_t raw_bytes;     // of those blocks
    uint64_t marked_bytes;  // file_bytes at the last mark
    ZSTD_CCtx *zstd;        // owned
    asy_crc crc;
} asy_sink;

// Errors: ASY_ENOMEM.
asy_status asy_sink_init(asy_sink *s, int fd);
void asy_sink_free(asy_sink *s);
// Write one block, the file's head before the first one. `raw` is borrowed, at most ASY_FORMAT_BLOCK_MAX bytes.
// Errors: ASY_ENOMEM; ASY_ENOSPC, ASY_EIO: the recording ends at the last mark then, and no more may be written.
asy_status asy_sink_write(asy_sink *s, uint32_t type, const void *raw, size_t raw_bytes);

// What was written so far belongs together and is kept.
void asy_sink_mark(asy_sink *s);

// From here on a file that cannot be written any more, but read, is no failure: it ends at the last mark, and memory has all of the recording.
void asy_sink_outlive(asy_sink *s);

#endif
