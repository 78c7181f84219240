// pstats.c: the one shape of a pstats file, item by item; nothing here is recursive.
// A function has its number from its key's first appearance on, be it as somebody's caller.
#include "record/pstats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/builder.h"
#include "record/edges.h"
#include "record/format.h"
#include "record/intern.h"
#include "record/marshal.h"

#define LINES_MAX INT32_MAX
#define NS_PER_S 1e9

// What a container was, in the two highest bits of asy_marshal_define's number.
#define KNOWN_KEY 0u
#define KNOWN_COUNTS 1u
#define KNOWN_EMPTY 2u
#define KNOWN_SHIFT 62

typedef struct {
    asy_marshal m;
    asy_intern texts, keys;  // keys: (file, line, name)
    asy_edge_counts *funcs;  // owned, per key
    bool *defined;           // owned, per key: it has an entry, not only calls others
    uint32_t *called_by;     // owned, per key: 1 + the last function whose callers named it
    uint32_t func_cap;       // of these three
    asy_edges *edges;        // owned
    asy_edge_counts *shared; // owned: counts that are referred to
    uint32_t shared_count, shared_cap;
    uint64_t calls, self_ns, edge_calls, edge_self_ns; // sums, which must fit
    bool timed;                                        // of the callers
} reader;

static asy_status
refuse(reader *r, asy_status st, const char *why)
{
    r->m.why = why;
    return st;
}

static asy_status
expect(reader *r, const asy_marshal_item *item, asy_marshal_kind kind, const char *why)
{
    return item->kind == kind ? ASY_OK : refuse(r, ASY_ECORRUPT, why);
}

// ---- texts and keys ----

static asy_status
read_text(reader *r, uint32_t *out)
{
    asy_marshal_item item;
    asy_status st = asy_marshal_next(&r->m, &item);
    bool memo = item.memo != ASY_MARSHAL_NO_SLOT;

    if (st == ASY_OK) {
        st = expect(r, &item, ASY_MARSHAL_TEXT, "a file or function has no name");
    }
    if (st != ASY_OK) {
        return st;
    }
    if (memo && r->m.memos[item.memo] != 0) {
        *out = r->m.memos[item.memo] - 1;
        return ASY_OK;
    }
    if (item.text.len > ASY_FORMAT_TEXT_MAX) {
        return refuse(r, ASY_ECORRUPT, "a name is too long");
    }
    st = asy_intern_text(&r->texts, (asy_text){item.text.bytes, item.text.len}, out);
    if (st == ASY_OK && memo) {
        r->m.memos[item.memo] = *out + 1;
    }
    return st;
}

static asy_status
read_whole(reader *r, int64_t max, const char *why, uint64_t *out)
{
    asy_marshal_item item;
    asy_status st = asy_marshal_next(&r->m, &item);

    if (st == ASY_OK && (item.kind != ASY_MARSHAL_INT || item.n < 0 || item.n > max)) {
        st = refuse(r, ASY_ECORRUPT, why);
    }
    if (st == ASY_OK) {
        *out = (uint64_t)item.n;
    }
    return st;
}

static asy_status
grow_funcs(reader *r)
{
    uint32_t cap = r->func_cap == 0 ? 256 : 2 * r->func_cap;
    asy_edge_counts *funcs = realloc(r->funcs, cap * sizeof *funcs);
    uint32_t *called_by;
    bool *defined;

    if (funcs == NULL) {
        return ASY_ENOMEM;
    }
    r->funcs = funcs;
    defined = realloc(r->defined, cap * sizeof *defined);
    if (defined == NULL) {
        return ASY_ENOMEM;
    }
    r->defined = defined;
    called_by = realloc(r->called_by, cap * sizeof *called_by);
    if (called_by == NULL) {
        return ASY_ENOMEM;
    }
    r->called_by = called_by;
    r->func_cap = cap;
    return ASY_OK;
}

static asy_status
take_key(reader *r, asy_intern_triple key, uint32_t *out)
{
    uint32_t before = r->keys.count;
    asy_status st = asy_intern_three(&r->keys, key, out);

    if (st == ASY_OK && r->keys.count > before) {
        st = r->keys.count > r->func_cap ? grow_funcs(r) : ASY_OK;
        if (st == ASY_OK) {
            r->funcs[*out] = (asy_edge_counts){0};
            r->defined[*out] = false;
            r->called_by[*out] = 0;
        }
    }
    return st;
}

// ("__sampled__",), which the sampling profiler of Python 3.15 puts into its files.
static asy_status
refuse_short_key(reader *r, const asy_marshal_item *tuple)
{
    asy_marshal_item item;
    static const char mark[] = "__sampled__";

    if (tuple->count == 1 && asy_marshal_next(&r->m, &item) == ASY_OK && item.kind == ASY_MARSHAL_TEXT &&
        item.text.len == sizeof mark - 1 && memcmp(item.text.bytes, mark, sizeof mark - 1) == 0) {
        return refuse(r, ASY_EVERSION, "a sampling profiler wrote it: it counts samples, not calls");
    }
    return refuse(r, ASY_ECORRUPT, "a function is not (file, line, name)");
}

// The rest of a key whose first item is `item`.
static asy_status
read_key(reader *r, const asy_marshal_item *item, uint32_t *out)
{
    asy_intern_triple key;
    uint64_t line;
    asy_status st;

    if (item->kind == ASY_MARSHAL_KNOWN && item->known >> KNOWN_SHIFT == KNOWN_KEY) {
        *out = (uint32_t)item->known;
        return ASY_OK;
    }
    st = expect(r, item, ASY_MARSHAL_TUPLE, "a function is not (file, line, name)");
    if (st == ASY_OK && item->count != 3) {
        st = refuse_short_key(r, item);
    }
    if (st == ASY_OK) {
        st = read_text(r, &key.a);
    }
    if (st == ASY_OK) {
        st = read_whole(r, LINES_MAX, "a line is not a whole number from 0 on", &line);
    }
    if (st == ASY_OK) {
        key.b = (uint32_t)line;
        st = read_text(r, &key.c);
    }
    if (st == ASY_OK) {
        st = take_key(r, key, out);
    }
    if (st == ASY_OK) {
        asy_marshal_define(&r->m, item->slot, (uint64_t)KNOWN_KEY << KNOWN_SHIFT | *out);
    }
    return st;
}

// ---- numbers ----

static asy_status
read_calls(reader *r, uint64_t *out)
{
    return read_whole(r, (int64_t)1 << 59, "a number of calls is not a whole number from 0 on", out);
}

// Below zero: cProfile writes that where threads got into each other's way, and `profile` with a bias.
static asy_status
read_seconds(reader *r, uint64_t *out)
{
    asy_marshal_item item;
    asy_status st = asy_marshal_next(&r->m, &item);
    double ns;

    if (st != ASY_OK) {
        return st;
    }
    if (item.kind != ASY_MARSHAL_FLOAT && item.kind != ASY_MARSHAL_INT) {
        return refuse(r, ASY_ECORRUPT, "a time is no number");
    }
    ns = (item.kind == ASY_MARSHAL_INT ? (double)item.n : item.real) * NS_PER_S;
    if (!(ns <= (double)ASY_FORMAT_VALUE_MAX && ns >= -(double)ASY_FORMAT_VALUE_MAX)) { // a nan neither
        return refuse(r, ASY_ECORRUPT, "a time is not a finite number, or too large");
    }
    r->edges->below_zero += ns <= -0.5;
    *out = ns <= 0 ? 0 : (uint64_t)(ns + 0.5);
    return ASY_OK;
}

// The four numbers that counts begin with.
static asy_status
read_counts(reader *r, bool calls_first, asy_edge_counts *out)
{
    asy_status st = read_calls(r, calls_first ? &out->calls : &out->primitive);

    if (st == ASY_OK) {
        st = read_calls(r, calls_first ? &out->primitive : &out->calls);
    }
    if (st == ASY_OK) {
        st = read_seconds(r, &out->self_ns);
    }
    if (st == ASY_OK) {
        st = read_seconds(r, &out->total_ns);
    }
    if (st == ASY_OK && out->primitive > out->calls) {
        st = refuse(r, ASY_ECORRUPT, "a function has more outermost calls than calls");
    }
    return st;
}

static asy_status
add_up(reader *r, const asy_edge_counts *n, uint64_t *calls, uint64_t *self_ns)
{
    *calls += n->calls;
    *self_ns += n->self_ns;
    return *calls > ASY_FORMAT_VALUE_MAX || *self_ns > ASY_FORMAT_VALUE_MAX
               ? refuse(r, ASY_ECORRUPT, "its numbers are too large together")
               : ASY_OK;
}

// ---- callers ----

static asy_status
share_counts(reader *r, uint32_t slot, const asy_edge_counts *n)
{
    if (slot == ASY_MARSHAL_NO_SLOT) {
        return ASY_OK;
    }
    if (r->shared_count == r->shared_cap) {
        uint32_t cap = r->shared_cap == 0 ? 256 : 2 * r->shared_cap;
        asy_edge_counts *grown = realloc(r->shared, cap * sizeof *grown);

        if (grown == NULL) {
            return ASY_ENOMEM;
        }
        r->shared = grown;
        r->shared_cap = cap;
    }
    asy_marshal_define(&r->m, slot, (uint64_t)KNOWN_COUNTS << KNOWN_SHIFT | r->shared_count);
    r->shared[r->shared_count++] = *n;
    return ASY_OK;
}

// What a function has of one of its callers.
static asy_status
read_edge_counts(reader *r, asy_edge_counts *out)
{
    asy_marshal_item item;
    asy_status st = asy_marshal_next(&r->m, &item);

    *out = (asy_edge_counts){0};
    if (st != ASY_OK) {
        return st;
    }
    if (item.kind == ASY_MARSHAL_KNOWN && item.known >> KNOWN_SHIFT == KNOWN_COUNTS) {
        *out = r->shared[(uint32_t)item.known];
        return ASY_OK;
    }
    if (item.kind == ASY_MARSHAL_INT && item.n >= 0 && item.n <= (int64_t)1 << 59) {
        out->calls = out->primitive = (uint64_t)item.n; // of the module `profile`
        return ASY_OK;
    }
    if (item.kind != ASY_MARSHAL_TUPLE || item.count != 4) {
        return refuse(r, ASY_ECORRUPT, "what a function has of a caller is not (calls, calls, time, time)");
    }
    r->timed = true;
    st = read_counts(r, true, out);
    return st == ASY_OK ? share_counts(r, item.slot, out) : st;
}

static asy_status
read_edge(reader *r, const asy_marshal_item *key, uint32_t callee)
{
    asy_edge edge = {.callee = callee};
    asy_status st = read_key(r, key, &edge.caller);

    if (st == ASY_OK && r->called_by[edge.caller] == callee + 1) {
        st = refuse(r, ASY_ECORRUPT, "a function has the same caller twice");
    }
    if (st == ASY_OK) {
        r->called_by[edge.caller] = callee + 1;
        st = read_edge_counts(r, &edge.counts);
    }
    if (st == ASY_OK) {
        st = add_up(r, &edge.counts, &r->edge_calls, &r->edge_self_ns);
    }
    return st == ASY_OK ? asy_edges_add(r->edges, &edge) : st;
}

static asy_status
read_callers(reader *r, uint32_t callee)
{
    asy_marshal_item dict, key;
    asy_status st = asy_marshal_next(&r->m, &dict);
    uint32_t before = r->edges->edge_count;

    if (st == ASY_OK && dict.kind == ASY_MARSHAL_KNOWN && dict.known >> KNOWN_SHIFT == KNOWN_EMPTY) {
        return ASY_OK;
    }
    if (st == ASY_OK) {
        st = expect(r, &dict, ASY_MARSHAL_DICT, "the callers of a function are no dict");
    }
    while (st == ASY_OK) {
        st = asy_marshal_next(&r->m, &key);
        if (st == ASY_OK && key.kind == ASY_MARSHAL_NULL) {
            break;
        }
        if (st == ASY_OK) {
            st = read_edge(r, &key, callee);
        }
    }
    if (st == ASY_OK && r->edges->edge_count == before) {
        asy_marshal_define(&r->m, dict.slot, (uint64_t)KNOWN_EMPTY << KNOWN_SHIFT);
    }
    return st;
}

// ---- functions ----

static asy_status
read_func(reader *r, const asy_marshal_item *key)
{
    asy_marshal_item item;
    asy_edge_counts n = {0};
    uint32_t func;
    asy_status st = read_key(r, key, &func);

    if (st == ASY_OK && r->defined[func]) {
        st = refuse(r, ASY_ECORRUPT, "a function stands in it twice");
    }
    if (st == ASY_OK) {
        st = asy_marshal_next(&r->m, &item);
    }
    if (st == ASY_OK && (item.kind != ASY_MARSHAL_TUPLE || item.count != 5)) {
        st = refuse(r, ASY_ECORRUPT, "what a function has is not (calls, calls, time, time, callers)");
    }
    if (st == ASY_OK) {
        st = read_counts(r, false, &n);
    }
    if (st == ASY_OK) {
        st = add_up(r, &n, &r->calls, &r->self_ns);
    }
    if (st == ASY_OK) {
        r->funcs[func] = n;
        r->defined[func] = true;
        st = read_callers(r, func);
    }
    return st;
}

static asy_status
read_all(reader *r)
{
    asy_marshal_item item;
    asy_status st = asy_marshal_next(&r->m, &item);

    if (st == ASY_OK) {
        st = expect(r, &item, ASY_MARSHAL_DICT, "it is no marshalled dict");
    }
    while (st == ASY_OK) {
        st = asy_marshal_next(&r->m, &item);
        if (st == ASY_OK && item.kind == ASY_MARSHAL_NULL) {
            break;
        }
        if (st == ASY_OK) {
            st = read_func(r, &item);
        }
    }
    if (st == ASY_OK && r->m.at != r->m.len) {
        st = refuse(r, ASY_ECORRUPT, "something follows its end");
    }
    return st;
}

// ---- the profile ----

static bool
is_python(const asy_profile_func *f)
{
    return f->line > 0 || (f->file[0] != '\0' && strcmp(f->file, "~") != 0);
}

static asy_status
name_funcs(reader *r, asy_builder_profile *l)
{
    const char **clean = calloc((size_t)r->texts.count + 1, sizeof *clean);
    asy_status st = clean == NULL ? ASY_ENOMEM : ASY_OK;

    for (uint32_t i = 0; st == ASY_OK && i < r->texts.count; i++) {
        st = asy_text_keep(&l->texts, r->texts.texts[i], &clean[i]);
    }
    for (uint32_t i = 0; st == ASY_OK && i < r->keys.count; i++) {
        asy_profile_func *f = &l->p.funcs[i];

        *f = (asy_profile_func){.line = r->keys.triples[i].b,
                                .file = clean[r->keys.triples[i].a],
                                .name = clean[r->keys.triples[i].c],
                                .module = ""};
        f->kind = is_python(f) ? ASY_NODE_PY : ASY_NODE_C;
    }
    free(clean);
    return st;
}

static asy_status
finish(reader *r, asy_builder_profile *l)
{
    asy_profile *p = &l->p;

    p->funcs = calloc((size_t)r->keys.count + 1, sizeof *p->funcs);
    if (p->funcs == NULL) {
        return ASY_ENOMEM;
    }
    p->func_count = r->keys.count;
    p->duration_ns = r->self_ns;
    p->complete = true;
    free(r->edges->funcs);
    r->edges->funcs = r->funcs;
    r->funcs = NULL;
    r->edges->func_count = p->func_count;
    r->edges->untimed = r->edges->edge_count > 0 && !r->timed;
    if (r->edges->funcs == NULL) {
        r->edges->funcs = calloc(1, sizeof *r->edges->funcs);
    }
    p->edges = r->edges; // moved
    r->edges = NULL;
    return p->edges->funcs == NULL ? ASY_ENOMEM : name_funcs(r, l);
}

static void
clear(reader *r)
{
    asy_marshal_clear(&r->m);
    asy_intern_clear(&r->texts);
    asy_intern_clear(&r->keys);
    asy_edges_free(r->edges);
    free(r->funcs);
    free(r->defined);
    free(r->called_by);
    free(r->shared);
}

asy_status
asy_pstats_load_bytes(const void *bytes, size_t len, asy_profile **out, const char **problem)
{
    static _Thread_local char said[ASY_BUILDER_PROBLEM_BYTES];
    reader r = {.m = {.bytes = bytes, .len = len}, .texts = asy_intern_new(), .keys = asy_intern_new()};
    asy_builder_profile *l = calloc(1, sizeof *l);
    asy_status st = ASY_ENOMEM;

    *out = NULL;
    *problem = NULL;
    r.edges = asy_edges_new(0);
    if (l != NULL && r.edges != NULL) {
        l->p.command = l->p.directory = l->p.script = l->p.assay_version = "";
        st = len > ASY_PSTATS_BYTES_MAX ? ASY_ELIMIT : read_all(&r);
    }
    if (st == ASY_OK) {
        st = finish(&r, l);
    }
    if (st == ASY_OK) {
        *out = &l->p;
        l = NULL;
    } else if (st == ASY_ECORRUPT) {
        (void)snprintf(said, sizeof said, "%s, at byte %zu", r.m.why, r.m.at);
        *problem = said;
    } else {
        *problem = st == ASY_EVERSION ? r.m.why : st == ASY_ELIMIT ? "it is larger than 256 MiB" : asy_status_text(st);
    }
    asy_profile_free(l != NULL ? &l->p : NULL);
    clear(&r);
    return st;
}
