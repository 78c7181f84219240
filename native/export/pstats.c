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
    char **names;
    asy_stream *s;
} writer;

static void
put32(asy_stream *s, uint32_t n)
{
    asy_stream_put(s, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)}, 4);
}

static void
put_tuple(asy_stream *s, uint32_t count)
{
    asy_stream_byte(s, '(');
    put32(s, count);
}

static void
put_text(asy_stream *s, const char *text)
{
    size_t len = strlen(text);

    asy_stream_byte(s, 'u');
    put32(s, (uint32_t)len);
    asy_stream_put(s, text, len);
}

static void
put_whole(asy_stream *s, uint64_t n)
{
    uint32_t digits = 0;

    if (n <= INT32_MAX) {
        asy_stream_byte(s, 'i');
        put32(s, (uint32_t)n);
        return;
    }
    for (uint64_t rest = n; rest != 0; rest >>= DIGIT_BITS) {
        digits++;
    }
    asy_stream_byte(s, 'l');
    put32(s, digits);
    for (; n != 0; n >>= DIGIT_BITS) {
        asy_stream_put(s, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8) & 0x7f}, 2);
    }
}

static void
put_seconds(asy_stream *s, uint64_t ns)
{
    double seconds = (double)ns / 1e9;
    uint64_t bits;

    memcpy(&bits, &seconds, sizeof bits);
    asy_stream_byte(s, 'g');
    put32(s, (uint32_t)bits);
    put32(s, (uint32_t)(bits >> 32));
}

static void
put_key(const writer *w, uint32_t func)
{
    put_tuple(w->s, 3);
    put_text(w->s, asy_frame_key_file(w->p, func));
    put_whole(w->s, w->p->funcs[func].line);
    put_text(w->s, w->names[func]);
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
        put_tuple(w->s, 4);
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
    put_tuple(w->s, 5);
    put_whole(w->s, n->primitive);
    put_whole(w->s, n->calls);
    put_seconds(w->s, n->self_ns);
    put_seconds(w->s, n->total_ns);
    put_callers(w, func);
}

asy_status
asy_export_pstats(const asy_profile *p, const asy_edges *e, asy_stream *s)
{
    writer w = {.p = p, .edges = e, .s = s, .names = asy_frame_names(p, asy_frame_key_name)};
    asy_status st = w.names == NULL ? ASY_ENOMEM : asy_edges_sort(e, ASY_EDGES_BY_CALLEE, &w.by_callee);

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
    asy_frame_names_free(w.names, p->func_count);
    return st;
}
