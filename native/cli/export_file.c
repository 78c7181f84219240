// export_file.c: see export_file.h.
#include "cli/export_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"

#define TRIES_MAX 100

static char interrupted_temp[ASY_PATH_ROOM]; // what a signal has to remove

static void
on_signal(int number)
{
    unlink(interrupted_temp);
    signal(number, SIG_DFL);
    raise(number);
}

static void
watch_signals(const char *temp)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGXFSZ};
    struct sigaction act = {.sa_handler = on_signal}, now;

    snprintf(interrupted_temp, sizeof interrupted_temp, "%s", temp);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
            sigaction(signals[i], signals[i] == SIGXFSZ ? &(struct sigaction){.sa_handler = SIG_IGN} : &act, NULL);
        }
    }
}

static int
refuse(const asy_export_file *f, int why)
{
    return asy_say_refused("%s cannot be written: %s", f->path[0] == '\0' ? "''" : f->path, strerror(why));
}

static int
refuse_existing(const asy_export_file *f)
{
    return asy_say_refused("%s is there already: --force replaces it, -o FILE names another", f->path);
}

// "dir/x.prof" → "dir/.x.prof.1234-0.tmp"
static bool
name_temp(asy_export_file *f, int number)
{
    const char *slash = strrchr(f->path, '/');
    int dir = slash == NULL ? 0 : (int)(slash + 1 - f->path);
    int len = snprintf(f->temp, sizeof f->temp, "%.*s.%.200s.%ld-%d.tmp", dir, f->path, f->path + dir, (long)getpid(),
                       number);

    return len > 0 && len < (int)sizeof f->temp;
}

static int
open_temp(asy_export_file *f)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        if (!name_temp(f, i)) {
            return refuse(f, ENAMETOOLONG);
        }
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0) {
            watch_signals(f->temp);
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    f->temp[0] = '\0';
    return refuse(f, errno);
}

// What is no file is written to as it is. A link that leads to a file is followed, so that the file is replaced and not the link.
static int
look_at(asy_export_file *f, bool *open_as_is)
{
    struct stat st;
    char *real;

    *open_as_is = false;
    if (stat(f->path, &st) != 0) {
        return errno == ENOENT ? 0 : refuse(f, errno);
    }
    if (!S_ISREG(st.st_mode)) {
        *open_as_is = true;
        return S_ISDIR(st.st_mode) ? refuse(f, EISDIR) : 0;
    }
    if (!f->force) {
        return refuse_existing(f);
    }
    if (access(f->path, W_OK) != 0) {
        return refuse(f, errno);
    }
    real = realpath(f->path, NULL);
    if (real != NULL && strlen(real) < sizeof f->path) {
        snprintf(f->path, sizeof f->path, "%s", real);
    }
    free(real);
    return 0;
}

int
asy_export_file_open(asy_export_file *f, const char *path, bool force)
{
    bool as_is;
    int status;

    *f = (asy_export_file){.fd = -1, .force = force};
    if (strcmp(path, "-") == 0) {
        f->standard = true;
        f->fd = STDOUT_FILENO;
        return asy_say_is_closed(STDOUT_FILENO) ? asy_say_refused("this cannot be written: standard output is closed")
                                                : 0;
    }
    if (strlen(path) >= sizeof f->path) {
        return asy_say_refused("%.100s… cannot be written: %s", path, strerror(ENAMETOOLONG));
    }
    snprintf(f->path, sizeof f->path, "%s", path);
    status = look_at(f, &as_is);
    if (status == 0 && as_is) {
        f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        status = f->fd < 0 ? refuse(f, errno) : 0;
    } else if (status == 0) {
        status = open_temp(f);
    }
    return status;
}

// Not over a file that came meanwhile, unless that was asked for.
static int
take_name(asy_export_file *f)
{
    if (f->force) {
        return rename(f->temp, f->path);
    }
    if (renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    return link(f->temp, f->path) == 0 ? unlink(f->temp) : errno == EEXIST ? -1 : rename(f->temp, f->path);
}

int
asy_export_file_keep(asy_export_file *f)
{
    int why;

    if (f->standard) {
        return 0;
    }
    if (close(f->fd) != 0) {
        why = errno;
        f->fd = -1;
        asy_export_file_discard(f);
        return refuse(f, why);
    }
    f->fd = -1;
    if (f->temp[0] != '\0' && take_name(f) != 0) {
        why = errno;
        asy_export_file_discard(f);
        return why == EEXIST ? refuse_existing(f) : refuse(f, why);
    }
    f->temp[0] = '\0';
    return 0;
}

void
asy_export_file_discard(asy_export_file *f)
{
    if (f->fd >= 0 && !f->standard) {
        close(f->fd);
    }
    f->fd = -1;
    if (f->temp[0] != '\0') {
        unlink(f->temp);
    }
    f->temp[0] = '\0';
}
