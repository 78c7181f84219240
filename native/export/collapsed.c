// collapsed.c: "a;b;c N": a line for each stack, N the ns in its innermost frame itself; for flamegraph.pl, speedscope and others.
// What would end a frame or a line stands as \x3b or \x0a.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/frames.h"

static asy_status
add_escaped(asy_buffer *b, const char *text)
{
    asy_status st = ASY_OK;

    for (; *text != '\0' && st == ASY_OK; text++) {
        unsigned char c = (unsigned char)*text;
        char code[8];

        if (c < 0x20 || c == 0x7f || c == ';' || c == '\\') {
            int n = snprintf(code, sizeof code, "\\x%02x", c);

            st = asy_buffer_append(b, code, (size_t)n);
        } else {
            st = asy_buffer_append(b, text, 1);
        }
    }
    return st;
}

// "build_lookup (nightly/lookup.py:6)", "time.sleep", "customer=acme"
static asy_status
add_frame(asy_collapsed *x, uint32_t func)
{
    const asy_profile_func *f = &x->p->funcs[func];
    char line[16];
    asy_status st = x->path.len == 0 ? ASY_OK : asy_buffer_append(&x->path, ";", 1);

    if (st == ASY_OK) {
        st = add_escaped(&x->path, x->names[func]);
    }
    if (st != ASY_OK || f->kind != ASY_NODE_PY) {
        return st;
    }
    (void)snprintf(line, sizeof line, ":%u)", f->line);
    st = asy_buffer_append(&x->path, " (", 2);
    if (st == ASY_OK) {
        st = add_escaped(&x->path, x->places[func]);
    }
    return st == ASY_OK ? asy_buffer_append(&x->path, line, strlen(line)) : st;
}

static void
put_line(asy_collapsed *x, const char *more, uint64_t ns)
{
    if (ns > 0) {
        asy_stream_put(x->s, x->path.data, x->path.len);
        asy_stream_text(x->s, more);
        asy_stream_byte(x->s, ' ');
        asy_stream_number(x->s, ns);
        asy_stream_byte(x->s, '\n');
    }
}

static asy_status
put_step(asy_collapsed *x, const asy_export_step *step)
{
    asy_status st;

    if (step->depth > ASY_COLLAPSED_FRAMES || step->total_ns == 0) {
        return ASY_OK;
    }
    x->path.len = x->ends[step->depth - 1];
    st = add_frame(x, step->func);
    if (st != ASY_OK) {
        return st;
    }
    x->ends[step->depth] = x->path.len;
    put_line(x, "", step->self_ns);
    if (step->depth == ASY_COLLAPSED_FRAMES) {
        put_line(x, ";[deeper]", step->total_ns - step->self_ns);
    }
    return ASY_OK;
}

asy_status
asy_collapsed_begin(asy_collapsed *x, const asy_profile *p, const char *const *places, asy_stream *s)
{
    *x = (asy_collapsed){.p = p, .places = places, .s = s, .names = asy_frame_names(p, asy_frame_name)};
    return x->names == NULL ? ASY_ENOMEM : ASY_OK;
}

asy_status
asy_collapsed_tree(asy_collapsed *x, const asy_export_tree *t, bool with_thread)
{
    asy_status st = ASY_OK;

    x->path.len = 0;
    if (with_thread) {
        st = add_escaped(&x->path, t->name);
    }
    x->ends[0] = x->path.len;
    for (uint32_t i = 0; st == ASY_OK && i < t->count; i++) {
        st = put_step(x, &t->steps[i]);
    }
    return st;
}

void
asy_collapsed_end(asy_collapsed *x)
{
    asy_buffer_free(&x->path);
    asy_frame_names_free(x->names, x->p->func_count);
}
