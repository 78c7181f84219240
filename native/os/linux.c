// linux.c: os.h for Linux.
// System calls that the C library got late are made by number, so that an older one still loads us.
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

// struct pidfd_info of Linux 6.13, its first 64 bytes; how a process ended is in it since 6.15.
typedef struct {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
} pidfd_end;
#define PIDFD_ASK_END _IOWR(0xFF, 11, pidfd_end)
#define PIDFD_END (1u << 3)

// Beyond it a file that grows brings SIGXFSZ, which is deadly where nobody ignores it.
static uint64_t
size_limit(void)
{
    struct rlimit r;

    return getrlimit(RLIMIT_FSIZE, &r) == 0 ? (uint64_t)r.rlim_cur : UINT64_MAX;
}

static int
shared_size(int fd, uint64_t bytes)
{
    int rc;

    do {
        rc = ftruncate(fd, (off_t)bytes);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

asy_status
asy_os_shared_make(uint64_t bytes, uint64_t least_bytes, int *fd, uint64_t *made_bytes)
{
    asy_status st = ASY_ENOSPC;
    uint64_t limit = size_limit();
    int made = memfd_create("assay", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    *fd = -1;
    if (made < 0) {
        return errno == ENOMEM ? ASY_ENOMEM : ASY_EIO;
    }
    for (uint64_t size = bytes; size >= least_bytes && size > 0; size /= 2) {
        if (size > limit) {
            continue;
        }
        if (shared_size(made, size) == 0) {
            *made_bytes = size;
            st = ASY_OK;
            break;
        }
        if (errno != EFBIG) {
            st = ASY_EIO;
            break;
        }
    }
    // A target that could shrink it would kill the reader by SIGBUS.
    if (st == ASY_OK && fcntl(made, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        st = ASY_EIO;
    }
    if (st != ASY_OK) {
        close(made);
        return st;
    }
    *fd = made;
    return ASY_OK;
}

int
asy_os_process_watch(uint64_t pid, bool *gone)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

    *gone = fd < 0 && errno == ESRCH;
    return fd;
}

// The start of a small file, terminated. False: unreadable or empty.
static bool
read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return false;
    }
    n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

// The fields of /proc/PID/stat after the command name, which may hold spaces and brackets. NULL: gone.
static const char *
stat_fields(uint64_t pid, char *text, size_t size)
{
    char path[64];
    char *end;

    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    if (!read_file(path, text, size)) {
        return NULL;
    }
    end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end + 2 : NULL;
}

uint64_t
asy_os_process_start(uint64_t pid)
{
    char text[1024];
    const char *field = stat_fields(pid, text, sizeof text);

    // What follows the name is field 3; the start time is field 22.
    for (int i = 3; field != NULL && i < 22; i++) {
        field = strchr(field, ' ');
        field = field != NULL ? field + 1 : NULL;
    }
    return field != NULL ? strtoull(field, NULL, 10) : 0;
}

uint64_t
asy_os_process_start_ns(uint64_t pid)
{
    uint64_t ticks = asy_os_process_start(pid), hz = (uint64_t)sysconf(_SC_CLK_TCK);
    struct timespec boot, mono;
    uint64_t ns, asleep;

    if (ticks == 0 || hz == 0) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    asleep = (uint64_t)(boot.tv_sec - mono.tv_sec) * 1000000000u + (uint64_t)boot.tv_nsec - (uint64_t)mono.tv_nsec;
    ns = ticks * (1000000000u / hz);
    return ns > asleep ? ns - asleep : 1;
}

// Of a zombie: field 52 of its line, where we may read it.
static bool
zombie_code(uint64_t pid, int *code)
{
    char text[1024];
    const char *field = stat_fields(pid, text, sizeof text);

    if (field == NULL || *field != 'Z') {
        return false;
    }
    for (int i = 3; field != NULL && i < 52; i++) {
        field = strchr(field, ' ');
        field = field != NULL ? field + 1 : NULL;
    }
    *code = field != NULL ? (int)strtol(field, NULL, 10) : 0;
    return field != NULL;
}

void
asy_os_process_end(int fd, uint64_t pid, int *exited, int *status)
{
    pidfd_end end = {.mask = PIDFD_END};
    int code = 0;

    *exited = *status = 0;
    if (fd >= 0 && ioctl(fd, PIDFD_ASK_END, &end) == 0 && (end.mask & PIDFD_END) != 0) {
        code = end.exit_code;
    } else if (!zombie_code(pid, &code) || code == 0) { // 0 also where it is hidden from us
        return;
    }
    *exited = WIFSIGNALED(code) ? 2 : 1;
    *status = WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code);
}

bool
asy_os_thread_cpu_ns(uint64_t pid, uint64_t thread, uint64_t *ns)
{
    char text[96];
    char *end;
    ssize_t n;
    int fd;

    snprintf(text, sizeof text, "/proc/%llu/task/%llu/schedstat", (unsigned long long)pid, (unsigned long long)thread);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    *ns = strtoull(text, &end, 10);
    return end != text;
}

bool
asy_os_process_stopped(uint64_t pid)
{
    char text[1024];
    const char *field = stat_fields(pid, text, sizeof text);

    return field != NULL && *field == 'T';
}

uint64_t
asy_os_process_pending(uint64_t pid)
{
    static const char name[] = "\nShdPnd:";
    char path[64], text[4096];
    const char *line;

    snprintf(path, sizeof path, "/proc/%llu/status", (unsigned long long)pid);
    if (!read_file(path, text, sizeof text)) {
        return 0;
    }
    line = strstr(text, name);
    return line != NULL ? strtoull(line + sizeof name - 1, NULL, 16) : 0;
}

asy_status
asy_os_die_with_parent(void)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? ASY_OK : ASY_EPERM;
}

void
asy_os_leave_no_core(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0); // the limit does not hold for a program that the kernel would start
}

void
asy_os_close_all(void)
{
    struct rlimit files = {1024, 1024};

    if (syscall(SYS_close_range, 0, ~0u, 0) == 0) {
        return;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    for (rlim_t fd = 0; fd < files.rlim_cur && fd < 65536; fd++) {
        close((int)fd);
    }
}

asy_status
asy_os_program_path(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size);

    if (n < 0) {
        return ASY_ENOENT;
    }
    if ((size_t)n >= size) {
        return ASY_ELIMIT;
    }
    path[n] = '\0';
    return ASY_OK;
}

asy_status
asy_os_random(uint64_t *value)
{
    ssize_t n;

    do {
        n = getrandom(value, sizeof *value, 0);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *value ? ASY_OK : ASY_EIO;
}

int
asy_os_terminal_width(int fd)
{
    struct winsize w;

    if (!isatty(fd)) {
        return 0;
    }
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}
