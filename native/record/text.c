// text.c: texts of a recording: cut at characters, made valid, kept.
#include "record/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 16384u
#define REPLACEMENT "\xEF\xBF\xBD" // U+FFFD

struct asy_text_chunk {
    asy_text_chunk *next; // owned
    size_t bytes;         // of data
    max_align_t data[];
};

static bool
is_tail(char c)
{
    return ((unsigned char)c & 0xC0u) == 0x80u;
}

uint32_t
asy_text_cut(asy_text t, uint32_t max)
{
    uint32_t n = max - (uint32_t)(sizeof ASY_TEXT_ELLIPSIS - 1);

    if (t.len <= max) {
        return t.len;
    }
    for (int back = 0; back < 3 && n > 0 && is_tail(t.bytes[n]); back++) {
        n--;
    }
    return n;
}

// Length of the character at `p` by its first byte, and the range of its second (RFC 3629, section 4); 0: no character begins so.
static size_t
shape(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = c == 0xE0u ? 0xA0u : c == 0xF0u ? 0x90u : 0x80u;
    *high = c == 0xEDu ? 0x9Fu : c == 0xF4u ? 0x8Fu : 0xBFu;
    if (c < 0x80u) {
        return c != 0 ? 1 : 0;
    }
    if (c < 0xC2u || c > 0xF4u) {
        return 0;
    }
    return c < 0xE0u ? 2 : c < 0xF0u ? 3 : 4;
}

// Length of the valid character at `p`, 0 if there is none. NUL counts as none: texts are terminated.
static size_t
character(const char *p, size_t left)
{
    unsigned char low, high;
    size_t n = shape((unsigned char)*p, &low, &high);

    if (n < 2) {
        return n;
    }
    if (n > left || (unsigned char)p[1] < low || (unsigned char)p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (!is_tail(p[i])) {
            return 0;
        }
    }
    return n;
}

static bool
is_surrogate(const char *p, size_t left)
{
    return left >= 3 && (unsigned char)p[0] == 0xEDu && (unsigned char)p[1] >= 0xA0u && is_tail(p[1]) && is_tail(p[2]);
}

size_t
asy_text_clean(const char *bytes, size_t len, char *out)
{
    size_t done = 0;

    for (size_t i = 0; i < len;) {
        size_t n = character(bytes + i, len - i);
        const char *from = n > 0 ? bytes + i : REPLACEMENT;
        size_t size = n > 0 ? n : sizeof REPLACEMENT - 1;

        if (out != NULL) {
            memcpy(out + done, from, size);
        }
        done += size;
        i += n > 0 ? n : is_surrogate(bytes + i, len - i) ? 3 : 1;
    }
    return done;
}

void *
asy_text_alloc(asy_text_pool *pool, size_t bytes)
{
    size_t need = (bytes + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    asy_text_chunk *c = pool->chunks;

    if (c == NULL || need > pool->left) {
        size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;

        c = malloc(sizeof *c + size);
        if (c == NULL) {
            return NULL;
        }
        *c = (asy_text_chunk){pool->chunks, size};
        pool->chunks = c;
        pool->left = size;
    }
    pool->left -= need;
    return (char *)c->data + (c->bytes - pool->left - need);
}

asy_status
asy_text_keep(asy_text_pool *pool, asy_text t, const char **out)
{
    size_t n = asy_text_clean(t.bytes, t.len, NULL);
    char *copy;

    if (n == 0) {
        *out = "";
        return ASY_OK;
    }
    if (*out != NULL && n == t.len && strlen(*out) == n && memcmp(*out, t.bytes, n) == 0) {
        return ASY_OK;
    }
    copy = asy_text_alloc(pool, n + 1);
    if (copy == NULL) {
        return ASY_ENOMEM;
    }
    asy_text_clean(t.bytes, t.len, copy);
    copy[n] = '\0';
    *out = copy;
    return ASY_OK;
}

void
asy_text_pool_free(asy_text_pool *pool)
{
    while (pool->chunks != NULL) {
        asy_text_chunk *next = pool->chunks->next;

        free(pool->chunks);
        pool->chunks = next;
    }
    pool->left = 0;
}
