// callgrind.c: the profile format of Callgrind, for KCachegrind and callgrind_annotate (valgrind's manual, "Callgrind Format").
// Names are given once and numbered. Costs: wall time in ns, and CPU time where it is known. The line of a call is not known: it is
// its caller's first.
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/frames.h"
#include "record/intern.h"

typedef struct {
    const asy_profile *p;
    const asy_edges *edges;
    asy_edges_index by_caller;
    char **names;
    bool *ambiguous;  // per function: another has its name
    bool *given;      // per function: its name was written
    bool *file_given; // per file
    uint32_t *file;   // per function
    bool cpu;
    asy_stream *s;
} writer;

// A line each: what would end it becomes a "?".
static void
put_line(asy_stream *s, const char *text)
{
    for (; *text != '\0'; text++) {
        asy_stream_byte(s, (unsigned char)*text < 0x20 ? '?' : (uint8_t)*text);
    }
}

// "fl=(3) /srv/app.py", later "fl=(3)".
static void
put_file(writer *w, const char *what, uint32_t func)
{
    asy_stream_text(w->s, what);
    asy_stream_byte(w->s, '(');
    asy_stream_number(w->s, w->file[func] + 1);
    asy_stream_byte(w->s, ')');
    if (!w->file_given[w->file[func]]) {
        w->file_given[w->file[func]] = true;
        asy_stream_byte(w->s, ' ');
        put_line(w->s, asy_frame_key_file(w->p, func));
    }
    asy_stream_byte(w->s, '\n');
}

// " (store.py:75)"
static void
put_place(writer *w, uint32_t func)
{
    const char *file = asy_frame_key_file(w->p, func), *slash = strrchr(file, '/');

    asy_stream_text(w->s, " (");
    put_line(w->s, slash == NULL ? file : slash + 1);
    asy_stream_byte(w->s, ':');
    asy_stream_number(w->s, w->p->funcs[func].line);
    asy_stream_byte(w->s, ')');
}

static void
put_name(writer *w, const char *what, uint32_t func)
{
    asy_stream_text(w->s, what);
    asy_stream_byte(w->s, '(');
    asy_stream_number(w->s, func + 1);
    asy_stream_byte(w->s, ')');
    if (!w->given[func]) {
        w->given[func] = true;
        asy_stream_byte(w->s, ' ');
        put_line(w->s, w->names[func]);
        if (w->ambiguous[func]) {
            put_place(w, func);
        }
    }
    asy_stream_byte(w->s, '\n');
}

static void
put_costs(writer *w, uint32_t line, uint64_t ns, uint64_t wait_ns)
{
    asy_stream_number(w->s, line);
    asy_stream_byte(w->s, ' ');
    asy_stream_number(w->s, ns);
    if (w->cpu) {
        asy_stream_byte(w->s, ' ');
        asy_stream_number(w->s, ns - (wait_ns < ns ? wait_ns : ns));
    }
    asy_stream_byte(w->s, '\n');
}

static void
put_call(writer *w, const asy_edge *edge)
{
    put_file(w, "cfi=", edge->callee);
    put_name(w, "cfn=", edge->callee);
    asy_stream_text(w->s, "calls=");
    asy_stream_number(w->s, edge->counts.calls);
    asy_stream_byte(w->s, ' ');
    asy_stream_number(w->s, w->p->funcs[edge->callee].line);
    asy_stream_byte(w->s, '\n');
    put_costs(w, w->p->funcs[edge->caller].line, edge->counts.total_ns, edge->counts.total_wait_ns);
}

static void
put_func(writer *w, uint32_t func)
{
    const asy_edge_counts *n = &w->edges->funcs[func];

    asy_stream_byte(w->s, '\n');
    put_file(w, "fl=", func);
    put_name(w, "fn=", func);
    put_costs(w, w->p->funcs[func].line, n->self_ns, n->wait_ns);
    for (uint32_t i = w->by_caller.first[func]; i < w->by_caller.first[func + 1]; i++) {
        put_call(w, &w->edges->edges[w->by_caller.order[i]]);
    }
}

static void
put_head(writer *w)
{
    uint64_t self_ns = 0, wait_ns = 0;

    asy_stream_text(w->s, "# callgrind format\nversion: 1\ncreator: assay\n");
    if (w->p->command[0] != '\0') {
        asy_stream_text(w->s, "cmd: ");
        put_line(w->s, w->p->command);
        asy_stream_byte(w->s, '\n');
    }
    asy_stream_text(w->s, "part: 1\npositions: line\nevent: Wall : wall time in ns\n");
    asy_stream_text(w->s, w->cpu ? "event: CPU : CPU time in ns\nevents: Wall CPU\n" : "events: Wall\n");
    for (uint32_t f = 0; f < w->edges->func_count; f++) {
        self_ns += w->edges->funcs[f].self_ns;
        wait_ns += w->edges->funcs[f].wait_ns;
    }
    asy_stream_text(w->s, "summary: ");
    asy_stream_number(w->s, self_ns);
    if (w->cpu) {
        asy_stream_byte(w->s, ' ');
        asy_stream_number(w->s, self_ns - wait_ns);
    }
    asy_stream_byte(w->s, '\n');
}

static asy_status
number_text(asy_intern *texts, const char *text, uint32_t *out)
{
    return asy_intern_text(texts, (asy_text){text, (uint32_t)strlen(text)}, out);
}

// Numbers for files, and which names come more than once: there are readers that go by the name alone.
static asy_status
look_at_names(writer *w)
{
    asy_intern files = asy_intern_new(), names = asy_intern_new();
    uint32_t *first = calloc((size_t)w->p->func_count + 1, sizeof *first); // per name: its function
    asy_status st = first == NULL ? ASY_ENOMEM : ASY_OK;

    for (uint32_t f = 0; st == ASY_OK && f < w->p->func_count; f++) {
        uint32_t before = names.count, name = 0;

        st = number_text(&files, asy_frame_key_file(w->p, f), &w->file[f]);
        if (st == ASY_OK && asy_frame_has_counts(&w->edges->funcs[f])) {
            st = number_text(&names, w->names[f], &name);
            if (st == ASY_OK && names.count > before) {
                first[name] = f;
            } else if (st == ASY_OK) {
                w->ambiguous[f] = w->ambiguous[first[name]] = true;
            }
        }
    }
    asy_intern_clear(&files);
    asy_intern_clear(&names);
    free(first);
    return st;
}

static asy_status
begin(writer *w)
{
    size_t n = (size_t)w->p->func_count + 1;
    asy_status st = asy_edges_sort(w->edges, ASY_EDGES_BY_CALLER, &w->by_caller);

    w->names = asy_frame_names(w->p, asy_frame_name);
    w->ambiguous = calloc(n, sizeof *w->ambiguous);
    w->given = calloc(n, sizeof *w->given);
    w->file_given = calloc(n, sizeof *w->file_given);
    w->file = calloc(n, sizeof *w->file);
    if (st != ASY_OK || w->names == NULL || w->ambiguous == NULL || w->given == NULL || w->file_given == NULL ||
        w->file == NULL) {
        return ASY_ENOMEM;
    }
    return look_at_names(w);
}

asy_status
asy_export_callgrind(const asy_profile *p, const asy_edges *e, asy_stream *s)
{
    writer w = {.p = p, .edges = e, .s = s, .cpu = p->edges == NULL};
    asy_status st = begin(&w);

    if (st == ASY_OK) {
        put_head(&w);
    }
    for (uint32_t f = 0; st == ASY_OK && f < p->func_count; f++) {
        if (asy_frame_has_counts(&e->funcs[f])) {
            put_func(&w, f);
        }
    }
    asy_edges_index_clear(&w.by_caller);
    asy_frame_names_free(w.names, p->func_count);
    free(w.ambiguous);
    free(w.given);
    free(w.file_given);
    free(w.file);
    return st;
}
