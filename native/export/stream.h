// stream.h: bytes to a file descriptor, buffered. The first failure sticks and later calls do nothing.
#ifndef ASY_EXPORT_STREAM_H
#define ASY_EXPORT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define ASY_STREAM_ROOM 65536u

typedef struct {
    int fd; // borrowed
    asy_status status;
    int error;            // errno of a failed write
    uint64_t total_bytes; // put so far
    size_t len;
    uint8_t buf[ASY_STREAM_ROOM];
} asy_stream; // fd is set, the rest zeroed

void asy_stream_put(asy_stream *s, const void *bytes, size_t len);
void asy_stream_text(asy_stream *s, const char *text);
void asy_stream_byte(asy_stream *s, uint8_t byte);
void asy_stream_number(asy_stream *s, uint64_t n); // in decimal
// Errors: ASY_EIO, ASY_ENOSPC: of any call so far.
asy_status asy_stream_flush(asy_stream *s);

#endif
