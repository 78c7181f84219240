// origin.c: project, library or built-in; and the words for waiting.
// Paths are compared as text: a recording may come from another machine.
#include "report/origin.h"

#include <stdlib.h>
#include <string.h>

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

static void
place_python(const asy_profile_func *f, const bases *b, asy_origin *o)
{
    const char *file = f->file;
    const char *library = library_path(file);
    const char *work = below(file, b->work);
    const char *script = below(file, b->script);

    o->place = file;
    if (file[0] == '<' || file[0] == '\0') {
        o->project = (b->no_script && strcmp(file, "<string>") == 0) || strcmp(file, "<stdin>") == 0 ||
                     starts_with(file, "<ipython");
    } else if (library != NULL) {
        o->place = library;
    } else if (work != NULL || script != NULL) {
        o->project = !is_launcher(file);
        o->place = work == NULL || (script != NULL && strlen(b->script) > strlen(b->work)) ? script : work;
    } else if (file[0] != '/') {
        o->project = true; // compiled with a relative name: from where the program ran
    }
}

static bool
is_comprehension(const char *name)
{
    return ends_with(name, "<listcomp>") || ends_with(name, "<dictcomp>") || ends_with(name, "<setcomp>") ||
           ends_with(name, "<genexpr>");
}

// ---- waiting ----

typedef struct {
    const char *text, *wait;
    bool secondary;
} wait_rule;

static bool
is_method_of(const char *name, const char *type)
{
    size_t len = strlen(type);

    return strncmp(name, type, len) == 0 && name[len] == '.';
}

// By the type of a method, then by the name of a function.
static const wait_rule *
find_rule(const asy_profile_func *f)
{
    static const wait_rule types[] = {
        {"lock", "lock", true},
        {"RLock", "lock", true},
        {"_ThreadHandle", "join", true},
        {"SimpleQueue", "queue", true},
        {"_queue.SimpleQueue", "queue", true},
        {"poll", "poll", true},
        {"epoll", "poll", true},
        {"select.epoll", "poll", true},
        {"select.poll", "poll", true},
        {"_thread.lock", "lock", true},
        {"_thread.RLock", "lock", true},
        {"socket", "socket", false},
        {"_socket.socket", "socket", false},
        {"SemLock", "lock", true},
        {"_multiprocessing.SemLock", "lock", true},
    };
    static const wait_rule names[] = {
        {"sleep", "sleep", false},
        {"select", "poll", true},
        {"waitpid", "child process", false},
        {"wait4", "child process", false},
        {"wait3", "child process", false},
        {"waitid", "child process", false},
        {"wait", "child process", false},
        {"fork_exec", "child process", false},
        {"system", "child process", false},
        {"input", "input", false},
        {"sigwait", "signal", false},
        {"pause", "signal", false},
        {"getaddrinfo", "name lookup", false},
        {"open", "file", false},
        {"print", "file", false},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is_method_of(f->name, types[i].text)) {
            return &types[i];
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(f->name, names[i].text) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static bool
is_one_of(const char *s, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(s, *list) == 0) {
            return true;
        }
    }
    return false;
}

static void
name_wait(const asy_profile_func *f, asy_origin *o)
{
    static const char *const files[] = {"_io", "io", "posix", "os", NULL};
    // Modules of the interpreter that only compute: a wait in them is the GIL's or the scheduler's doing.
    static const char *const computing[] = {"",
                                            "builtins",
                                            "sys",
                                            "gc",
                                            "marshal",
                                            "weakref",
                                            "_weakref",
                                            "_weakrefset",
                                            "_imp",
                                            "_thread",
                                            "_abc",
                                            "abc",
                                            "_ast",
                                            "atexit",
                                            "itertools",
                                            "functools",
                                            "_functools",
                                            "operator",
                                            "_operator",
                                            "collections",
                                            "_collections",
                                            "_collections_abc",
                                            "math",
                                            "cmath",
                                            "_random",
                                            "random",
                                            "_sre",
                                            "re",
                                            "_json",
                                            "json",
                                            "_pickle",
                                            "pickle",
                                            "_struct",
                                            "struct",
                                            "array",
                                            "_bisect",
                                            "_heapq",
                                            "_statistics",
                                            "_decimal",
                                            "decimal",
                                            "_datetime",
                                            "datetime",
                                            "_csv",
                                            "csv",
                                            "_string",
                                            "_codecs",
                                            "codecs",
                                            "unicodedata",
                                            "types",
                                            "_types",
                                            "binascii",
                                            "_hashlib",
                                            "hashlib",
                                            "_sha2",
                                            "_md5",
                                            "_blake2",
                                            "zlib",
                                            "_bz2",
                                            "_lzma",
                                            "_warnings",
                                            "_contextvars",
                                            "contextvars",
                                            "_asyncio",
                                            "_symtable",
                                            "_tokenize",
                                            "_opcode",
                                            "_stat",
                                            "_typing",
                                            "typing",
                                            "errno",
                                            "_locale",
                                            "_tracemalloc",
                                            "_monitoring",
                                            "sys.monitoring",
                                            "_elementtree",
                                            "pyexpat",
                                            "_uuid",
                                            NULL};
    const wait_rule *rule = f->kind == ASY_NODE_C ? find_rule(f) : NULL;

    o->wait = f->kind == ASY_NODE_PY ? ASY_WAIT_NO_EVENT : ASY_WAIT_TURN;
    o->turn = true;
    o->secondary = true;
    if (rule != NULL) {
        o->turn = false;
        o->wait = rule->wait;
        o->secondary = rule->secondary;
    } else if (f->kind == ASY_NODE_C && is_one_of(f->module, files)) {
        o->turn = false;
        o->wait = "file";
        o->secondary = false;
    } else if (f->kind == ASY_NODE_C && !is_one_of(f->module, computing)) {
        o->turn = false;
        o->wait = f->module + (f->module[0] == '_' && f->module[1] != '\0');
        o->secondary = false;
    }
}

// Python functions of the standard library in which threads wait for something to do.
static const char *
name_idle(const asy_profile_func *f)
{
    static const struct {
        const char *path, *name, *idle; // name NULL = any
    } rules[] = {
        {"queue.py", NULL, "queue"},
        {"threading.py", "Thread.join", "join"},
        {"threading.py", "Thread._wait_for_tstate_lock", "join"},
        {"threading.py", "_shutdown", "join"},
        {"threading.py", "Event.wait", "event"},
        {"threading.py", "Condition.wait", "condition"},
        {"threading.py", "Condition.wait_for", "condition"},
        {"threading.py", "Barrier.wait", "barrier"},
        {"concurrent/futures/thread.py", "_worker", "queue"},
        {"concurrent/futures/_base.py", NULL, "result"},
        {"concurrent/futures/process.py", NULL, "result"},
        {"selectors.py", NULL, "poll"},
        {"socketserver.py", NULL, "poll"},
        {"multiprocessing/queues.py", NULL, "queue"},
        {"multiprocessing/pool.py", NULL, "queue"},
        {"multiprocessing/popen_fork.py", NULL, "join"},
        {"multiprocessing/connection.py", NULL, "poll"},
    };
    const char *path = library_path(f->file);

    for (size_t i = 0; path != NULL && i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(path, rules[i].path) == 0 && (rules[i].name == NULL || strcmp(f->name, rules[i].name) == 0)) {
            return rules[i].idle;
        }
    }
    return NULL;
}

static void
describe(const asy_profile_func *f, const bases *b, asy_origin *o)
{
    *o = (asy_origin){.place = ""};
    name_wait(f, o);
    if (f->kind == ASY_NODE_PY) {
        place_python(f, b, o);
        o->importing = starts_with(f->file, "<frozen importlib");
        o->place = o->importing ? "importlib" : o->place;
        o->comprehension = is_comprehension(f->name);
        o->idle = name_idle(f);
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
