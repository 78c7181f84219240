// origin.c: project, library or built-in.
// Paths are compared as text: a recording may come from another machine.
#include "report/origin.h"

#include <stdlib.h>
#include <string.h>

#include "report/wait.h"
#include "report/words.h"

typedef struct {
    char *script, *work; // owned: directories without a slash at their end; NULL = none
    bool no_script;      // code without a file (-c, standard input, a notebook) is the project's
} bases;

static bool
starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool
ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), tail = strlen(suffix);

    return len >= tail && strcmp(s + len - tail, suffix) == 0;
}

// "a//b/./c/../d" → "a/b/d", in place.
static void
normalise(char *path)
{
    char *out = path;
    const char *in = path;

    while (*in != '\0') {
        size_t len = strcspn(in, "/");

        if (len == 0) {
            if (out == path || out[-1] != '/') {
                *out++ = '/';
            }
            in++;
        } else if (len == 2 && in[0] == '.' && in[1] == '.' && out > path + 1) {
            for (out--; out > path && out[-1] != '/'; out--) {
            }
            in += 2;
        } else if (len == 1 && in[0] == '.') {
            in++;
        } else {
            memmove(out, in, len);
            out += len;
            in += len;
        }
    }
    while (out > path && out[-1] == '/') {
        out--;
    }
    *out = '\0';
}

// directory + "/" + path's directory part; NULL without memory.
static char *
directory_of(const char *directory, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t keep = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    size_t base = path[0] == '/' ? 0 : strlen(directory);
    char *out = malloc(base + 1 + keep + 1);

    if (out != NULL) {
        memcpy(out, directory, base);
        out[base] = '/';
        memcpy(out + base + 1, path, keep);
        out[base + 1 + keep] = '\0';
        normalise(out);
    }
    return out;
}

// What follows `base` in `file`; NULL if it does not lie under it.
static const char *
below(const char *file, const char *base)
{
    size_t len = base == NULL ? 0 : strlen(base);

    if (base == NULL || strncmp(file, base, len) != 0 || file[len] != '/') {
        return NULL;
    }
    return file + len + 1;
}

// The module-like end of a library's path; NULL if it is not one.
static const char *
library_path(const char *file)
{
    static const char *const roots[] = {"site-packages/", "dist-packages/"};
    const char *at;

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        at = strstr(file, roots[i]);
        if (at != NULL && (at == file || at[-1] == '/')) {
            return at + strlen(roots[i]);
        }
    }
    at = strstr(file, "/lib/python3.");
    if (at == NULL) {
        at = strstr(file, "/lib64/python3.");
    }
    at = at == NULL ? NULL : strstr(at, "python3.");
    at = at == NULL ? NULL : strchr(at, '/');
    return at == NULL ? NULL : at + 1;
}

// A launcher (".venv/bin/pytest") starts the program, it is not the program.
static bool
is_launcher(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash != NULL && slash - file >= 3 && strncmp(slash - 3, "bin", 3) == 0 &&
           (slash - file == 3 || slash[-4] == '/') && strchr(slash, '.') == NULL;
}

// A cell of a notebook has a name of its own: "<ipython-input-3-…>", or "/tmp/ipykernel_123/456.py", which is no file.
static bool
is_cell(const char *file)
{
    const char *kernel = strstr(file, "/ipykernel_");

    return starts_with(file, "<ipython") || (kernel != NULL && strspn(kernel + 11, "0123456789") > 0);
}

static void
place_python(const asy_profile_func *f, const bases *b, asy_origin *o)
{
    const char *file = f->file;
    const char *library = library_path(file);
    const char *work = below(file, b->work);
    const char *script = below(file, b->script);
    bool cell = is_cell(file);

    o->place = file;
    if (!cell && (file[0] == '<' || file[0] == '\0')) {
        o->project = (b->no_script && strcmp(file, "<string>") == 0) || strcmp(file, "<stdin>") == 0;
    } else if (!cell && library != NULL) {
        o->place = library;
    } else if (!cell && (work != NULL || script != NULL)) {
        o->project = !is_launcher(file);
        o->place = work == NULL || (script != NULL && strlen(b->script) > strlen(b->work)) ? script : work;
    } else if (cell || file[0] != '/') {
        o->project = true; // compiled with a relative name: from where the program ran
    }
}

static bool
is_comprehension(const char *name)
{
    return ends_with(name, "<listcomp>") || ends_with(name, "<dictcomp>") || ends_with(name, "<setcomp>") ||
           ends_with(name, "<genexpr>");
}

static void
describe(const asy_profile_func *f, const bases *b, asy_origin *o)
{
    *o = (asy_origin){.place = ""};
    asy_wait_name(f, o);
    if (f->kind == ASY_NODE_PY) {
        place_python(f, b, o);
        o->importing = starts_with(f->file, "<frozen importlib");
        o->place = o->importing ? "importlib" : o->place;
        o->comprehension = is_comprehension(f->name);
        o->idle = asy_wait_idle(library_path(f->file), f->name);
    } else if (f->kind == ASY_NODE_C || f->kind == ASY_NODE_CLASS || f->kind == ASY_NODE_OBJECT) {
        bool builtin = f->module[0] == '\0' || strcmp(f->module, "builtins") == 0;

        o->place = builtin ? "built-in" : f->module;
    }
}

// Without C calls a sleep or a lock is its caller's own waiting, and cannot be told from a turn that did not come.
static void
hide_wait(asy_origin *o)
{
    o->wait = "in C or for the GIL";
    o->turn = false;
    o->secondary = o->idle != NULL;
}

// Where several processes are measured, what one waits for is what another one does.
static void
join_processes(const asy_profile_func *f, asy_origin *o)
{
    if (f->kind == ASY_NODE_C && strcmp(o->wait, "child process") == 0) {
        o->secondary = true;
    }
    o->passes = f->kind == ASY_NODE_C && strcmp(f->module, "posix") == 0 &&
                (strcmp(f->name, "read") == 0 || strcmp(f->name, "write") == 0);
}

asy_status
asy_origins_make(const asy_profile *p, asy_origin **out)
{
    bases b = {.no_script = p->script[0] == '\0'};
    bool no_c_calls = asy_words_no_c_calls(p);
    asy_status st = ASY_ENOMEM;

    *out = calloc((size_t)p->func_count + 1, sizeof **out);
    b.work = directory_of(p->directory, "");
    b.script = directory_of(p->directory, p->script);
    if (*out == NULL || b.work == NULL || b.script == NULL) {
        free(*out);
        *out = NULL;
        goto done;
    }
    if (p->directory[0] == '\0') {
        free(b.work);
        b.work = NULL;
    }
    if (b.no_script) {
        free(b.script);
        b.script = NULL;
    }
    for (uint32_t f = 0; f < p->func_count; f++) {
        describe(&p->funcs[f], &b, &(*out)[f]);
        if (p->process_count > 1) {
            join_processes(&p->funcs[f], &(*out)[f]);
        }
        if (no_c_calls && p->funcs[f].kind == ASY_NODE_PY) {
            hide_wait(&(*out)[f]);
        }
    }
    st = ASY_OK;
done:
    free(b.work);
    free(b.script);
    return st;
}
