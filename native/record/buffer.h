// buffer.h: bytes that grow.
#ifndef ASY_RECORD_BUFFER_H
#define ASY_RECORD_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct {
    uint8_t *data; // owned
    size_t len, cap;
} asy_buffer; // all zero = empty

// Room for `more` bytes after `len`; `data` is not NULL then, even for none. On failure the buffer is as it was.
// Errors: ASY_ENOMEM.
asy_status asy_buffer_reserve(asy_buffer *b, size_t more);
// Errors: ASY_ENOMEM.
asy_status asy_buffer_append(asy_buffer *b, const void *bytes, size_t len);
void asy_buffer_free(asy_buffer *b);

#endif
