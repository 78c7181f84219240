// pstats_file.c: a pstats file's bytes, all at once.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/buffer.h"
#include "record/format.h"
#include "record/pstats.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define DICT '{' // with or without the mark of what is referred to

static int
open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
                            O_NOCTTY); // a pipe that nobody writes to is empty, not waited for

    if (fd >= 0) {
        (void)fcntl(fd, F_SETFL, 0);
    }
    return fd;
}

static bool
is_named_like(const char *path)
{
    static const char *const endings[] = {".prof", ".pstats", ".pstat", ".cprof", ".profile"};
    size_t len = strlen(path);

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);

        if (len > ending && strcmp(path + len - ending, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool
asy_pstats_looks_like(const char *path)
{
    char head[sizeof ASY_FORMAT_MAGIC - 1] = "";
    struct stat st;
    int fd;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return is_named_like(path); // nothing is taken out of a pipe
    }
    fd = open_to_read(path);
    if (fd >= 0) {
        if (pread(fd, head, sizeof head, 0) <= 0) {
            head[0] = '\0';
        }
        (void)close(fd);
    }
    return (head[0] & 0x7f) == DICT || (memcmp(head, ASY_FORMAT_MAGIC, sizeof head) != 0 && is_named_like(path));
}

static asy_status
status_of(int error)
{
    return error == ENOENT || error == ENOTDIR ? ASY_ENOENT
           : error == EACCES || error == EPERM ? ASY_EPERM
           : error == ENOMEM                   ? ASY_ENOMEM
                                               : ASY_EIO;
}

static asy_status
read_file(int fd, asy_buffer *b)
{
    struct stat st;
    size_t piece = PIECE_BYTES;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= ASY_PSTATS_BYTES_MAX) {
        piece = (size_t)st.st_size + 1; // the end shows without another reservation
    }
    while (b->len <= ASY_PSTATS_BYTES_MAX) {
        asy_status made = asy_buffer_reserve(b, piece);
        ssize_t n = made == ASY_OK ? read(fd, b->data + b->len, piece) : 0;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (made != ASY_OK || n <= 0) {
            return made != ASY_OK ? made : n < 0 ? status_of(errno) : ASY_OK;
        }
        b->len += (size_t)n;
    }
    return ASY_OK; // too large, as will be said
}

asy_status
asy_pstats_load_file(const char *path, asy_profile **out, const char **problem)
{
    asy_buffer b = {0};
    int fd = open_to_read(path);
    asy_status st = fd < 0 ? status_of(errno) : read_file(fd, &b);

    *out = NULL;
    *problem = asy_status_text(st);
    if (st == ASY_OK) {
        st = asy_pstats_load_bytes(b.data, b.len, out, problem);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    asy_buffer_free(&b);
    return st;
}
