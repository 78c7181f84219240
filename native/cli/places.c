// places.c: look in the few places where things can be.
#include "cli/places.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "os/os.h"

#define LIBRARY "libassay-preload.so"

// False if it does not fit.
__attribute__((format(printf, 2, 3))) static bool
path_make(char path[ASY_PATH_ROOM], const char *format, ...)
{
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(path, ASY_PATH_ROOM, format, list);
    va_end(list);
    return n >= 0 && n < ASY_PATH_ROOM;
}

// Directory of this program's file, without a slash at its end.
static bool
own_directory(char dir[ASY_PATH_ROOM])
{
    char *slash;

    if (asy_os_program_path(dir, ASY_PATH_ROOM) != ASY_OK) {
        return false;
    }
    slash = strrchr(dir, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return true;
}

static bool
is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

// The library in an installed package beside `dir`: PREFIX/bin → PREFIX/lib/python3.X/site-packages/assay.
static bool
find_installed(const char *dir, char path[ASY_PATH_ROOM])
{
    char pattern[ASY_PATH_ROOM];
    glob_t found;
    bool ok = false;

    if (!path_make(pattern, "%s/../lib*/python3*/*-packages/assay/" LIBRARY, dir)) {
        return false;
    }
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        // realpath: the loader's name for it is shown in maps, and must not depend on where we were started.
        ok = found.gl_pathc > 0 && realpath(found.gl_pathv[0], path) != NULL;
        globfree(&found);
    }
    return ok;
}

static bool
find_library(char path[ASY_PATH_ROOM])
{
    const char *asked = getenv("ASSAY_LIBDIR");
    char dir[ASY_PATH_ROOM], resolved[ASY_PATH_ROOM];

    if (asked != NULL && *asked != '\0') {
        return realpath(asked, resolved) != NULL && path_make(path, "%s/" LIBRARY, resolved) && is_file(path);
    }
    if (!own_directory(dir)) {
        return false;
    }
    if (find_installed(dir, path)) {
        return true;
    }
    return path_make(path, "%s/../../stage/assay", dir) && realpath(path, resolved) != NULL &&
           path_make(path, "%s/" LIBRARY, resolved) && is_file(path);
}

int
asy_places_preload(char path[ASY_PATH_ROOM])
{
    if (!find_library(path)) {
        return asy_say_refused("cannot find " LIBRARY " (set ASSAY_LIBDIR to the directory that holds it)");
    }
    if (strpbrk(path, " :") != NULL) {
        return asy_say_refused("cannot be used from %s: a preloaded library's path may hold no space or colon", path);
    }
    return 0;
}

int
asy_places_dropin(char path[ASY_PATH_ROOM])
{
    char library[ASY_PATH_ROOM];

    if (!find_library(library)) {
        return asy_say_refused("cannot find " LIBRARY " (set ASSAY_LIBDIR to the directory that holds it)");
    }
    *strrchr(library, '/') = '\0';
    return path_make(path, "%s/dropin", library) && access(path, F_OK) == 0
               ? 0
               : asy_say_refused("there is no drop-in in %s", library);
}

// ---- commands ----

static bool
is_runnable(const char *path)
{
    return is_file(path) && access(path, X_OK) == 0;
}

// 0, or the errno that a search of PATH would end with.
static int
search(const char *name, char path[ASY_PATH_ROOM])
{
    const char *dirs = getenv("PATH");
    int why = ENOENT;

    for (dirs = dirs != NULL ? dirs : "/bin:/usr/bin";; dirs++) {
        int len = (int)strcspn(dirs, ":");

        if (path_make(path, "%.*s%s%s", len, dirs, len > 0 ? "/" : "", name)) {
            if (is_runnable(path)) {
                return 0;
            }
            why = is_file(path) ? EACCES : why;
        }
        dirs += len;
        if (*dirs == '\0') {
            return why;
        }
    }
}

int
asy_places_command(const char *name, char path[ASY_PATH_ROOM])
{
    int why = 0;

    if (strchr(name, '/') == NULL) {
        why = search(name, path);
    } else if (!path_make(path, "%s", name)) {
        why = ENAMETOOLONG;
    } else if (!is_runnable(path)) {
        why = access(path, F_OK) != 0 ? errno : EACCES;
    }
    if (why == ENOENT || why == ENOTDIR) {
        asy_say("there is no command %s", *name != '\0' ? name : "''");
        return 127;
    }
    if (why != 0) {
        asy_say("cannot run %s: %s", name, strerror(why));
        return 126;
    }
    return 0;
}

// ---- the interpreter ----

// An ELF file without a trace of an interpreter in it is none. A script may start one; what cannot be read may be one.
static bool
may_be_python(const char *path)
{
    static const char *const traces[] = {"Py_BytesMain", "Py_Main", "libpython", "pypy"};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool may = true;
    void *bytes;

    if (fd < 0) {
        return true;
    }
    if (fstat(fd, &st) == 0 && st.st_size > 64) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            may = memcmp(bytes, "\177ELF", 4) != 0;
            for (size_t i = 0; !may && i < sizeof traces / sizeof *traces; i++) {
                may = memmem(bytes, (size_t)st.st_size, traces[i], strlen(traces[i])) != NULL;
            }
            munmap(bytes, (size_t)st.st_size);
        }
    }
    close(fd);
    return may;
}

static bool
find_python(char path[ASY_PATH_ROOM])
{
    const char *venv = getenv("VIRTUAL_ENV");
    char dir[ASY_PATH_ROOM];

    if (own_directory(dir) && path_make(path, "%s/python3", dir) && is_runnable(path)) {
        return true;
    }
    if (venv != NULL && *venv != '\0' && path_make(path, "%s/bin/python", venv) && is_runnable(path)) {
        return true;
    }
    return search("python3", path) == 0;
}

int
asy_places_python(const char *asked, char path[ASY_PATH_ROOM])
{
    if (asked == NULL) {
        return find_python(path) ? 0 : asy_say_refused("there is no python3 on PATH: name one with --python");
    }
    if (strchr(asked, '/') == NULL ? search(asked, path) != 0 : !path_make(path, "%s", asked) || !is_runnable(path)) {
        return asy_say_refused("there is no interpreter %s", *asked != '\0' ? asked : "''");
    }
    if (!may_be_python(path)) {
        return asy_say_refused("%s is not a Python", asked);
    }
    return 0;
}

// ---- the recording ----

// "reports/nightly.py" → "nightly"; "pkg.jobs" → "jobs"; "/usr/bin/pytest" → "pytest".
static void
stem(const asy_run_options *o, char name[ASY_PATH_ROOM])
{
    const char *from = "python";
    size_t len;
    const char *dot;

    if (o->kind == ASY_RUN_MODULE) {
        dot = strrchr(o->target, '.');
        from = dot != NULL ? dot + 1 : o->target;
    } else if (o->kind == ASY_RUN_SCRIPT || o->kind == ASY_RUN_COMMAND) {
        from = o->target;
    }
    len = strlen(from);
    while (len > 0 && from[len - 1] == '/') {
        len--;
    }
    for (size_t i = len; i > 0; i--) {
        if (from[i - 1] == '/') {
            from += i;
            len -= i;
            break;
        }
    }
    dot = memrchr(from, '.', len);
    if (dot != NULL && dot != from && o->kind == ASY_RUN_SCRIPT) {
        len = (size_t)(dot - from);
    }
    if (len == 0 || len > NAME_MAX - 16 || strncmp(from, "..", len) == 0) {
        from = "python";
        len = strlen(from);
    }
    snprintf(name, ASY_PATH_ROOM, "%.*s", (int)len, from);
}

int
asy_places_recording(const asy_run_options *o, char path[ASY_PATH_ROOM])
{
    char name[ASY_PATH_ROOM];
    bool fits;

    if (o->output == NULL) {
        stem(o, name);
        fits = path_make(path, "%s.assay", name);
    } else {
        fits = path_make(path, "%s", o->output);
    }
    return fits && *path != '\0'
               ? 0
               : asy_say_refused("this is no name for a file: '%s'", o->output != NULL ? o->output : name);
}
