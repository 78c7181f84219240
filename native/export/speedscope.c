// speedscope.c: speedscope's file format: a profile for each thread, of opened and closed frames in ns.
// A tree is laid out as if each node had run once: its own time first, then its children. That takes two events a node however deep
// it is, and what is shown by weight ("left heavy") is the tree itself.
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/frames.h"

static void
put_quoted(asy_stream *s, const char *text)
{
    static const char hex[] = "0123456789abcdef";

    asy_stream_byte(s, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20) {
            asy_stream_put(s, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        } else if (c == '"' || c == '\\') {
            asy_stream_put(s, (char[]){'\\', (char)c}, 2);
        } else {
            asy_stream_byte(s, c);
        }
    }
    asy_stream_byte(s, '"');
}

asy_status
asy_speedscope_begin(asy_speedscope *x, const asy_profile *p, const char *name, asy_stream *s)
{
    *x = (asy_speedscope){.p = p, .s = s};
    x->frame = calloc((size_t)p->func_count + 1, sizeof *x->frame);
    x->funcs = calloc((size_t)p->func_count + 1, sizeof *x->funcs);
    if (x->frame == NULL || x->funcs == NULL) {
        return ASY_ENOMEM;
    }
    asy_stream_text(
        s, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n\"exporter\":\"assay\",\n\"name\":");
    put_quoted(s, name);
    asy_stream_text(s, ",\n\"activeProfileIndex\":0,\n\"profiles\":[");
    return ASY_OK;
}

static uint32_t
frame_of(asy_speedscope *x, uint32_t func)
{
    if (x->frame[func] == 0) {
        x->funcs[x->frame_count++] = func;
        x->frame[func] = x->frame_count;
    }
    return x->frame[func] - 1;
}

static void
put_event(asy_speedscope *x, bool open, uint32_t func, uint64_t at, bool *first)
{
    asy_stream_text(x->s, *first ? "\n" : ",\n");
    asy_stream_text(x->s, open ? "{\"type\":\"O\",\"frame\":" : "{\"type\":\"C\",\"frame\":");
    asy_stream_number(x->s, frame_of(x, func));
    asy_stream_text(x->s, ",\"at\":");
    asy_stream_number(x->s, at);
    asy_stream_byte(x->s, '}');
    *first = false;
}

// The steps whose time begins with the next one at depth `depth` or less are over. `open`: per depth, the function.
static void
close_to(asy_speedscope *x, const uint32_t *open, uint32_t *depth, uint32_t to, uint64_t at, bool *first)
{
    for (; *depth > to; --*depth) {
        put_event(x, false, open[*depth], at, first);
    }
}

static uint64_t
sum_self(const asy_export_tree *t)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        sum += t->steps[i].self_ns;
    }
    return sum;
}

static uint32_t
deepest(const asy_export_tree *t)
{
    uint32_t depth = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        depth = t->steps[i].depth > depth ? t->steps[i].depth : depth;
    }
    return depth;
}

static void
put_events(asy_speedscope *x, const asy_export_tree *t, uint32_t *open)
{
    uint32_t depth = 0;
    uint64_t at = 0;
    bool first = true;

    for (uint32_t i = 0; i < t->count; i++) {
        const asy_export_step *step = &t->steps[i];

        if (step->total_ns == 0) {
            continue; // nor has anything below it
        }
        close_to(x, open, &depth, step->depth - 1, at, &first);
        depth = step->depth;
        open[depth] = step->func;
        put_event(x, true, step->func, at, &first);
        at += step->self_ns;
    }
    close_to(x, open, &depth, 0, at, &first);
}

asy_status
asy_speedscope_tree(asy_speedscope *x, const asy_export_tree *t)
{
    uint32_t *open = calloc((size_t)deepest(t) + 1, sizeof *open);

    if (open == NULL) {
        return ASY_ENOMEM;
    }
    asy_stream_text(x->s, x->tree_count++ == 0 ? "\n" : ",\n");
    asy_stream_text(x->s, "{\"type\":\"evented\",\"name\":");
    put_quoted(x->s, t->name);
    asy_stream_text(x->s, ",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":");
    asy_stream_number(x->s, sum_self(t));
    asy_stream_text(x->s, ",\"events\":[");
    put_events(x, t, open);
    asy_stream_text(x->s, "]}");
    free(open);
    return ASY_OK;
}

static asy_status
put_frames(asy_speedscope *x)
{
    for (uint32_t i = 0; i < x->frame_count; i++) {
        const asy_profile_func *f = &x->p->funcs[x->funcs[i]];
        char *name = asy_frame_name(x->p, x->funcs[i]);

        if (name == NULL) {
            return ASY_ENOMEM;
        }
        asy_stream_text(x->s, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
        put_quoted(x->s, name);
        free(name);
        if (f->file[0] != '\0') {
            asy_stream_text(x->s, ",\"file\":");
            put_quoted(x->s, f->file);
        }
        if (f->line > 0) {
            asy_stream_text(x->s, ",\"line\":");
            asy_stream_number(x->s, f->line);
        }
        asy_stream_byte(x->s, '}');
    }
    return ASY_OK;
}

asy_status
asy_speedscope_end(asy_speedscope *x)
{
    asy_status st = ASY_OK;

    if (x->frame != NULL && x->funcs != NULL) {
        asy_stream_text(x->s, "],\n\"shared\":{\"frames\":[");
        st = put_frames(x);
        asy_stream_text(x->s, "]}}\n");
    }
    free(x->frame);
    free(x->funcs);
    *x = (asy_speedscope){0};
    return st;
}
