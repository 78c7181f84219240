// arena_test.c: claims about one arena in one process; arena_stress.c has the many.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/arena.h"

#define NONCE 77u

static int
new_file(uint64_t bytes)
{
    int fd = memfd_create("arena", MFD_CLOEXEC);
    void *head;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(head, MAP_FAILED);
    assert_int_equal(asy_arena_format(head, bytes, NONCE), ASY_OK);
    munmap(head, 4096);
    return fd;
}

static uint64_t
bytes_for(uint64_t chunks)
{
    uint64_t n = (chunks + 64) * (ASY_CHUNK_BYTES + 64) + ASY_PROC_MAX * sizeof(asy_proc);
    uint64_t front;

    for (;; n -= 4096) {
        front = asy_arena_front_bytes(n);
        if ((n - front) / ASY_CHUNK_BYTES == chunks) {
            return front + chunks * ASY_CHUNK_BYTES;
        }
    }
}

static asy_arena *
attached(uint64_t chunks)
{
    static asy_arena a;
    int fd = new_file(bytes_for(chunks));

    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_OK);
    close(fd);
    assert_int_equal(a.chunk_count, chunks);
    return &a;
}

static void
a_file_too_small_for_one_chunk_is_refused(void **state)
{
    char page[4096] = {0};

    (void)state;
    assert_int_equal(asy_arena_format(page, 0, 1), ASY_EINVAL);
    assert_int_equal(asy_arena_format(page, 65536, 1), ASY_EINVAL);
    assert_int_equal(asy_arena_format(page, asy_arena_front_bytes(1 << 20), 1), ASY_EINVAL);
}

static void
every_size_holds_its_front_and_its_chunks(void **state)
{
    _Alignas(asy_arena_head) char page[4096];

    (void)state;
    for (uint64_t size = 600000; size < 80u << 20; size = size * 21 / 20 + 4099) {
        asy_arena_head *h = (asy_arena_head *)page;

        memset(page, 0, sizeof(page));
        if (asy_arena_format(page, size, 1) != ASY_OK) {
            assert_true(size < 800000);
            continue;
        }
        assert_true(h->dir_off + h->chunk_count * sizeof(asy_chunk) <= h->data_off);
        assert_true(h->data_off + h->chunk_count * ASY_CHUNK_BYTES <= size);
        assert_true(h->data_off + (h->chunk_count + 2) * ASY_CHUNK_BYTES > size);
        assert_int_equal(h->data_off, asy_arena_front_bytes(size));
    }
}

static void
attach_checks_the_head(void **state)
{
    static asy_arena a;
    uint64_t size = bytes_for(10);
    int fd = new_file(size);
    uint64_t *head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    (void)state;
    assert_int_equal(asy_arena_attach(&a, fd, NONCE + 1), ASY_EPERM);
    for (size_t i = 0; i < offsetof(asy_arena_head, free_hint) / 8; i++) {
        head[i] ^= 1;
        assert_int_not_equal(asy_arena_attach(&a, fd, NONCE), ASY_OK);
        head[i] ^= 1;
    }
    head[1] ^= 1;
    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_EVERSION);
    head[1] ^= 1;
    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_OK);
    asy_arena_detach(&a);
    assert_int_equal(ftruncate(fd, (off_t)size - 4096), 0);
    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_ECORRUPT);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_ECORRUPT);
    assert_int_equal(asy_arena_attach(&a, -1, NONCE), ASY_EIO);
    close(fd);
}

static void
chunks_lie_where_the_layout_says(void **state)
{
    uint64_t size = bytes_for(200);
    int fd = new_file(size);
    static asy_arena a;
    const uint8_t *whole = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    uint64_t front = asy_arena_front_bytes(size);

    (void)state;
    assert_int_equal(asy_arena_attach(&a, fd, NONCE), ASY_OK);
    close(fd);
    // Windows in an order that needs hops: the last, the first, the middle.
    for (uint32_t n = 0; n < 200; n++) {
        uint32_t i = n < 8 ? 199 - n : n - 8;
        uint32_t *p = asy_arena_data(&a, i);

        assert_non_null(p);
        p[0] = i + 1;
        p[ASY_CHUNK_BYTES / 4 - 1] = i + 1;
        assert_int_equal(((const uint32_t *)(whole + front + (uint64_t)i * ASY_CHUNK_BYTES))[0], i + 1);
    }
    assert_null(asy_arena_data(&a, 200));
    assert_null(asy_arena_data(&a, UINT32_MAX));
    assert_int_equal(a.mapped_bytes, front + 200u * ASY_CHUNK_BYTES);
    asy_arena_detach(&a);
}

static void
the_lowest_free_chunk_is_claimed_and_exhaustion_is_counted(void **state)
{
    asy_arena *a = attached(130);
    uint32_t i;
    void *p;

    (void)state;
    for (uint32_t n = 0; n < 130; n++) {
        assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_OK);
        assert_int_equal(i, n);
        assert_int_equal(a->chunks[i].state, asy_chunk_word(ASY_CHUNK_OWNED, 3, 9));
        asy_arena_publish(a, i, ASY_KIND_NODES, n);
    }
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_ELIMIT);
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_ELIMIT);
    assert_int_equal(a->procs[3].losses[ASY_LOSS_CHUNKS], 2);
    asy_arena_free(a, 77); // not ended: nothing happens
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_ELIMIT);
    asy_arena_end(a, 77);
    asy_arena_end(a, 12);
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_ELIMIT);
    asy_arena_free(a, 77);
    asy_arena_free(a, 12);
    assert_int_equal(a->chunks[12].kind, 0);
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_OK);
    assert_int_equal(i, 12);
    assert_int_equal(asy_arena_claim(a, 3, 9, &i, &p), ASY_OK);
    assert_int_equal(i, 77);
    assert_int_equal(asy_arena_claim(a, UINT32_MAX, 9, &i, &p), ASY_ELIMIT);
    assert_int_equal(a->head->losses[ASY_LOSS_CHUNKS], 1);
    assert_int_equal(a->populated_bytes, 130u * ASY_CHUNK_BYTES); // used again, populated once
    asy_arena_detach(a);
}

static void
claimed_memory_is_resident_at_once(void **state)
{
    asy_arena *a = attached(4);
    unsigned char in[16] = {0};
    uint32_t i;
    void *p;

    (void)state;
    assert_int_equal(asy_arena_claim(a, 0, 1, &i, &p), ASY_OK);
    assert_int_equal(mincore(p, ASY_CHUNK_BYTES, in), 0);
    for (int k = 0; k < 16; k++) {
        assert_int_equal(in[k] & 1, 1);
    }
    asy_arena_forked(a);
    assert_int_equal(a->populated_bytes, 0);
    asy_arena_detach(a);
}

static void
process_rows_run_out(void **state)
{
    asy_arena *a = attached(1);
    uint32_t slot = 5000;

    (void)state;
    for (uint32_t n = 0; n < ASY_PROC_MAX; n++) {
        assert_int_equal(asy_arena_claim_proc(a, 100 + n, 7, 1, &slot), ASY_OK);
        assert_int_equal(slot, n);
    }
    assert_int_equal(a->procs[5].pid, 105);
    assert_int_equal(a->procs[5].next_func, 1);
    assert_int_equal(asy_arena_claim_proc(a, 1, 1, 1, &slot), ASY_ELIMIT);
    asy_arena_lose(a, 5, ASY_LOSS_COUNT, 1);
    asy_arena_lose(a, 5, -1, 1);
    asy_arena_lose(a, 5, ASY_LOSS_TAGS, 3);
    assert_int_equal(a->procs[5].losses[ASY_LOSS_TAGS], 3);
    asy_arena_detach(a);
}

// Exit status of `body` in a child with these limits set where it says.
static int
in_child(int (*body)(asy_arena *a, int fd), int fd)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        static asy_arena a;

        _exit(body(&a, fd));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static uint64_t
address_space_bytes(void)
{
    char text[64] = {0};
    FILE *f = fopen("/proc/self/statm", "r");
    uint64_t pages = f != NULL && fgets(text, sizeof(text), f) != NULL ? strtoull(text, NULL, 10) : 0;

    if (f != NULL) {
        fclose(f);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
limit_space(uint64_t more)
{
    struct rlimit r = {address_space_bytes() + more, address_space_bytes() + more};

    setrlimit(RLIMIT_AS, &r);
}

static int
limit_before(asy_arena *a, int fd)
{
    limit_space(64 << 10);
    return asy_arena_attach(a, fd, NONCE) == ASY_ENOMEM && a->head == NULL ? 0 : 1;
}

static int
limit_after(asy_arena *a, int fd)
{
    uint32_t i;
    uint32_t got = 0;
    void *p;

    if (asy_arena_attach(a, fd, NONCE) != ASY_OK) {
        return 1;
    }
    limit_space(10 << 20); // two windows and a hop
    for (int n = 0; n < 300; n++) {
        if (asy_arena_claim(a, 0, 1, &i, &p) == ASY_OK) {
            memset(p, 1, ASY_CHUNK_BYTES);
            got++;
        }
    }
    if (got != 128 || a->procs[0].losses[ASY_LOSS_CHUNKS] != 300 - 128) {
        return 2;
    }
    return (a->chunks[128].state & 0xff) == ASY_CHUNK_ENDED && a->chunks[128].kind == 0 ? 0 : 3;
}

// Its signal is deadly, whatever we were started with.
static void
limit_files(uint64_t bytes)
{
    struct rlimit r = {bytes, bytes};

    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &r);
}

static int
claim_and_write(asy_arena *a, int count)
{
    uint32_t i;
    void *p;

    for (int n = 0; n < count; n++) {
        if (asy_arena_claim(a, 0, 1, &i, &p) != ASY_OK) {
            return 2;
        }
        memset(p, 1, ASY_CHUNK_BYTES);
    }
    return a->procs[0].losses[ASY_LOSS_CHUNKS] == 0 ? 0 : 3;
}

static int
file_limit_before(asy_arena *a, int fd)
{
    limit_files(4096);
    return asy_arena_attach(a, fd, NONCE) == ASY_OK ? claim_and_write(a, 300) : 1;
}

// The arena had its size before the limit: neither its head, a chunk that was not touched yet nor a window that was not mapped
// yet lies beyond it.
static int
file_limit_after(asy_arena *a, int fd)
{
    static asy_arena other;
    uint32_t slot;

    if (asy_arena_attach(a, fd, NONCE) != ASY_OK || claim_and_write(a, 1) != 0) {
        return 1;
    }
    limit_files(0);
    if (claim_and_write(a, 300) != 0 || asy_arena_claim_proc(a, 1, 1, 1, &slot) != ASY_OK) {
        return 2;
    }
    asy_arena_end(a, 7);
    asy_arena_free(a, 7);
    if (claim_and_write(a, 1) != 0 || asy_arena_data(a, 3999) == NULL) {
        return 3;
    }
    *(uint8_t *)asy_arena_data(a, 3999) = 1;
    return asy_arena_attach(&other, fd, NONCE) == ASY_OK && claim_and_write(&other, 64) == 0 ? 0 : 4;
}

static int
far_window_in_little_space(asy_arena *a, int fd)
{
    if (asy_arena_attach(a, fd, NONCE) != ASY_OK) {
        return 1;
    }
    limit_space(10 << 20);
    return asy_arena_data(a, 3999) != NULL ? 0 : 2;
}

static void
limits_of_the_target_refuse_but_never_break(void **state)
{
    int fd = new_file(bytes_for(4000));

    (void)state;
    assert_int_equal(in_child(limit_before, fd), 0);
    assert_int_equal(in_child(limit_after, new_file(bytes_for(4000))), 0);
    assert_int_equal(in_child(file_limit_before, new_file(bytes_for(4000))), 0);
    assert_int_equal(in_child(file_limit_after, new_file(bytes_for(4000))), 0);
    assert_int_equal(in_child(far_window_in_little_space, fd), 0);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_too_small_for_one_chunk_is_refused),
        cmocka_unit_test(every_size_holds_its_front_and_its_chunks),
        cmocka_unit_test(attach_checks_the_head),
        cmocka_unit_test(chunks_lie_where_the_layout_says),
        cmocka_unit_test(the_lowest_free_chunk_is_claimed_and_exhaustion_is_counted),
        cmocka_unit_test(claimed_memory_is_resident_at_once),
        cmocka_unit_test(process_rows_run_out),
        cmocka_unit_test(limits_of_the_target_refuse_but_never_break),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
