// frames.c: see frames.h.
#include "export/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_builtin(const asy_profile_func *f)
{
    return f->module[0] == '\0' || strcmp(f->module, "builtins") == 0;
}

static char *
join(const char *a, const char *b, const char *c)
{
    char *out;

    return asprintf(&out, "%s%s%s", a, b, c) < 0 ? NULL : out;
}

char *
asy_frame_name(const asy_profile *p, uint32_t func)
{
    const asy_profile_func *f = &p->funcs[func];

    if (f->kind == ASY_NODE_PY || f->kind == ASY_NODE_TAG || is_builtin(f)) {
        return strdup(f->name[0] == '\0' ? "(no name)" : f->name);
    }
    return join(f->module, ".", f->name);
}

// <method 'append' of 'collections.deque' objects>, <built-in method time.sleep>: as CPython's _lsprof.c names them.
static char *
name_c(const asy_profile_func *f)
{
    const char *dot = strrchr(f->name, '.');
    const char *module = is_builtin(f) ? "" : f->module;
    char *out;

    if (dot == NULL) {
        return asprintf(&out, "<built-in method %s%s%s>", f->module, f->module[0] == '\0' ? "" : ".", f->name) < 0
                   ? NULL
                   : out;
    }
    return asprintf(&out, "<method '%s' of '%s%s%.*s' objects>", dot + 1, module, module[0] == '\0' ? "" : ".",
                    (int)(dot - f->name), f->name) < 0
               ? NULL
               : out;
}

char *
asy_frame_key_name(const asy_profile *p, uint32_t func)
{
    const asy_profile_func *f = &p->funcs[func];
    const char *module = is_builtin(f) ? "" : f->module, *point = is_builtin(f) ? "" : ".";
    const char *dot = strrchr(f->name, '.');
    char *out = NULL;

    if (p->edges != NULL) {
        return strdup(f->name); // it came from one
    }
    switch (f->kind) {
    case ASY_NODE_PY: return strdup(dot == NULL ? f->name : dot + 1);
    case ASY_NODE_C: return name_c(f);
    case ASY_NODE_CLASS: return asprintf(&out, "<class '%s%s%s'>", module, point, f->name) < 0 ? NULL : out;
    case ASY_NODE_OBJECT: return asprintf(&out, "<'%s%s%s' object>", module, point, f->name) < 0 ? NULL : out;
    default: return join("<", f->name, ">");
    }
}

const char *
asy_frame_key_file(const asy_profile *p, uint32_t func)
{
    const asy_profile_func *f = &p->funcs[func];

    return p->edges != NULL || f->kind == ASY_NODE_PY ? f->file : "~";
}

char **
asy_frame_names(const asy_profile *p, char *(*of)(const asy_profile *p, uint32_t func))
{
    char **names = calloc((size_t)p->func_count + 1, sizeof *names);

    for (uint32_t f = 0; names != NULL && f < p->func_count; f++) {
        names[f] = of(p, f);
        if (names[f] == NULL) {
            asy_frame_names_free(names, f);
            return NULL;
        }
    }
    return names;
}

void
asy_frame_names_free(char **names, uint32_t count)
{
    for (uint32_t f = 0; names != NULL && f < count; f++) {
        free(names[f]);
    }
    free(names);
}

bool
asy_frame_has_counts(const asy_edge_counts *n)
{
    return (n->calls | n->self_ns | n->total_ns) != 0;
}
