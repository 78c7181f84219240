// failing.c: see failing.h.
#include "failing.h"

#include <stdbool.h>
#include <stddef.h>

long failing_countdown = -1;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static bool
refused(void)
{
    return failing_countdown >= 0 && failing_countdown-- == 0;
}

void *
__wrap_malloc(size_t n)
{
    return refused() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return refused() ? NULL : __real_realloc(p, n);
}

char *
__wrap_strdup(const char *s)
{
    return refused() ? NULL : __real_strdup(s);
}
