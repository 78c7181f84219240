// child.c: fork and exec, with everything put back that we had changed.
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "preload/session.h" // the session's variable

// What somebody may send to our pid and mean the program by it; the real-time signals as well.
static const int handled[] = {SIGCHLD, SIGINT,  SIGQUIT,   SIGTERM, SIGHUP, SIGUSR1,  SIGUSR2, SIGTSTP, SIGCONT,
                              SIGALRM, SIGPROF, SIGVTALRM, SIGIO,   SIGPWR, SIGWINCH, SIGURG,  SIGXCPU, SIGTRAP};

static void
widen(int which, struct rlimit *given)
{
    struct rlimit wide;

    getrlimit((__rlimit_resource_t)which, given);
    wide = *given;
    wide.rlim_cur = wide.rlim_max;
    setrlimit((__rlimit_resource_t)which, &wide);
}

static void
fill_handled(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        sigaddset(set, handled[i]);
    }
    for (int n = SIGRTMIN; n <= SIGRTMAX; n++) {
        sigaddset(set, n);
    }
}

void
asy_child_prepare(asy_child_given *given, int *signal_fd)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigset_t set;

    fill_handled(&set);
    sigprocmask(SIG_BLOCK, &set, &given->mask);
    sigaction(SIGPIPE, &ignore, &given->pipe);
    sigaction(SIGXFSZ, &ignore, &given->xfsz);
    sigaction(SIGCHLD, &standard, &given->chld); // where it is ignored, children leave no status
    widen(RLIMIT_FSIZE, &given->file_size);
    widen(RLIMIT_AS, &given->address_space);
    *signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
asy_child_heed_signals(const asy_child_given *given)
{
    struct timespec now = {0, 0};
    sigset_t set;

    fill_handled(&set);
    while (sigtimedwait(&set, NULL, &now) > 0) {
    }
    sigprocmask(SIG_SETMASK, &given->mask, NULL);
}

static void
give_back(const asy_child_given *given)
{
    setrlimit(RLIMIT_FSIZE, &given->file_size);
    setrlimit(RLIMIT_AS, &given->address_space);
    sigaction(SIGPIPE, &given->pipe, NULL);
    sigaction(SIGXFSZ, &given->xfsz, NULL);
    sigaction(SIGCHLD, &given->chld, NULL);
    sigprocmask(SIG_SETMASK, &given->mask, NULL);
}

// `library` is an item of the list already (one assay run inside another).
static bool
is_listed(const char *list, const char *library)
{
    size_t len = strlen(library);

    for (const char *item = list; *item != '\0';) {
        size_t n = strcspn(item, ": ");

        if (n == len && strncmp(item, library, n) == 0) {
            return true;
        }
        item += n + (item[n] != '\0');
    }
    return false;
}

static char *
preload_entry(const char *old, const char *library)
{
    char *entry = NULL;
    int n;

    if (old == NULL) {
        n = asprintf(&entry, "LD_PRELOAD=%s", library);
    } else if (is_listed(old, library)) {
        n = asprintf(&entry, "LD_PRELOAD=%s", old);
    } else {
        n = asprintf(&entry, "LD_PRELOAD=%s:%s", old, library);
    }
    return n < 0 ? NULL : entry;
}

char **
asy_child_environ(char *const *env, const char *library, const char *session)
{
    const char *name = "LD_PRELOAD=";
    char *preload = NULL, *variable = NULL;
    char **out;
    size_t n = 0, kept = 0;

    while (env[n] != NULL) {
        n++;
    }
    out = calloc(n + 3, sizeof *out);
    if (out == NULL || asprintf(&variable, ASY_SESSION_NAME "=%s", session) < 0) {
        free(out);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (strncmp(env[i], ASY_SESSION_NAME "=", strlen(ASY_SESSION_NAME) + 1) == 0) {
            continue;
        }
        out[kept] = env[i];
        if (strncmp(env[i], name, strlen(name)) == 0 && preload == NULL) {
            preload = out[kept] = preload_entry(env[i] + strlen(name), library);
        }
        kept++;
    }
    if (preload == NULL) {
        preload = out[kept++] = preload_entry(NULL, library);
    }
    out[kept] = variable;
    if (preload == NULL) {
        free(variable);
        free(out);
        return NULL;
    }
    return out;
}

// Text without "#!" is a shell's, as for execvp; bash too takes a NUL in the first line for a sign of something else.
static bool
is_text(const char *path)
{
    char head[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;
    const char *end;

    if (fd >= 0) {
        close(fd);
    }
    if (n < 0) {
        return false;
    }
    end = memchr(head, '\n', (size_t)n);
    return memchr(head, '\0', end != NULL ? (size_t)(end - head) : (size_t)n) == NULL;
}

static void
exec_shell(const char *path, char *const *argv, char *const *env)
{
    size_t n = 0;

    while (argv[n] != NULL) {
        n++;
    }
    char *shell[n + 2]; // "/bin/sh", path, and what follows argv[0]
    shell[0] = (char *)(uintptr_t) "/bin/sh";
    memcpy(shell + 1, argv, (n + 1) * sizeof *argv);
    shell[1] = (char *)(uintptr_t)path;
    execve(shell[0], shell, env);
}

static void
exec_or_tell(const asy_child_given *given, int pipe_fd, const char *path, char *const *argv, char *const *env)
{
    int why;

    give_back(given);
    execve(path, argv, env);
    why = errno;
    if (why == ENOEXEC && is_text(path)) {
        exec_shell(path, argv, env);
    }
    if (write(pipe_fd, &why, sizeof why) < 0) {
        _exit(126);
    }
    _exit(127);
}

int
asy_child_start(const asy_child_given *given, const char *path, char *const *argv, char *const *env, pid_t *pid)
{
    int ends[2], why = 0;
    ssize_t n;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    *pid = fork();
    if (*pid < 0) {
        why = errno;
        close(ends[0]);
        close(ends[1]);
        return why;
    }
    if (*pid == 0) {
        exec_or_tell(given, ends[1], path, argv, env);
    }
    close(ends[1]);
    do {
        n = read(ends[0], &why, sizeof why); // nothing comes when the exec succeeds
    } while (n < 0 && errno == EINTR);
    close(ends[0]);
    return n == (ssize_t)sizeof why ? why : 0;
}
