// same.c: functions of several processes that are one to the reader.
// A hash from (what is shown, how many of it this process had before) to the first function with it.
#include "report/same.h"

#include <stdlib.h>
#include <string.h>

#include "record/hash.h"

typedef struct {
    const asy_profile *p;
    uint32_t *process; // per function: the process of the first thread that has it, UINT32_MAX = none
    uint32_t *ordinal; // per Python function, among those of its process that look alike; else 0
    asy_hash hash;
    uint32_t *slots; // function + 1; 0 = empty
    size_t size;     // power of two
} asy_same;

static uint32_t
hash_func(const asy_hash *h, const asy_profile_func *f, uint32_t part)
{
    uint64_t x = asy_hash_add(h, asy_hash_add(h, asy_hash_add(h, 0, f->kind), f->line), part);

    x = asy_hash_text(h, x, f->name);
    x = asy_hash_text(h, x, f->file);
    return asy_hash_end(h, asy_hash_text(h, x, f->module));
}

static bool
looks_alike(const asy_profile_func *a, const asy_profile_func *b)
{
    return a->kind == b->kind && a->line == b->line && strcmp(a->name, b->name) == 0 && strcmp(a->file, b->file) == 0 &&
           strcmp(a->module, b->module) == 0;
}

static void
find_processes(const asy_same *s)
{
    for (uint32_t t = 0; t < s->p->thread_count; t++) {
        const asy_profile_thread *th = &s->p->threads[t];

        for (uint32_t i = 1; i < th->node_count; i++) {
            uint32_t f = th->nodes[i].func;

            if (f < s->p->func_count && s->process[f] == UINT32_MAX) {
                s->process[f] = th->process;
            }
        }
    }
}

// The first function that looks like `f` and has its value in `part`; `f` itself, if there was none.
static uint32_t
look_up(const asy_same *s, uint32_t f, const uint32_t *part)
{
    const asy_profile_func *funcs = s->p->funcs;
    size_t at = hash_func(&s->hash, &funcs[f], part[f]) & (s->size - 1);

    for (; s->slots[at] != 0; at = (at + 1) & (s->size - 1)) {
        uint32_t g = s->slots[at] - 1;

        if (part[g] == part[f] && looks_alike(&funcs[f], &funcs[g])) {
            return g;
        }
    }
    s->slots[at] = f + 1;
    return f;
}

static void
number_python(const asy_same *s, uint32_t *count)
{
    find_processes(s);
    for (uint32_t f = 0; f < s->p->func_count; f++) {
        if (s->p->funcs[f].kind == ASY_NODE_PY) {
            s->ordinal[f] = count[look_up(s, f, s->process)]++;
        }
    }
    memset(s->slots, 0, s->size * sizeof *s->slots);
}

static void
match_all(const asy_same *s, uint32_t *same)
{
    bool alone = s->p->process_count <= 1;

    for (uint32_t f = 0; f < s->p->func_count; f++) {
        bool apart = alone && s->p->funcs[f].kind == ASY_NODE_PY;

        same[f] = apart ? f : look_up(s, f, s->ordinal);
    }
}

asy_status
asy_same_make(const asy_profile *p, uint32_t **out)
{
    size_t n = (size_t)p->func_count + 1;
    asy_same s = {.p = p, .size = 4, .hash = asy_hash_key()};
    uint32_t *same = NULL;
    asy_status st = ASY_ENOMEM;

    *out = NULL;
    while (s.size < 2 * n) {
        s.size *= 2;
    }
    s.process = malloc(n * sizeof *s.process);
    s.ordinal = calloc(n, sizeof *s.ordinal);
    s.slots = calloc(s.size, sizeof *s.slots);
    same = calloc(n, sizeof *same);
    if (s.process == NULL || s.ordinal == NULL || s.slots == NULL || same == NULL) {
        goto done;
    }
    memset(s.process, 0xff, n * sizeof *s.process);
    if (p->process_count > 1) {
        number_python(&s, same); // `same` counts here, then takes the result
    }
    match_all(&s, same);
    *out = same;
    same = NULL;
    st = ASY_OK;
done:
    free(s.process);
    free(s.ordinal);
    free(s.slots);
    free(same);
    return st;
}
