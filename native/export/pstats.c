// pstats.c: what cProfile's dump_stats writes: {(file, line, name): (primitive, calls, self, total, callers)}.
// Marshalled without references and in the codes of its version 2, which every Python reads. Callers have their calls first.
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/frames.h"

#define DIGIT_BITS 15

typedef struct {
    const asy_profile *p;
    const asy_edges *edges;
    asy_edges_index by_callee;
    asy_stream *s;
    asy_buffer keys; // marshalled, one after the other: each is written for every function that it calls
    size_t *key_end; // owned: [func + 1]
} writer;

// 'i', 'u' or '(', and a number of 32 bits.
static size_t
set_head(uint8_t *to, char code, uint32_t n)
{
    to[0] = (uint8_t)code;
    to[1] = (uint8_t)n;
    to[2] = (uint8_t)(n >> 8);
    to[3] = (uint8_t)(n >> 16);
    to[4] = (uint8_t)(n >> 24);
    return 5;
}

static void
put_head(asy_stream *s, char code, uint32_t n)
{
    uint8_t head[5];

    asy_stream_put(s, head, set_head(head, code, n));
}

static void
put_whole(asy_stream *s, uint64_t n)
{
    uint32_t digits = 0;

    if (n <= INT32_MAX) {
        put_head(s, 'i', (uint32_t)n);
        return;
    }
    for (uint64_t rest = n; rest != 0; rest >>= DIGIT_BITS) {
        digits++;
    }
    put_head(s, 'l', digits);
    for (; n != 0; n >>= DIGIT_BITS) {
        asy_stream_put(s, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8) & 0x7f}, 2);
    }
}

static void
put_seconds(asy_stream *s, uint64_t ns)
{
    double seconds = (double)ns / 1e9;
    uint8_t item[9] = {'g'};
    uint64_t bits;

    memcpy(&bits, &seconds, sizeof bits);
    for (int i = 0; i < 8; i++) {
        item[1 + i] = (uint8_t)(bits >> 8 * i);
    }
    asy_stream_put(s, item, sizeof item);
}

static void
put_key(const writer *w, uint32_t func)
{
    asy_stream_put(w->s, w->keys.data + w->key_end[func], w->key_end[func + 1] - w->key_end[func]);
}

static void
put_callers(const writer *w, uint32_t func)
{
    asy_stream_byte(w->s, '{');
    for (uint32_t i = w->by_callee.first[func]; i < w->by_callee.first[func + 1]; i++) {
        const asy_edge *edge = &w->edges->edges[w->by_callee.order[i]];

        put_key(w, edge->caller);
        if (w->edges->untimed) {
            put_whole(w->s, edge->counts.calls);
            continue;
        }
        put_head(w->s, '(', 4);
        put_whole(w->s, edge->counts.calls);
        put_whole(w->s, edge->counts.primitive);
        put_seconds(w->s, edge->counts.self_ns);
        put_seconds(w->s, edge->counts.total_ns);
    }
    asy_stream_byte(w->s, '0');
}

static void
put_func(const writer *w, uint32_t func)
{
    const asy_edge_counts *n = &w->edges->funcs[func];

    put_key(w, func);
    put_head(w->s, '(', 5);
    put_whole(w->s, n->primitive);
    put_whole(w->s, n->calls);
    put_seconds(w->s, n->self_ns);
    put_seconds(w->s, n->total_ns);
    put_callers(w, func);
}

// ("file", line, "name"). A line is at most INT32_MAX wherever it comes from.
static asy_status
make_key(writer *w, uint32_t func)
{
    const char *file = asy_frame_key_file(w->p, func);
    char *name = asy_frame_key_name(w->p, func);
    size_t file_len = strlen(file), name_len = name == NULL ? 0 : strlen(name);
    asy_status st = name == NULL ? ASY_ENOMEM : asy_buffer_reserve(&w->keys, 4 * 5 + file_len + name_len);

    if (st == ASY_OK) {
        uint8_t *at = w->keys.data + w->keys.len;

        at += set_head(at, '(', 3);
        at += set_head(at, 'u', (uint32_t)file_len);
        memcpy(at, file, file_len);
        at += file_len;
        at += set_head(at, 'i', w->p->funcs[func].line & INT32_MAX);
        at += set_head(at, 'u', (uint32_t)name_len);
        memcpy(at, name, name_len);
        w->keys.len = (size_t)(at - w->keys.data) + name_len;
        w->key_end[func + 1] = w->keys.len;
    }
    free(name);
    return st;
}

static asy_status
begin(writer *w)
{
    asy_status st = asy_edges_sort(w->edges, ASY_EDGES_BY_CALLEE, &w->by_callee);

    w->key_end = calloc((size_t)w->p->func_count + 1, sizeof *w->key_end);
    if (w->key_end == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t f = 0; st == ASY_OK && f < w->p->func_count; f++) {
        st = make_key(w, f);
    }
    return st;
}

asy_status
asy_export_pstats(const asy_profile *p, const asy_edges *e, asy_stream *s)
{
    writer w = {.p = p, .edges = e, .s = s};
    asy_status st = begin(&w);

    if (st == ASY_OK) {
        asy_stream_byte(s, '{');
        for (uint32_t f = 0; f < p->func_count; f++) {
            if (asy_frame_has_counts(&e->funcs[f])) {
                put_func(&w, f);
            }
        }
        asy_stream_byte(s, '0');
    }
    asy_edges_index_clear(&w.by_callee);
    asy_buffer_free(&w.keys);
    free(w.key_end);
    return st;
}
