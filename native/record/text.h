// text.h: the texts of a recording: cut at characters, made valid, kept.
#ifndef ASY_RECORD_TEXT_H
#define ASY_RECORD_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/symbols.h"

#define ASY_TEXT_ELLIPSIS "\xE2\x80\xA6"

// How much of `t` fits `max` bytes (at least 3) beside an ellipsis, without cutting a character; t.len if all of it fits.
uint32_t asy_text_cut(asy_text t, uint32_t max);

// Bytes that `len` bytes take as valid UTF-8 (every bad byte, surrogate and NUL becomes U+FFFD); written to `out` unless it is NULL.
size_t asy_text_clean(const char *bytes, size_t len, char *out);

// Texts that live until all of them are freed at once.
typedef struct asy_text_chunk asy_text_chunk;
typedef struct {
    asy_text_chunk *chunks; // owned
    size_t left;            // bytes free in the first one
} asy_text_pool;            // all zero = empty

// Room for `bytes` bytes, aligned for pointers. NULL: no memory.
void *asy_text_alloc(asy_text_pool *pool, size_t bytes);
// *out: the clean form of `t`, terminated, borrowed until the pool is freed. Where `*out` has this text already, it stays.
// Errors: ASY_ENOMEM.
asy_status asy_text_keep(asy_text_pool *pool, asy_text t, const char **out);
void asy_text_pool_free(asy_text_pool *pool);

#endif
