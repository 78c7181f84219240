// pstats_file.c: a pstats file's bytes, all at once.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/buffer.h"
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

bool
asy_pstats_looks_like(const char *path)
{
    static const char *const names[] = {".prof", ".pstats", ".pstat", ".cprof", ".profile"};
    size_t len = strlen(path);
    struct stat st;
    char first = 0;
    int fd;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (len > strlen(names[i]) && strcmp(path + len - strlen(names[i]), names[i]) == 0) {
            return true;
        }
    }
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    fd = open_to_read(path);
    if (fd >= 0) {
        if (pread(fd, &first, 1, 0) != 1) {
            first = 0;
        }
        (void)close(fd);
    }
    return (first & 0x7f) == DICT;
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
