// exec.c: wrappers that hand our variables to programs that can load us, and keep them from others.
// Each public function fills a request; launch() decides on the environment and passes the request on.
// Threads: the table of real functions is written once, before main; everything else is on the stack.
#include "preload/exec.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "preload/dl.h"
#include "preload/environ.h"
#include "preload/loadable.h"

#define PUBLIC __attribute__((visibility("default")))
#define PATH_ROOM 4096
#define ENTRIES_MAX 16384 // environments beyond this are passed as they are
#define ARGUMENTS_MAX 65536

typedef enum { BY_PATH, BY_NAME, BY_FD, SPAWN_PATH, SPAWN_NAME } request_kind;

typedef struct {
    request_kind kind;
    int fd;
    const char *file;
    char *const *argv;
    pid_t *pid;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
} request;

typedef int (*path_fn)(const char *, char *const *, char *const *);
typedef int (*fd_fn)(int, char *const *, char *const *);
typedef int (*spawn_fn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const *, char *const *);

static struct {
    path_fn by_path, by_name;
    fd_fn by_fd;
    spawn_fn spawn_path, spawn_name;
} real;

static const asy_session *ours; // NULL: there is no session
static char ours_entry[sizeof ASY_SESSION_NAME + ASY_SESSION_BYTES];
static uid_t ours_user;
static void (*told)(int about);

void
asy_exec_session(const asy_session *session, const char *value)
{
    snprintf(ours_entry, sizeof ours_entry, ASY_SESSION_NAME "=%s", value);
    ours_user = geteuid();
    ours = session;
}

void
asy_exec_tell(void (*tell)(int about))
{
    told = tell;
}

void
asy_exec_init(void)
{
    real.by_path = (path_fn)asy_dl_next("execve");
    real.by_name = (path_fn)asy_dl_next("execvpe");
    real.by_fd = (fd_fn)asy_dl_next("fexecve");
    real.spawn_path = (spawn_fn)asy_dl_next("posix_spawn");
    real.spawn_name = (spawn_fn)asy_dl_next("posix_spawnp");
}

static int
refuse(int code)
{
    errno = code;
    return -1;
}

static int
pass_on(const request *r, char *const *env)
{
    if (real.by_path == NULL) {
        asy_exec_init(); // another library's constructor came before ours
    }
    switch (r->kind) {
    case BY_PATH: return real.by_path != NULL ? real.by_path(r->file, r->argv, env) : refuse(ENOSYS);
    case BY_NAME: return real.by_name != NULL ? real.by_name(r->file, r->argv, env) : refuse(ENOSYS);
    case BY_FD: return real.by_fd != NULL ? real.by_fd(r->fd, r->argv, env) : refuse(ENOSYS);
    case SPAWN_PATH:
        return real.spawn_path != NULL ? real.spawn_path(r->pid, r->file, r->actions, r->attributes, r->argv, env)
                                       : ENOSYS;
    case SPAWN_NAME:
        return real.spawn_name != NULL ? real.spawn_name(r->pid, r->file, r->actions, r->attributes, r->argv, env)
                                       : ENOSYS;
    }
    return refuse(ENOSYS);
}

// What is here after an exec has failed: errno is its own.
static int
pass_on_told(const request *r, char *const *env)
{
    bool replaces = r->kind == BY_PATH || r->kind == BY_NAME || r->kind == BY_FD;
    int rc, saved;

    if (!replaces || told == NULL) {
        return pass_on(r, env);
    }
    told(1);
    rc = pass_on(r, env);
    saved = errno;
    told(0);
    errno = saved;
    return rc;
}

// The file that a search of PATH would start. False: none.
static bool
search(const char *name, char *path)
{
    const char *dirs = NULL;

    for (char *const *e = environ; e != NULL && *e != NULL; e++) {
        if (strncmp(*e, "PATH=", 5) == 0) {
            dirs = *e + 5;
            break;
        }
    }
    for (dirs = dirs != NULL ? dirs : "/bin:/usr/bin";; dirs++) {
        size_t dir = strcspn(dirs, ":");
        size_t len = strlen(name);

        if (dir + len + 2 <= PATH_ROOM) {
            memcpy(path, dirs, dir);
            path[dir] = '/';
            memcpy(path + dir + (dir > 0), name, len + 1); // an empty item is the working directory
            if (access(path, X_OK) == 0) {
                return true;
            }
        }
        dirs += dir;
        if (*dirs == '\0') {
            return false;
        }
    }
}

static bool
is_named(const char *file, const char *prefix)
{
    const char *slash = file != NULL ? strrchr(file, '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : file;

    return name != NULL && strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool
is_pypy(const char *file)
{
    return is_named(file, "pypy");
}

// "/usr/bin/python3.12" and the like.
static bool
is_python(const char *file)
{
    return is_named(file, "python") || is_pypy(file);
}

// What sudo and the like will start. NULL: no Python.
static const char *
python_argument(char *const *argv)
{
    for (size_t i = 1; argv != NULL && argv[0] != NULL && argv[i] != NULL; i++) {
        if (is_python(argv[i])) {
            return argv[i];
        }
    }
    return NULL;
}

// The file that will be started; `path` has room for it. NULL: by a descriptor, or there is none (a search of PATH tries many).
static const char *
find_file(const request *r, char *path)
{
    if (r->kind == BY_FD || r->file == NULL) {
        return NULL;
    }
    if (r->kind == BY_PATH || r->kind == SPAWN_PATH || strchr(r->file, '/') != NULL) {
        return access(r->file, F_OK) == 0 ? r->file : NULL;
    }
    return search(r->file, path) ? path : NULL;
}

static bool
is_reachable(void)
{
    int fd = geteuid() == ours_user ? -1 : asy_session_open(ours);

    if (fd >= 0) {
        close(fd);
    }
    return geteuid() == ours_user || fd >= 0;
}

// 0: the child can be measured, if it is a Python. Else why not; where it is one, it is named.
static uint64_t
judge(const request *r)
{
    char path[PATH_ROOM];
    const char *file = find_file(r, path);
    uint64_t why = r->kind == BY_FD ? asy_loadable_fd(r->fd) : file != NULL ? asy_loadable_path(file) : 0;
    const char *python = is_python(file) ? file : NULL;

    if (why == 0 && python != NULL && !is_reachable()) {
        why = ASY_REFUSED_USER;
    }
    if (why == ASY_REFUSED_PRIVILEGES && python == NULL) {
        python = python_argument(r->argv);
    }
    if (ours != NULL && python != NULL && why != 0) {
        asy_session_refuse(ours, 0, why, python);
    } else if (ours != NULL && python != NULL && is_pypy(python)) {
        asy_session_refuse(ours, 0, ASY_REFUSED_OTHER, python);
    }
    return why;
}

static int
launch_without(const request *r, char *const *env, asy_environ_size size)
{
    char *clean[size.count + 1];
    char text[size.text + 1];

    asy_environ_strip(env, clean, text);
    return pass_on_told(r, clean);
}

static int
launch_with(const request *r, char *const *env, asy_environ_size size)
{
    char *full[size.count + 3];
    char text[size.text + 1];

    asy_environ_offer(env, ours_entry, full, text);
    return pass_on_told(r, full);
}

// An environment that is too large for the stack, without us: who gets it cannot be measured.
static void
count_python(const request *r, asy_environ_size size)
{
    char path[PATH_ROOM];
    int saved = errno;

    if (ours != NULL && !(size.library && size.session) && is_python(find_file(r, path))) {
        asy_session_lose(ours, ASY_LOSS_EXECS);
    }
    errno = saved;
}

static int
launch(const request *r, char *const *env)
{
    int saved = errno;
    asy_environ_size size = asy_environ_measure(env);
    uint64_t why;

    if (size.count > ENTRIES_MAX || size.text > PATH_ROOM * 8) {
        count_python(r, size);
        return pass_on_told(r, env);
    }
    if (ours == NULL && !size.library && !size.session) {
        return pass_on_told(r, env);
    }
    why = judge(r);
    errno = saved;
    if (why == 0 && ours != NULL && (!size.library || !size.session)) {
        return launch_with(r, env, size);
    }
    return why == 0 || (!size.library && !size.session) ? pass_on_told(r, env) : launch_without(r, env, size);
}

PUBLIC int
execve(const char *path, char *const argv[], char *const envp[])
{
    return launch(&(request){.kind = BY_PATH, .file = path, .argv = argv}, envp);
}

PUBLIC int
execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

PUBLIC int
execvpe(const char *file, char *const argv[], char *const envp[])
{
    return launch(&(request){.kind = BY_NAME, .file = file, .argv = argv}, envp);
}

PUBLIC int
execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

PUBLIC int
fexecve(int fd, char *const argv[], char *const envp[])
{
    return launch(&(request){.kind = BY_FD, .fd = fd, .argv = argv}, envp);
}

PUBLIC int
posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attrp,
            char *const argv[], char *const envp[])
{
    return launch(
        &(request){.kind = SPAWN_PATH, .file = path, .argv = argv, .pid = pid, .actions = actions, .attributes = attrp},
        envp);
}

PUBLIC int
posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attrp,
             char *const argv[], char *const envp[])
{
    return launch(
        &(request){.kind = SPAWN_NAME, .file = file, .argv = argv, .pid = pid, .actions = actions, .attributes = attrp},
        envp);
}

// Arguments of the execl functions up to their NULL, `first` included; more than ARGUMENTS_MAX are refused with 0.
static size_t
count_arguments(const char *first, va_list *list)
{
    size_t n = 0;

    for (const char *a = first; a != NULL; a = va_arg(*list, const char *)) {
        if (++n > ARGUMENTS_MAX) {
            return 0;
        }
    }
    return n + 1;
}

// Leaves the list after the NULL, where execle has its environment: by pointer, for on some machines a list is passed by value.
static void
take_arguments(const char *first, va_list *list, char **argv)
{
    const char *a = first;

    for (; a != NULL; a = va_arg(*list, const char *)) {
        *argv++ = (char *)(uintptr_t)a;
    }
    *argv = NULL;
}

PUBLIC int
execl(const char *path, const char *arg, ...)
{
    va_list list;
    size_t n;

    va_start(list, arg);
    n = count_arguments(arg, &list);
    va_end(list);
    if (n == 0) {
        return refuse(E2BIG);
    }
    char *argv[n];
    va_start(list, arg);
    take_arguments(arg, &list, argv);
    va_end(list);
    return execve(path, argv, environ);
}

PUBLIC int
execlp(const char *file, const char *arg, ...)
{
    va_list list;
    size_t n;

    va_start(list, arg);
    n = count_arguments(arg, &list);
    va_end(list);
    if (n == 0) {
        return refuse(E2BIG);
    }
    char *argv[n];
    va_start(list, arg);
    take_arguments(arg, &list, argv);
    va_end(list);
    return execvpe(file, argv, environ);
}

PUBLIC int
execle(const char *path, const char *arg, ...)
{
    va_list list;
    char *const *env;
    size_t n;

    va_start(list, arg);
    n = count_arguments(arg, &list);
    va_end(list);
    if (n == 0) {
        return refuse(E2BIG);
    }
    char *argv[n];
    va_start(list, arg);
    take_arguments(arg, &list, argv);
    env = va_arg(list, char *const *);
    va_end(list);
    return execve(path, argv, env);
}
