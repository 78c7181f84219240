// buffer.c: bytes that grow, by doubling.
#include "record/buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256u

asy_status
asy_buffer_reserve(asy_buffer *b, size_t more)
{
    size_t cap = b->cap == 0 ? FIRST_BYTES : b->cap;
    uint8_t *data;

    if (more > SIZE_MAX / 2 - b->len) {
        return ASY_ENOMEM;
    }
    if (b->data != NULL && b->len + more <= b->cap) {
        return ASY_OK;
    }
    while (cap < b->len + more) {
        cap *= 2;
    }
    data = realloc(b->data, cap);
    if (data == NULL) {
        return ASY_ENOMEM;
    }
    b->data = data;
    b->cap = cap;
    return ASY_OK;
}

asy_status
asy_buffer_append(asy_buffer *b, const void *bytes, size_t len)
{
    asy_status st = asy_buffer_reserve(b, len);

    if (st == ASY_OK && len > 0) {
        memcpy(b->data + b->len, bytes, len);
        b->len += len;
    }
    return st;
}

void
asy_buffer_free(asy_buffer *b)
{
    free(b->data);
    *b = (asy_buffer){0};
}
