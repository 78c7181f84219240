// session.c: find the session, reach its memory.
#include "preload/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/arena.h"

static bool
take_number(char **at, int base, uint64_t *value)
{
    char *end = NULL;

    *value = strtoull(*at, &end, base);
    if (end == *at || *end != ':') {
        return false;
    }
    *at = end + 1;
    return true;
}

bool
asy_session_parse(char *value, asy_session *s)
{
    uint64_t fd = 0;
    char *at = value;

    memset(s, 0, sizeof *s);
    if (at == NULL || !take_number(&at, 10, &s->pid) || !take_number(&at, 10, &fd) ||
        !take_number(&at, 16, &s->nonce) || fd > 0x7fffffff) {
        return false;
    }
    s->fd = (int)fd;
    s->word = at;
    s->skip = strcmp(at, ASY_SESSION_SKIP) == 0;
    return s->skip || strcmp(at, ASY_SESSION_TAKE) == 0;
}

int
asy_session_open(const asy_session *s)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%llu/fd/%d", (unsigned long long)s->pid, s->fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

void
asy_session_mark(asy_session *s)
{
    if (s->word != NULL && strcmp(s->word, ASY_SESSION_TAKE) == 0) {
        memcpy(s->word, ASY_SESSION_SKIP, strlen(ASY_SESSION_SKIP));
    }
}

// NULL: not reachable, or not ours.
static asy_arena_head *
head_map(const asy_session *s)
{
    int fd = asy_session_open(s);
    asy_arena_head *head;

    if (fd < 0) {
        return NULL;
    }
    // A file that is shorter than a page would be deadly to read.
    if (lseek(fd, 0, SEEK_END) < (off_t)sizeof *head) {
        close(fd);
        return NULL;
    }
    head = mmap(NULL, sizeof *head, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (head == MAP_FAILED) {
        return NULL;
    }
    if (head->magic != ASY_ARENA_MAGIC || head->abi != ASY_ARENA_ABI || head->nonce != s->nonce) {
        munmap(head, sizeof *head);
        return NULL;
    }
    return head;
}

void
asy_session_lose(const asy_session *s, int which)
{
    asy_arena_head *head = head_map(s);

    if (head != NULL) {
        __atomic_fetch_add(&head->losses[which], 1, __ATOMIC_RELAXED);
        munmap(head, sizeof *head);
    }
}

void
asy_session_refuse(const asy_session *s, uint64_t version, uint64_t why)
{
    asy_arena_head *head = head_map(s);

    if (head != NULL) {
        __atomic_store_n(&head->refused_version, version, __ATOMIC_RELAXED);
        __atomic_store_n(&head->refused_why, why, __ATOMIC_RELAXED);
        __atomic_fetch_add(&head->refused, 1, __ATOMIC_RELEASE);
        munmap(head, sizeof *head);
    }
}
