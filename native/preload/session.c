// session.c: find the session, reach its memory.
#include "preload/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/arena.h"

static asy_arena_head *known; // NULL = not mapped here

// A number and what ends it, which is passed over.
static bool
take_number(const char **at, int base, char end, uint64_t *value)
{
    char *stop = NULL;

    *value = strtoull(*at, &stop, base);
    if (stop == *at || *stop != end) {
        return false;
    }
    *at = stop + (end != '\0');
    return true;
}

bool
asy_session_parse(const char *value, asy_session *s)
{
    uint64_t fd = 0;
    const char *at = value;

    memset(s, 0, sizeof *s);
    if (at == NULL || strlen(at) >= ASY_SESSION_BYTES || !take_number(&at, 10, ':', &s->pid) ||
        !take_number(&at, 10, ':', &fd) || !take_number(&at, 16, '\0', &s->nonce) || fd > 0x7fffffff) {
        return false;
    }
    s->fd = (int)fd;
    return true;
}

// Nothing else is opened: the program may have gone, and its pid may be another's.
int
asy_session_open(const asy_session *s)
{
    static const char ours[] = "/memfd:assay";
    char path[64], target[sizeof ours];

    snprintf(path, sizeof path, "/proc/%llu/fd/%d", (unsigned long long)s->pid, s->fd);
    if (readlink(path, target, sizeof target) < (ssize_t)(sizeof ours - 1) ||
        memcmp(target, ours, sizeof ours - 1) != 0) {
        return -1;
    }
    return open(path, O_RDWR | O_CLOEXEC);
}

void
asy_session_know(void *head)
{
    known = head;
}

// NULL: not reachable, or not ours.
static asy_arena_head *
head_map(const asy_session *s)
{
    asy_arena_head *head = known;
    int fd = head == NULL ? asy_session_open(s) : -1;

    if (head != NULL) {
        return head;
    }
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

static void
head_leave(asy_arena_head *head)
{
    if (head != known) {
        munmap(head, sizeof *head);
    }
}

void
asy_session_lose(const asy_session *s, int which)
{
    asy_arena_head *head = head_map(s);

    if (head != NULL) {
        __atomic_fetch_add(&head->losses[which], 1, __ATOMIC_RELAXED);
        head_leave(head);
    }
}

// The row of a reason; the last one takes what there is no other for.
static asy_refusal *
refusal_row(asy_arena_head *head, uint64_t key, bool *fresh)
{
    asy_refusal *row = head->refusals;

    *fresh = false;
    for (uint32_t i = 0; i < ASY_REFUSALS; i++) {
        uint64_t free_key = 0;

        row = &head->refusals[i];
        *fresh = __atomic_compare_exchange_n(&row->key, &free_key, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        if (*fresh || free_key == key) {
            break;
        }
    }
    return row;
}

void
asy_session_refuse(const asy_session *s, uint64_t version, uint64_t why, const char *name)
{
    asy_arena_head *head = head_map(s);
    bool fresh;
    asy_refusal *row;
    size_t len = strlen(name);

    if (head == NULL) {
        return;
    }
    row = refusal_row(head, why | version << 32, &fresh);
    if (fresh) {
        size_t cut = len > ASY_REFUSAL_NAME ? len - ASY_REFUSAL_NAME : 0;

        memcpy(row->name, name + cut, len - cut);
        __atomic_store_n(&row->name_bytes, len - cut, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(&row->count, 1, __ATOMIC_RELEASE);
    head_leave(head);
}
