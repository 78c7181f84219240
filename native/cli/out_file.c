// out_file.c: take a name for the recording, hold it, and look at the end what became of it.
// Who holds the lock of a file may rename it; a name is taken only when the locked file still has it.
#include "cli/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "record/format.h"

#define SUFFIX ".assay"
#define NAMES_MAX 1000 // x.2.assay … x.999.assay
#define TRIES_MAX 100  // each needs another run that renames at the same moment
#define ROOM_BYTES (1u << 20)
#define ROOM_LEAST_BYTES (1u << 14)

typedef enum { TAKEN, IN_USE, AGAIN, REFUSED } outcome;

// ---- names ----

// "x.assay" with "old" → "x.old.assay"; "x" → "x.old". False: it does not fit.
static bool
name_with(const char *path, const char *word, char out[ASY_PATH_ROOM])
{
    size_t n = strlen(path), suffix = strlen(SUFFIX);
    bool suffixed = n > suffix && strcmp(path + n - suffix, SUFFIX) == 0;
    int len =
        snprintf(out, ASY_PATH_ROOM, "%.*s.%s%s", (int)(suffixed ? n - suffix : n), path, word, suffixed ? SUFFIX : "");

    return len > 0 && len < ASY_PATH_ROOM;
}

// "dir/x.old.assay" → "dir/.x.old.assay.kept". False: it does not fit.
static bool
name_hidden(const char *path, char out[ASY_PATH_ROOM])
{
    const char *slash = strrchr(path, '/');
    int dir = slash != NULL ? (int)(slash + 1 - path) : 0;
    int len = snprintf(out, ASY_PATH_ROOM, "%.*s.%s.kept", dir, path, path + dir);

    return len > 0 && len < ASY_PATH_ROOM;
}

static bool
is_file_of(int fd, const struct stat *named)
{
    struct stat own;

    return fstat(fd, &own) == 0 && own.st_dev == named->st_dev && own.st_ino == named->st_ino;
}

static bool
has_name(int fd, const char *path)
{
    struct stat named;

    return stat(path, &named) == 0 && is_file_of(fd, &named);
}

// ---- refusals ----

static int
refuse_errno(const char *path, int why, bool named)
{
    const char *slash = strrchr(path, '/');
    int len = slash != NULL ? (int)(slash - path) : 0;
    char dir[ASY_PATH_ROOM];

    snprintf(dir, sizeof dir, "%.*s", len, path);
    if (len > 0 && why == ENOENT && access(dir, F_OK) != 0) {
        return asy_say_refused("there is no directory %s for the recording", dir);
    }
    return asy_say_refused("cannot write the recording %s: %s%s", path, strerror(why),
                           named ? "" : " (-o FILE writes it elsewhere)");
}

static const char *
kind_name(mode_t mode)
{
    return S_ISDIR(mode) ? "directory" : S_ISFIFO(mode) ? "pipe" : S_ISSOCK(mode) ? "socket" : "device";
}

static int
refuse_kind(const char *path, mode_t mode)
{
    return asy_say_refused("%s is a %s: a recording needs the name of a file (-o FILE)", path, kind_name(mode));
}

static int
refuse_stranger(const char *path)
{
    return asy_say_refused("%s is there and is no recording: remove it, or name another file with -o", path);
}

// ---- one file ----

// False: another run holds it.
static bool
lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

// A recording, or one in the making.
static bool
is_recording(int fd)
{
    char head[sizeof ASY_FORMAT_MAGIC - 1];

    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, ASY_FORMAT_MAGIC, sizeof head) == 0;
}

// To look at what is there; -1: it cannot be read.
static int
open_to_look(const char *path)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : fd;
}

// May the file `old` be written over? TAKEN: yes.
static outcome
look_at_old(const char *old)
{
    struct stat st;
    outcome out = TAKEN;
    int fd;

    if (lstat(old, &st) != 0) {
        return TAKEN;
    }
    fd = S_ISREG(st.st_mode) ? open_to_look(old) : -1;
    if (fd >= 0 && !lock(fd)) {
        out = IN_USE;
    } else if (fd < 0 || (st.st_size > 0 && !is_recording(fd))) {
        out = REFUSED;
    }
    if (fd >= 0) {
        close(fd);
    }
    return out;
}

// f->old is about to be replaced: move what is there. Where that cannot be, it is replaced for good.
static void
put_aside(asy_out_file *f)
{
    if (!name_hidden(f->old, f->older) || look_at_old(f->older) != TAKEN || rename(f->old, f->older) != 0) {
        f->older[0] = '\0';
    }
}

// Not over another file. `from` is "" afterwards.
static void
rename_back(char *from, const char *to)
{
    struct stat st;

    if (*from != '\0' && renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0 && errno == EINVAL &&
        lstat(to, &st) != 0) {
        rename(from, to); // a file system without that flag
    }
    from[0] = '\0';
}

// `fd` is what is at the path now, locked, and not empty: keep it under its older name.
static outcome
keep_old(asy_out_file *f, int fd, bool named, int *rc)
{
    struct stat link;
    outcome out;

    // Behind a link (/dev/stdout is one) only what is empty is written over.
    if (lstat(f->path, &link) != 0 || S_ISLNK(link.st_mode) || !is_recording(fd)) {
        *rc = refuse_stranger(f->path);
        return REFUSED;
    }
    if (!name_with(f->path, "old", f->old)) {
        *rc = refuse_errno(f->path, ENAMETOOLONG, named);
        return REFUSED;
    }
    out = look_at_old(f->old);
    if (out == REFUSED) {
        *rc = refuse_stranger(f->old);
    } else if (out == TAKEN) {
        put_aside(f);
        if (rename(f->path, f->old) == 0) {
            return AGAIN;
        }
        *rc = refuse_errno(f->path, errno, named);
        rename_back(f->older, f->old);
        out = REFUSED;
    }
    f->old[0] = '\0';
    return out;
}

// What is at the path, opened: take it if it is empty. It is closed unless it is taken.
static outcome
take_opened(asy_out_file *f, int fd, bool named, int *rc)
{
    struct stat st = {0};
    outcome out = TAKEN;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *rc = refuse_kind(f->path, st.st_mode);
        out = REFUSED;
    } else if (!lock(fd)) {
        out = IN_USE;
    } else if (!has_name(fd, f->path) || fstat(fd, &st) != 0) {
        out = AGAIN; // it was moved meanwhile
    } else if (st.st_size > 0) {
        out = keep_old(f, fd, named, rc);
    } else if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        *rc = refuse_errno(f->path, EACCES, named);
        out = REFUSED;
    }
    if (out != TAKEN) {
        close(fd);
        return out;
    }
    f->fd = fd;
    return TAKEN;
}

static outcome
take_path(asy_out_file *f, bool named, int *rc)
{
    struct stat st;
    int fd, why;

    // Before it is opened: that could wait, or move a tape.
    if (stat(f->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        *rc = refuse_kind(f->path, st.st_mode);
        return REFUSED;
    }
    fd = open(f->path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    why = errno;
    if (fd < 0) {
        fd = open(f->path,
                  O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY); // a recording may be protected and still be kept
    }
    if (fd < 0) {
        *rc = refuse_errno(f->path, why, named);
        return REFUSED;
    }
    return take_opened(f, fd, named, rc);
}

// The first name that nothing has: x.2.assay, x.3.assay, … 0, or an errno.
static int
take_next(asy_out_file *f)
{
    char number[16];

    for (int n = 2; n < NAMES_MAX; n++) {
        snprintf(number, sizeof number, "%d", n);
        if (!name_with(f->asked, number, f->path)) {
            return ENAMETOOLONG;
        }
        f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0 && lock(f->fd)) {
            return 0;
        }
        if (f->fd >= 0) {
            close(f->fd); // another run was asked for this name
            f->fd = -1;
        } else if (errno != EEXIST) {
            return errno;
        }
    }
    return EEXIST;
}

// Room that nobody else can take, so that a disk that others fill does not cost a recording of usual size. 0, or an errno: there
// is none even for a small one.
static int
reserve(int fd)
{
    for (off_t bytes = ROOM_BYTES; bytes >= ROOM_LEAST_BYTES; bytes /= 2) {
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0) {
            return 0;
        }
        if (errno != ENOSPC && errno != EDQUOT) {
            return 0; // a file system that cannot say
        }
    }
    return errno;
}

static int
begin(asy_out_file *f, bool named)
{
    int why = reserve(f->fd);

    if (why == 0) {
        return 0;
    }
    asy_out_file_put_back(f);
    return refuse_errno(f->path, why, named);
}

int
asy_out_file_open(asy_out_file *f, const char *path, bool named)
{
    outcome out = AGAIN;
    int rc = 0, why;

    f->fd = -1;
    f->old[0] = f->older[0] = '\0';
    snprintf(f->asked, sizeof f->asked, "%s", path);
    snprintf(f->path, sizeof f->path, "%s", path);
    for (int i = 0; i < TRIES_MAX && out == AGAIN; i++) {
        out = take_path(f, named, &rc);
    }
    if (out == REFUSED) {
        asy_out_file_put_back(f);
        return rc;
    }
    if (out != TAKEN) {
        asy_out_file_keep(f);
        f->old[0] = '\0'; // what we have put aside is the older one of whoever has the name now
        why = take_next(f);
        if (why != 0) {
            return refuse_errno(f->path, why, named);
        }
    }
    return begin(f, named);
}

void
asy_out_file_keep(asy_out_file *f)
{
    if (f->older[0] != '\0') {
        unlink(f->older);
        f->older[0] = '\0';
    }
}

void
asy_out_file_put_back(asy_out_file *f)
{
    struct stat named;
    char old[ASY_PATH_ROOM];

    // Not through a link: what it points to was there before us.
    if (f->fd >= 0 && lstat(f->path, &named) == 0 && is_file_of(f->fd, &named)) {
        unlink(f->path);
    }
    memcpy(old, f->old, sizeof old);
    rename_back(f->old, f->asked);
    rename_back(f->older, old);
}

// ---- the end ----

// The name that the kernel knows, without the directory where that is ours. False: there is none.
static bool
find_name(asy_out_file *f)
{
    char own[64], name[ASY_PATH_ROOM], here[ASY_PATH_ROOM];
    size_t len = 0;
    ssize_t n;

    snprintf(own, sizeof own, "/proc/self/fd/%d", f->fd);
    n = readlink(own, name, sizeof name - 1);
    if (n <= 0) {
        return false;
    }
    name[n] = '\0';
    if (!has_name(f->fd, name)) {
        return false;
    }
    if (getcwd(here, sizeof here) != NULL && strncmp(name, here, strlen(here)) == 0 && name[strlen(here)] == '/') {
        len = strlen(here) + 1;
    }
    memcpy(f->path, name + len, (size_t)n + 1 - len);
    return true;
}

static bool
copy(int from, int to)
{
    struct stat st;
    off_t at = 0;

    if (fstat(from, &st) != 0) {
        return false;
    }
    while (at < st.st_size) {
        if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0) {
            return false;
        }
    }
    return true;
}

// The kernel links no file again that has lost its last name: its bytes go to a new one, not over another.
static bool
write_again(asy_out_file *f)
{
    int removed = f->fd;
    bool done;

    snprintf(f->path, sizeof f->path, "%s", f->asked);
    f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0 && (errno != EEXIST || take_next(f) != 0)) {
        f->fd = removed;
        return false;
    }
    done = copy(removed, f->fd);
    if (!done) {
        unlink(f->path);
        close(f->fd);
        f->fd = removed;
    } else {
        close(removed);
    }
    return done;
}

asy_out_file_state
asy_out_file_settle(asy_out_file *f)
{
    struct stat st;

    asy_out_file_keep(f);
    if (fstat(f->fd, &st) == 0 && ftruncate(f->fd, st.st_size) != 0) {
        errno = 0; // what was reserved stays
    }
    if (has_name(f->fd, f->path)) {
        return ASY_OUT_FILE_THERE;
    }
    if (find_name(f)) {
        return ASY_OUT_FILE_MOVED;
    }
    return write_again(f) ? ASY_OUT_FILE_AGAIN : ASY_OUT_FILE_REMOVED;
}
