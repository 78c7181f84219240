// arena.c: one process's view of the shared memory, and the claiming and freeing of its chunks.
// Layout facts come from the file's size, never from the shared head; every shared word is read once and bounded.
// Thread-safe: rows change hands by compare-and-swap, windows are published by compare-and-swap.
#include "core/arena.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // since Linux 5.14; EINVAL before
#endif

#define HEAD_BYTES 4096u
#define PROC_OFF HEAD_BYTES
#define DIR_OFF (PROC_OFF + ASY_PROC_MAX * (uint32_t)sizeof(asy_proc))
#define WINDOW_BYTES ((size_t)ASY_WINDOW_CHUNKS * ASY_CHUNK_BYTES)
#define HOP_WINDOWS 16u // windows passed over by one temporary mapping on the way to a far one

// ---- layout ----

// Where chunks begin. A multiple of the chunk size, so that it is page-aligned whatever the page size is.
static uint64_t
data_off(uint64_t chunk_count)
{
    uint64_t end = DIR_OFF + chunk_count * sizeof(asy_chunk);

    return (end + ASY_CHUNK_BYTES - 1) / ASY_CHUNK_BYTES * ASY_CHUNK_BYTES;
}

// Chunks that a file of this size holds.
static uint64_t
count_chunks(uint64_t size_bytes)
{
    uint64_t most = (uint64_t)ASY_WINDOW_MAX * ASY_WINDOW_CHUNKS;
    uint64_t n;

    if (size_bytes <= DIR_OFF) {
        return 0;
    }
    n = (size_bytes - DIR_OFF) / (ASY_CHUNK_BYTES + sizeof(asy_chunk));
    n = n < most ? n : most;
    while (n > 0 && data_off(n) + n * ASY_CHUNK_BYTES > size_bytes) {
        n--; // at most once: the directory's end was rounded up by less than a chunk
    }
    return n;
}

uint64_t
asy_arena_front_bytes(uint64_t size_bytes)
{
    return data_off(count_chunks(size_bytes));
}

asy_status
asy_arena_format(void *base, uint64_t size_bytes, uint64_t nonce)
{
    asy_arena_head *head = base;
    uint64_t n = count_chunks(size_bytes);

    if (n == 0) {
        return ASY_EINVAL;
    }
    head->abi = ASY_ARENA_ABI;
    head->nonce = nonce;
    head->size_bytes = size_bytes;
    head->proc_off = PROC_OFF;
    head->dir_off = DIR_OFF;
    head->data_off = data_off(n);
    head->chunk_count = n;
    head->next_proc = 1;
    __atomic_store_n(&head->magic, ASY_ARENA_MAGIC, __ATOMIC_RELEASE);
    return ASY_OK;
}

// ---- attaching ----

static asy_status
check_head(const asy_arena_head *head, uint64_t file_bytes, uint64_t nonce)
{
    uint64_t n = count_chunks(file_bytes);

    if (__atomic_load_n(&head->magic, __ATOMIC_ACQUIRE) != ASY_ARENA_MAGIC) {
        return ASY_ECORRUPT;
    }
    if (head->abi != ASY_ARENA_ABI) {
        return ASY_EVERSION;
    }
    if (head->nonce != nonce) {
        return ASY_EPERM;
    }
    if (n == 0 || head->size_bytes != file_bytes || head->proc_off != PROC_OFF || head->dir_off != DIR_OFF ||
        head->data_off != data_off(n) || head->chunk_count != n) {
        return ASY_ECORRUPT;
    }
    return ASY_OK;
}

static asy_status
map_status(void)
{
    return errno == ENOMEM || errno == EAGAIN ? ASY_ENOMEM : errno == EACCES || errno == EPERM ? ASY_EPERM : ASY_EIO;
}

asy_status
asy_arena_attach(asy_arena *a, int fd, uint64_t nonce)
{
    asy_status st;
    struct stat file;
    uint64_t size, front;
    uint8_t *base;

    memset(a, 0, sizeof(*a));
    if (fstat(fd, &file) != 0) {
        return ASY_EIO;
    }
    size = file.st_size > 0 ? (uint64_t)file.st_size : 0;
    if (count_chunks(size) == 0) {
        return ASY_ECORRUPT;
    }
    front = asy_arena_front_bytes(size);
    base = mmap(NULL, front, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return map_status();
    }
    st = check_head((const asy_arena_head *)base, size, nonce);
    if (st != ASY_OK) {
        munmap(base, front);
        return st;
    }
    madvise(base, front, MADV_DONTDUMP); // windows inherit it
    a->head = (asy_arena_head *)base;
    a->procs = (asy_proc *)(base + PROC_OFF);
    a->chunks = (asy_chunk *)(base + DIR_OFF);
    a->front_bytes = front;
    a->chunk_count = count_chunks(size);
    a->mapped_bytes = front;
    return ASY_OK;
}

static uint64_t
window_count(const asy_arena *a)
{
    return (a->chunk_count + ASY_WINDOW_CHUNKS - 1) / ASY_WINDOW_CHUNKS;
}

static size_t
window_bytes(const asy_arena *a, uint64_t w)
{
    uint64_t left = a->chunk_count - w * ASY_WINDOW_CHUNKS;

    return left < ASY_WINDOW_CHUNKS ? (size_t)left * ASY_CHUNK_BYTES : WINDOW_BYTES;
}

void
asy_arena_detach(asy_arena *a)
{
    if (a->head == NULL) {
        return;
    }
    for (uint64_t w = 0; w < window_count(a); w++) {
        if (a->window[w] != NULL) {
            munmap(a->window[w], window_bytes(a, w));
        }
    }
    munmap(a->head, a->front_bytes);
    memset(a, 0, sizeof(*a));
}

void
asy_arena_forked(asy_arena *a)
{
    for (uint64_t w = 0; w < window_count(a); w++) {
        a->populated[w] = 0; // the kernel does not copy page tables of shared mappings
    }
    a->populated_bytes = 0;
}

// ---- windows ----

// Map `len` bytes of the file that begin `skip` bytes after the mapped page at `page`, without a descriptor: the kernel
// doubles a shared mapping when the old size is 0. NULL if it is refused.
static uint8_t *
map_after(uint8_t *page, size_t skip, size_t len)
{
    uint8_t *p = mremap(page, 0, skip + len, MREMAP_MAYMOVE);

    if (p == MAP_FAILED) {
        return NULL;
    }
    if (skip > 0) {
        munmap(p, skip);
    }
    return p + skip;
}

// The page just before window w, in a mapping that the caller drops with munmap if *own. Starts at the nearest mapped
// page below and hops, so that a far window costs little address space on the way. NULL if refused.
static uint8_t *
reach(asy_arena *a, uint64_t w, size_t page_bytes, bool *own)
{
    uint64_t at = w;
    uint8_t *below = NULL;
    uint8_t *page;

    while (at > 0 && (below = __atomic_load_n(&a->window[at - 1], __ATOMIC_ACQUIRE)) == NULL) {
        at--;
    }
    page = at > 0 ? below + WINDOW_BYTES - page_bytes : (uint8_t *)a->head + a->front_bytes - page_bytes;
    *own = false;
    while (at < w) {
        uint64_t hop = w - at < HOP_WINDOWS ? w - at : HOP_WINDOWS;
        uint8_t *next = map_after(page, hop * WINDOW_BYTES, page_bytes);

        if (next == NULL) {
            hop = 1; // little address space left: go slowly
            next = map_after(page, WINDOW_BYTES, page_bytes);
        }
        if (*own) {
            munmap(page, page_bytes);
        }
        if (next == NULL) {
            return NULL;
        }
        page = next;
        *own = true;
        at += hop;
    }
    return page;
}

static uint8_t *
map_window(asy_arena *a, uint64_t w)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t len = window_bytes(a, w);
    bool own;
    uint8_t *page = reach(a, w, page_bytes, &own);
    uint8_t *p;
    uint8_t *now = NULL;

    if (page == NULL) {
        return NULL;
    }
    p = map_after(page, page_bytes, len);
    if (own) {
        munmap(page, page_bytes);
    }
    if (p == NULL) {
        return NULL;
    }
    if (!__atomic_compare_exchange_n(&a->window[w], &now, p, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        munmap(p, len); // another thread was first
        return now;
    }
    __atomic_fetch_add(&a->mapped_bytes, len, __ATOMIC_RELAXED);
    return p;
}

void *
asy_arena_data(asy_arena *a, uint32_t index)
{
    uint64_t w = index / ASY_WINDOW_CHUNKS;
    uint8_t *p;

    if (index >= a->chunk_count) {
        return NULL;
    }
    p = __atomic_load_n(&a->window[w], __ATOMIC_ACQUIRE);
    if (p == NULL) {
        p = map_window(a, w);
    }
    return p == NULL ? NULL : p + (size_t)(index % ASY_WINDOW_CHUNKS) * ASY_CHUNK_BYTES;
}

// ---- claiming ----

void
asy_arena_lose(asy_arena *a, uint32_t proc, int which, uint64_t n)
{
    uint64_t *losses = proc < ASY_PROC_MAX ? a->procs[proc].losses : a->head->losses;

    if (which >= 0 && which < ASY_LOSS_COUNT) {
        __atomic_fetch_add(&losses[which], n, __ATOMIC_RELAXED);
    }
}

asy_status
asy_arena_claim_proc(asy_arena *a, uint64_t pid, uint64_t start_time, uint64_t image, uint32_t *slot)
{
    for (uint32_t i = 0; i < ASY_PROC_MAX; i++) {
        asy_proc *p = &a->procs[i];
        uint64_t free_state = ASY_PROC_FREE;

        if (!__atomic_compare_exchange_n(&p->state, &free_state, ASY_PROC_CLAIMED, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED)) {
            continue;
        }
        memset((uint8_t *)p + sizeof(p->state), 0, sizeof(*p) - sizeof(p->state));
        __atomic_store_n(&p->serial, __atomic_fetch_add(&a->head->next_proc, 1, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        __atomic_store_n(&p->start_time, start_time, __ATOMIC_RELAXED);
        __atomic_store_n(&p->image, image, __ATOMIC_RELAXED);
        __atomic_store_n(&p->next_func, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&p->next_thread, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&p->pid, pid, __ATOMIC_RELEASE);
        *slot = i;
        return ASY_OK;
    }
    return ASY_ELIMIT;
}

// The hint is an index in its low half and the number of frees so far in its high half: a claimer may raise the index only if
// nothing was freed since it looked. That makes it exact, and an exhausted arena is recognised without a scan.
static asy_status
take_row(asy_arena *a, uint64_t word, uint32_t *index)
{
    uint64_t hint = __atomic_load_n(&a->head->free_hint, __ATOMIC_ACQUIRE);
    uint64_t frees = hint & 0xffffffff00000000u;
    uint64_t i;

    for (i = (uint32_t)hint; i < a->chunk_count; i++) {
        uint64_t *state = &a->chunks[i].state;
        uint64_t seen = __atomic_load_n(state, __ATOMIC_RELAXED);

        if (seen == ASY_CHUNK_FREE &&
            __atomic_compare_exchange_n(state, &seen, word, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            break;
        }
    }
    if (i >= a->chunk_count) {
        i = a->chunk_count;
    }
    __atomic_compare_exchange_n(&a->head->free_hint, &hint, frees | (i < a->chunk_count ? i + 1 : i), false,
                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (i >= a->chunk_count) {
        return ASY_ELIMIT;
    }
    *index = (uint32_t)i;
    return ASY_OK;
}

// Touch every page now, so that our share of the resident set is known and no event faults later.
// A kernel without MADV_POPULATE_WRITE leaves it to the first writes.
static asy_status
populate(asy_arena *a, uint32_t index, void *data)
{
    uint64_t bit = 1ull << (index % ASY_WINDOW_CHUNKS);

    if (madvise(data, ASY_CHUNK_BYTES, MADV_POPULATE_WRITE) != 0 && errno != EINVAL && errno != EPERM &&
        errno != ENOSYS) {
        return ASY_ENOMEM; // a write would end in a signal
    }
    if ((__atomic_fetch_or(&a->populated[index / ASY_WINDOW_CHUNKS], bit, __ATOMIC_RELAXED) & bit) == 0) {
        __atomic_fetch_add(&a->populated_bytes, ASY_CHUNK_BYTES, __ATOMIC_RELAXED);
    }
    return ASY_OK;
}

asy_status
asy_arena_claim(asy_arena *a, uint32_t proc, uint64_t thread, uint32_t *index, void **data)
{
    int saved = errno; // called in the middle of a program's own work
    asy_status st;
    uint32_t i;
    void *p;

    st = take_row(a, asy_chunk_word(ASY_CHUNK_OWNED, proc & 0xffffu, thread), &i);
    if (st != ASY_OK) {
        goto refused;
    }
    __atomic_store_n(&a->chunks[i].sym_bytes, 0, __ATOMIC_RELAXED);
    p = asy_arena_data(a, i);
    st = p == NULL ? ASY_ENOMEM : populate(a, i, p);
    if (st != ASY_OK) {
        asy_arena_end(a, i);
        goto refused;
    }
    *index = i;
    *data = p;
    errno = saved;
    return ASY_OK;
refused:
    asy_arena_lose(a, proc, ASY_LOSS_CHUNKS, 1);
    errno = saved;
    return st;
}

void
asy_arena_publish(asy_arena *a, uint32_t index, uint32_t kind, uint32_t ordinal)
{
    asy_chunk *c = &a->chunks[index];

    __atomic_store_n(&c->ordinal, ordinal, __ATOMIC_RELAXED);
    __atomic_store_n(&c->kind, kind, __ATOMIC_RELEASE);
}

void
asy_arena_end(asy_arena *a, uint32_t index)
{
    uint64_t *state = &a->chunks[index].state;
    uint64_t seen = __atomic_load_n(state, __ATOMIC_RELAXED);

    if ((seen & 0xff) == ASY_CHUNK_OWNED) {
        __atomic_compare_exchange_n(state, &seen, (seen & ~0xffull) | ASY_CHUNK_ENDED, false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED);
    }
}

// ---- freeing ----

void
asy_arena_free(asy_arena *a, uint32_t index)
{
    asy_chunk *c;
    uint64_t seen, hint, lower;

    if (index >= a->chunk_count) {
        return;
    }
    c = &a->chunks[index];
    seen = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
    if ((seen & 0xff) != ASY_CHUNK_ENDED) {
        return;
    }
    __atomic_store_n(&c->kind, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&c->read_bytes, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&c->state, ASY_CHUNK_FREE, __ATOMIC_RELEASE);
    hint = __atomic_load_n(&a->head->free_hint, __ATOMIC_RELAXED);
    do {
        lower = (uint32_t)hint < index ? (uint32_t)hint : index;
        lower |= (hint & 0xffffffff00000000u) + (1ull << 32);
    } while (
        !__atomic_compare_exchange_n(&a->head->free_hint, &hint, lower, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

void
asy_arena_free_proc(asy_arena *a, uint32_t slot)
{
    if (slot < ASY_PROC_MAX) {
        __atomic_store_n(&a->procs[slot].pid, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&a->procs[slot].state, ASY_PROC_FREE, __ATOMIC_RELEASE);
    }
}
