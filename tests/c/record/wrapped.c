// wrapped.c: calls that fail when a test says so.
#include "wrapped.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

wrapped_state wrapped = {.fail_at = -1, .write_fail_at = -1};

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __real_write(int fd, const void *from, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);

static bool
fails(void)
{
    if (wrapped.fail_at < 0) {
        return false;
    }
    wrapped.failed = wrapped.failed || wrapped.fail_at == 0;
    return wrapped.fail_at-- == 0;
}

void *
__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

ZSTD_CCtx *
__wrap_ZSTD_createCCtx(void)
{
    return fails() ? NULL : __real_ZSTD_createCCtx();
}

ZSTD_DCtx *
__wrap_ZSTD_createDCtx(void)
{
    return fails() ? NULL : __real_ZSTD_createDCtx();
}

// Returns false where the call is interrupted. *n becomes what it may move.
static bool
goes_on(size_t *n)
{
    if (!wrapped.halting) {
        return true;
    }
    if (wrapped.calls++ % 2 == 0) {
        errno = EINTR;
        return false;
    }
    *n = *n < 7 ? *n : 7;
    return true;
}

ssize_t
__wrap_read(int fd, void *to, size_t n)
{
    return goes_on(&n) ? __real_read(fd, to, n) : -1;
}

ssize_t
__wrap_write(int fd, const void *from, size_t n)
{
    if (wrapped.write_fail_at >= 0 && wrapped.write_fail_at-- == 0) {
        errno = wrapped.write_errno;
        return -1;
    }
    return goes_on(&n) ? __real_write(fd, from, n) : -1;
}
