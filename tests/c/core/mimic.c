// mimic.c: the writing side of an arena, for tests. One mimic belongs to one thread.
#include "mimic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t *mimic_ledger;
uint64_t *mimic_doubles;

static uint64_t
holder(const mimic *m)
{
    return (uint64_t)getpid() << 32 | (m->serial & UINT32_MAX);
}

// Claim a chunk, and say so in the ledger.
static asy_status
claim(mimic *m, uint32_t *index, void **data)
{
    asy_status st = asy_arena_claim(m->arena, m->proc, m->serial, index, data);
    uint64_t nobody = 0;

    if (st == ASY_OK && mimic_ledger != NULL &&
        !__atomic_compare_exchange_n(&mimic_ledger[*index], &nobody, holder(m), false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        __atomic_fetch_add(mimic_doubles, 1, __ATOMIC_RELAXED);
    }
    return st;
}

void
mimic_let_go(mimic *m, uint32_t index)
{
    uint64_t me = holder(m);

    if (mimic_ledger != NULL &&
        !__atomic_compare_exchange_n(&mimic_ledger[index], &me, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        __atomic_fetch_add(mimic_doubles, 1, __ATOMIC_RELAXED);
    }
}

static void
end(mimic *m, uint32_t index)
{
    mimic_let_go(m, index);
    asy_arena_end(m->arena, index);
}

uint64_t
mimic_bytes(uint64_t chunks)
{
    uint64_t n = (chunks + 16) * (ASY_CHUNK_BYTES + sizeof(asy_chunk)) + ASY_PROC_MAX * sizeof(asy_proc);

    while ((n - asy_arena_front_bytes(n)) / ASY_CHUNK_BYTES > chunks) {
        n -= 4096;
    }
    return n;
}

int
mimic_file(uint64_t chunks)
{
    uint64_t bytes = mimic_bytes(chunks);
    int fd = memfd_create("arena", MFD_CLOEXEC);
    void *head;

    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        return -1;
    }
    head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED || asy_arena_format(head, bytes, MIMIC_NONCE) != ASY_OK) {
        return -1;
    }
    munmap(head, 4096);
    return fd;
}

uint32_t
mimic_process(asy_arena *a, uint64_t pid, uint64_t now)
{
    uint32_t slot;

    if (asy_arena_claim_proc(a, pid, 1, 0, &slot) != ASY_OK) {
        return ASY_PROC_MAX;
    }
    __atomic_store_n(&a->procs[slot].start_ticks, now, __ATOMIC_RELAXED);
    __atomic_store_n(&a->procs[slot].python_version, 0x030C0100, __ATOMIC_RELAXED);
    __atomic_store_n(&a->procs[slot].state, ASY_PROC_LIVE, __ATOMIC_RELEASE);
    return slot;
}

static void *
store_chunk(void *ctx, uint32_t kind, uint32_t ordinal)
{
    mimic *m = ctx;
    uint32_t index;
    void *data;

    if (m->other_count == m->other_room) {
        uint32_t room = m->other_room == 0 ? 4 : m->other_room * 2;
        uint32_t *bigger = realloc(m->others, room * sizeof(*bigger));

        if (bigger == NULL) {
            return NULL;
        }
        m->others = bigger;
        m->other_room = room;
    }
    if (claim(m, &index, &data) != ASY_OK) {
        return NULL;
    }
    asy_arena_publish(m->arena, index, kind, ordinal);
    m->others[m->other_count++] = index;
    return data;
}

static void *
store_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void
store_release(void *ctx, void *p, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(p);
}

static void
store_lose(void *ctx, int which, uint64_t n)
{
    mimic *m = ctx;

    asy_arena_lose(m->arena, m->proc, which, n);
}

static uint64_t
store_cpu(void *ctx)
{
    return ((mimic *)ctx)->cpu_ns;
}

static uint64_t
store_ticks(void *ctx)
{
    return ((mimic *)ctx)->now;
}

static uint64_t
store_same(void *ctx, uint64_t v)
{
    (void)ctx;
    return v;
}

bool
mimic_begin(mimic *m, asy_arena *a, uint32_t proc, uint64_t native_id, const char *name, uint64_t gap, uint64_t now)
{
    asy_tree_store store = {m,         store_chunk, store_alloc, store_release, store_lose,
                            store_cpu, store_ticks, store_same,  store_same};
    asy_thread *th;
    void *data;

    memset(m, 0, sizeof(*m));
    m->arena = a;
    m->proc = proc;
    m->serial = __atomic_fetch_add(&a->procs[proc].next_thread, 1, __ATOMIC_RELAXED);
    m->now = now;
    if (claim(m, &m->chunk, &data) != ASY_OK) {
        return false;
    }
    if (asy_tree_begin(&m->tree, data, &store, gap, UINT32_MAX, now) != ASY_OK) {
        end(m, m->chunk);
        return false;
    }
    th = m->tree.thread;
    th->serial = m->serial;
    th->native_id = native_id;
    th->flags = m->serial == 1 ? ASY_THREAD_F_MAIN : 0;
    if (name != NULL) {
        memcpy(th->name, name, strlen(name));
        __atomic_store_n(&th->name_bytes, strlen(name), __ATOMIC_RELEASE);
    }
    m->syms = m->chunk;
    m->syms_at = (uint8_t *)data + ASY_THREAD_SYMS_OFF;
    m->syms_room = ASY_THREAD_SYMS_BYTES;
    asy_arena_publish(a, m->chunk, ASY_KIND_THREAD, 0);
    return true;
}

void
mimic_abandon(mimic *m)
{
    asy_tree_end(&m->tree);
    free(m->others);
    m->others = NULL;
}

void
mimic_end(mimic *m, uint64_t now)
{
    asy_thread *th = m->tree.thread;

    asy_tree_charge(&m->tree, now);
    asy_word_store(&th->end_cpu_ns, m->cpu_ns);
    asy_word_store(&th->end_ticks, now);
    if (m->syms != m->chunk) {
        end(m, m->syms);
    }
    for (uint32_t i = 0; i < m->other_count; i++) {
        end(m, m->others[i]);
    }
    end(m, m->chunk);
    mimic_abandon(m);
}

uint32_t
mimic_new_func(mimic *m)
{
    return (uint32_t)__atomic_fetch_add(&m->arena->procs[m->proc].next_func, 1, __ATOMIC_RELAXED);
}

bool
mimic_symbol(mimic *m, uint32_t func, uint32_t kind, uint32_t line, const asy_text *strings, uint32_t count)
{
    uint32_t size = asy_symbol_size(strings, count);
    uint32_t index;
    void *data;

    if (m->syms_used + size > m->syms_room) {
        if (claim(m, &index, &data) != ASY_OK) {
            return false;
        }
        if (m->syms != m->chunk) {
            end(m, m->syms);
        }
        asy_arena_publish(m->arena, index, ASY_KIND_SYMS, m->syms_ordinal++);
        m->syms = index;
        m->syms_at = data;
        m->syms_used = 0;
        m->syms_room = ASY_CHUNK_BYTES;
    }
    asy_symbol_write(m->syms_at + m->syms_used, func, kind, 0, line, strings, count);
    m->syms_used += size;
    __atomic_store_n(&m->arena->chunks[m->syms].sym_bytes, m->syms_used, __ATOMIC_RELEASE);
    return true;
}

uint32_t
mimic_func(mimic *m, uint32_t kind, const char *name, const char *file, uint32_t line)
{
    asy_text strings[3] = {
        {name, (uint32_t)strlen(name)}, {name, (uint32_t)strlen(name)}, {file, (uint32_t)strlen(file)}};
    uint32_t func = mimic_new_func(m);

    return mimic_symbol(m, func, kind, line, strings, 3) ? func : 0;
}

uint32_t
mimic_call(mimic *m, uint32_t func, uint32_t kind, uint64_t token, uint64_t now)
{
    bool made;
    uint32_t node = asy_tree_child(&m->tree, func, kind, &made);

    m->now = now;
    asy_tree_enter(&m->tree, node, token, kind, now);
    return node;
}

void
mimic_return(mimic *m, uint64_t token, uint64_t now)
{
    m->now = now;
    asy_tree_leave(&m->tree, token, now);
}
