// symbols.c: writing and checking the records of the symbols log.
// A record that asy_symbol_read accepts lies wholly inside the bytes it was given.
// Thread-safe: no state.
#include "core/symbols.h"

#include <string.h>

static const char ELLIPSIS[] = "\xe2\x80\xa6";
#define ELLIPSIS_BYTES 3u

// How much of a string is kept: all, or what ends at a character and leaves room for "…".
static uint32_t
kept_bytes(asy_text t)
{
    uint32_t n = ASY_SYMBOL_STRING_MAX - ELLIPSIS_BYTES;

    if (t.len <= ASY_SYMBOL_STRING_MAX) {
        return t.len;
    }
    while (n > 0 && ((unsigned char)t.bytes[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

static uint32_t
stored_bytes(asy_text t)
{
    return kept_bytes(t) + (t.len > ASY_SYMBOL_STRING_MAX ? ELLIPSIS_BYTES : 0);
}

uint32_t
asy_symbol_size(const asy_text *strings, uint32_t count)
{
    uint32_t n = sizeof(asy_symbol);

    if (count > ASY_SYMBOL_STRINGS) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        n += (uint32_t)sizeof(uint32_t) + stored_bytes(strings[i]);
    }
    return (n + 7u) & ~7u;
}

static char *
put_string(char *to, asy_text t)
{
    uint32_t kept = kept_bytes(t);
    uint32_t len = stored_bytes(t);

    memcpy(to, &len, sizeof(len));
    to += sizeof(len);
    if (kept > 0) {
        memcpy(to, t.bytes, kept);
    }
    if (len > kept) {
        memcpy(to + kept, ELLIPSIS, ELLIPSIS_BYTES);
    }
    return to + len;
}

void
asy_symbol_write(void *out, uint32_t func, uint32_t kind, uint32_t flags, uint32_t line, const asy_text *strings,
                 uint32_t count)
{
    asy_symbol head = {
        .bytes = asy_symbol_size(strings, count),
        .func = func,
        .kind = (uint16_t)kind,
        .count = (uint16_t)count,
        .flags = flags,
        .line = line,
    };
    char *to = (char *)out + sizeof(head);
    char *end = (char *)out + head.bytes;

    if (head.bytes == 0) {
        return;
    }
    memcpy(out, &head, sizeof(head));
    for (uint32_t i = 0; i < count; i++) {
        to = put_string(to, strings[i]);
    }
    memset(to, 0, (size_t)(end - to));
}

asy_status
asy_symbol_read(const void *in, size_t len, asy_symbol *head, asy_text *strings)
{
    const char *p = in;
    asy_symbol h;
    size_t at = sizeof(h);

    if (len < sizeof(h)) {
        return ASY_ECORRUPT;
    }
    memcpy(&h, p, sizeof(h)); // once: the bytes may be shared with their writer
    if (h.bytes < sizeof(h) || h.bytes > len || h.bytes % 8 != 0 || h.count > ASY_SYMBOL_STRINGS) {
        return ASY_ECORRUPT;
    }
    for (uint32_t i = 0; i < h.count; i++) {
        uint32_t n;

        if (h.bytes - at < sizeof(n)) {
            return ASY_ECORRUPT;
        }
        memcpy(&n, p + at, sizeof(n));
        at += sizeof(n);
        if (n > ASY_SYMBOL_STRING_MAX || n > h.bytes - at) {
            return ASY_ECORRUPT;
        }
        strings[i] = (asy_text){p + at, n};
        at += n;
    }
    if (h.bytes - at >= 8) {
        return ASY_ECORRUPT; // padding never reaches 8 bytes
    }
    *head = h;
    return ASY_OK;
}
