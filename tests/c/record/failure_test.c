// failure_test.c: memory, disks and calls that fail: what was written stays readable, nothing leaks, nothing half is said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "record/buffer.h"
#include "record/format.h"
#include "record/pstats.h"
#include "record/text.h"
#include "sample.h"
#include "wrapped.h"

static int
calm(void **state)
{
    (void)state;
    wrapped = (wrapped_state){.fail_at = -1, .write_fail_at = -1};
    return 0;
}

// What a writer to memory has: the beginning of the sample, or nothing at all.
static void
check_beginning(asy_writer *w)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    size_t len;
    const void *bytes = asy_writer_bytes(w, &len);

    if (len > 0) {
        assert_int_equal(asy_profile_load_bytes(bytes, len, &p, &problem), ASY_OK);
        sample_check(p, false);
        asy_profile_free(p);
    }
}

// Write the sample with allocation `at` failing. Returns whether there was such an allocation.
static bool
write_without(long at, bool flush)
{
    asy_writer *w = NULL;
    asy_status st;
    bool failed;

    wrapped = (wrapped_state){.fail_at = at, .write_fail_at = -1};
    st = asy_writer_new(-1, &w);
    if (st == ASY_OK) {
        st = sample_write(w, flush);
    }
    failed = wrapped.failed;
    wrapped.fail_at = -1;
    assert_int_equal(st, failed ? ASY_ENOMEM : ASY_OK);
    if (w != NULL && failed) {
        assert_int_equal(asy_writer_status(w), ASY_ENOMEM);
        assert_int_equal(asy_write_note(w, "later"), ASY_ENOMEM); // it sticks
        assert_int_equal(asy_writer_flush(w), ASY_ENOMEM);
        assert_int_equal(asy_write_session_end(w, 1), ASY_ENOMEM);
        check_beginning(w);
    }
    asy_writer_free(w);
    return failed;
}

static void
a_writer_survives_each_failing_allocation(void **state)
{
    (void)state;
    for (int flush = 0; flush < 2; flush++) {
        long n = 0;

        while (write_without(n, flush)) {
            n++;
        }
        assert_true(n > 15);
    }
}

static bool
load_without(long at, const uint8_t *bytes, size_t len, const char *path)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    asy_status st;
    bool failed;

    wrapped = (wrapped_state){.fail_at = at, .write_fail_at = -1};
    st = path != NULL ? asy_profile_load_file(path, &p, &problem) : asy_profile_load_bytes(bytes, len, &p, &problem);
    failed = wrapped.failed;
    wrapped.fail_at = -1;
    if (st == ASY_OK) { // arrays that could not be made smaller are right all the same
        sample_check(p, true);
    } else {
        assert_true(failed);
        assert_int_equal(st, ASY_ENOMEM);
        assert_null(p);
        assert_non_null(strstr(problem, "there is not enough memory"));
    }
    asy_profile_free(p);
    return failed;
}

static void
a_reader_survives_each_failing_allocation(void **state)
{
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);
    size_t len;
    uint8_t *bytes = sample_bytes(true, &len);

    (void)state;
    assert_int_equal(write(fd, bytes, len), len);
    for (int file = 0; file < 2; file++) {
        long n = 0;

        while (load_without(n, bytes, len, file ? path : NULL)) {
            n++;
        }
        assert_true(n > 20);
    }
    close(fd);
    unlink(path);
    free(bytes);
}

static void
a_thread_without_nodes_survives_a_failing_allocation(void **state)
{
    asy_writer *w = NULL;
    bool failed = true;
    int refused = 0;

    (void)state;
    assert_int_equal(asy_writer_new(-1, &w), ASY_OK);
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.main_thread = UINT32_MAX}), ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = 0}), ASY_OK);
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    for (long n = 0; failed; n++) {
        asy_profile *p = NULL;
        size_t len;
        const void *bytes = asy_writer_bytes(w, &len);

        wrapped = (wrapped_state){.fail_at = n, .write_fail_at = -1};
        refused += asy_profile_load_bytes(bytes, len, &p, NULL) == ASY_ENOMEM;
        failed = wrapped.failed;
        wrapped.fail_at = -1;
        asy_profile_free(p);
    }
    assert_true(refused >= 4); // the profile, processes, threads, their root
    asy_writer_free(w);
}

// The file ends with a whole block, and says the beginning of the sample.
static void
check_file(const char *path, bool cut_at_a_border)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    struct stat sb;

    assert_int_equal(stat(path, &sb), 0);
    if (sb.st_size == 0) {
        return;
    }
    assert_int_equal(asy_profile_load_file(path, &p, &problem), ASY_OK);
    sample_check(p, false);
    if (cut_at_a_border) {
        assert_int_equal(p->cut_at, sb.st_size);
    }
    asy_profile_free(p);
}

static void
each_failing_write_leaves_whole_blocks(void **state)
{
    static const struct {
        int error;
        asy_status status;
    } errors[] = {{ENOSPC, ASY_ENOSPC}, {EFBIG, ASY_ENOSPC}, {EDQUOT, ASY_ENOSPC}, {EIO, ASY_EIO}};
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);
    long n = 0;
    bool whole = false;

    (void)state;
    for (; !whole; n++) {
        asy_writer *w = NULL;
        asy_status st;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
        wrapped = (wrapped_state){
            .fail_at = -1, .write_fail_at = n, .write_errno = errors[n % 4].error, .halting = n % 2 != 0};
        st = sample_write(w, true);
        whole = wrapped.write_fail_at >= 0;
        wrapped = (wrapped_state){.fail_at = -1, .write_fail_at = -1};
        if (!whole) {
            assert_int_equal(st, errors[n % 4].status);
            assert_int_equal(asy_writer_status(w), st);
            assert_int_equal(asy_write_note(w, "later"), st);
            check_file(path, true);
        }
        asy_writer_free(w);
    }
    assert_true(n > 8);
    close(fd);
    unlink(path);
}

// Two functions of one thread, the second one unknown to the first state.
static asy_status
write_state(asy_writer *w, uint32_t n)
{
    static const asy_write_counts counts = {.calls = 7};
    asy_status st = ASY_OK;

    if (n == 0) {
        st = asy_write_process_row(w, &(asy_write_process){.main_thread = UINT32_MAX});
        st = st == ASY_OK ? asy_write_thread_row(w, &(asy_write_thread){.id = 0}) : st;
        st = st == ASY_OK ? asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT) : st;
    }
    st = st == ASY_OK ? asy_write_func(w, n, &(asy_symbol){.kind = ASY_NODE_PY}, NULL) : st;
    st = st == ASY_OK ? asy_write_node(w, 0, n + 1, 0, n, ASY_NODE_PY) : st;
    st = st == ASY_OK ? asy_write_node_counts(w, 0, n + 1, &counts) : st;
    return st == ASY_OK ? asy_writer_flush(w) : st;
}

static void
a_state_that_cannot_be_written_whole_is_taken_back(void **state)
{
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    for (long at = 0; at < 3; at++) { // the blocks of the second state: functions, nodes, counts
        asy_writer *w = NULL;
        asy_profile *p = NULL;
        const char *problem = NULL;
        struct stat sb;
        off_t first;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
        assert_int_equal(write_state(w, 0), ASY_OK);
        assert_int_equal(fstat(fd, &sb), 0);
        first = sb.st_size;
        wrapped = (wrapped_state){.fail_at = -1, .write_fail_at = at, .write_errno = ENOSPC};
        assert_int_equal(write_state(w, 1), ASY_ENOSPC);
        calm(NULL);
        assert_int_equal(fstat(fd, &sb), 0);
        assert_int_equal(sb.st_size, first);
        assert_int_equal(asy_profile_load_file(path, &p, &problem), ASY_OK);
        assert_int_equal(p->func_count, 1);
        asy_profile_free(p);
        asy_writer_free(w);
    }
    close(fd);
    unlink(path);
}

// Write the sample to the file, with its write `n` failing, and with allocation `at` failing. Returns whether that write was reached.
static bool
outlive_write(const char *path, int fd, long n, long at)
{
    asy_writer *w = NULL;
    asy_profile *p = NULL;
    asy_status st;
    bool left, starved;
    size_t len;
    const void *bytes;

    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
    asy_writer_outlive(w);
    wrapped = (wrapped_state){.fail_at = at, .write_fail_at = n, .write_errno = ENOSPC};
    st = sample_write(w, true);
    left = wrapped.write_fail_at < 0;
    starved = wrapped.failed;
    calm(NULL);
    if (left || st != ASY_OK) {
        check_file(path, true);
    }
    assert_true(st == ASY_OK || (starved && (st == ASY_ENOMEM || st == ASY_ENOSPC)));
    if (st == ASY_OK && left) {
        assert_int_equal(asy_writer_file_status(w), ASY_ENOSPC);
        bytes = asy_writer_bytes(w, &len);
        assert_int_equal(asy_profile_load_bytes(bytes, len, &p, NULL), ASY_OK);
        sample_check(p, true);
        asy_profile_free(p);
    }
    asy_writer_free(w);
    return left;
}

static void
memory_has_all_of_a_recording_whose_file_is_full(void **state)
{
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);
    long n = 0;

    (void)state;
    while (outlive_write(path, fd, n, -1)) {
        n++;
    }
    assert_true(n > 8);
    for (long at = 0; at < 40; at++) {
        outlive_write(path, fd, n / 2, at);
    }
    close(fd);
    unlink(path);
}

static void
short_and_interrupted_calls_are_gone_on_with(void **state)
{
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);
    asy_writer *w = NULL;
    asy_profile *p = NULL;

    (void)state;
    assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
    wrapped.halting = true;
    assert_int_equal(sample_write(w, false), ASY_OK);
    assert_int_equal(asy_profile_load_file(path, &p, NULL), ASY_OK);
    assert_true(wrapped.calls > 500);
    calm(NULL);
    sample_check(p, true);
    asy_profile_free(p);
    asy_writer_free(w);
    close(fd);
    unlink(path);
}

static void
a_full_disk_sticks(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    asy_writer *w = NULL;

    (void)state;
    if (fd < 0) {
        skip();
    }
    assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
    assert_int_equal(sample_write(w, false), ASY_ENOSPC);
    assert_int_equal(asy_writer_status(w), ASY_ENOSPC);
    asy_writer_free(w);
    close(fd);
}

static void
every_file_size_limit_leaves_whole_blocks(void **state)
{
    char path[] = "failure-XXXXXX";
    int fd = mkstemp(path);
    struct rlimit before, limit;
    size_t len;

    (void)state;
    free(sample_bytes(true, &len));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (limit = before, limit.rlim_cur = 1; limit.rlim_cur < len; limit.rlim_cur += 13) {
        asy_writer *w = NULL;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(sample_write(w, true), ASY_ENOSPC);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        check_file(path, true);
        asy_writer_free(w);
    }
    (void)signal(SIGXFSZ, SIG_DFL);
    close(fd);
    unlink(path);
}

static void
a_closed_pipe_is_an_error_not_a_loop(void **state)
{
    int ends[2];
    asy_writer *w = NULL;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(asy_writer_new(ends[1], &w), ASY_OK);
    assert_int_equal(sample_write(w, false), ASY_EIO);
    (void)signal(SIGPIPE, SIG_DFL);
    asy_writer_free(w);
    close(ends[1]);
}

// The program may share the descriptor's description, and make it non-blocking. The pipe is full when the writer begins.
static void
a_full_pipe_that_does_not_block_is_waited_for(void **state)
{
    char filler[4096] = {0};
    int ends[2], status;
    asy_writer *w = NULL;
    pid_t reader;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof filler) > 0) {
    }
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        usleep(50000); // the writer has found the pipe full
        close(ends[1]);
        while (read(ends[0], filler, sizeof filler) > 0) {
        }
        _exit(0);
    }
    close(ends[0]);
    assert_int_equal(asy_writer_new(ends[1], &w), ASY_OK);
    assert_int_equal(sample_write(w, true), ASY_OK);
    asy_writer_free(w);
    close(ends[1]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

static void
a_buffer_refuses_more_than_memory_can_be(void **state)
{
    asy_buffer b = {0};
    asy_text_pool pool = {0};

    (void)state;
    assert_int_equal(asy_buffer_append(&b, "abc", 3), ASY_OK);
    assert_int_equal(asy_buffer_reserve(&b, SIZE_MAX - 1), ASY_ENOMEM);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "abc", 3);
    asy_buffer_free(&b);
    wrapped.fail_at = 0;
    assert_null(asy_text_alloc(&pool, 10));
    asy_text_pool_free(&pool);
}

// Of a file with references, marks and every kind of text. Returns whether there was such an allocation.
static bool
load_pstats_without(long at, bool halting)
{
    asy_profile *p;
    const char *problem;
    char path[4096];
    asy_status st;
    bool failed;

    (void)snprintf(path, sizeof path, "%s/tests/fuzz/pstats/seed-3.13-added.prof", getenv("ASSAY_SOURCE"));
    wrapped = (wrapped_state){.fail_at = at, .write_fail_at = -1, .halting = halting};
    st = asy_pstats_load_file(path, &p, &problem);
    failed = wrapped.failed;
    wrapped = (wrapped_state){.fail_at = -1, .write_fail_at = -1};
    assert_int_equal(st, failed ? ASY_ENOMEM : ASY_OK);
    if (st == ASY_OK) {
        assert_int_equal(p->func_count, 10);
    } else {
        assert_null(p);
        assert_non_null(problem);
    }
    asy_profile_free(p);
    return failed;
}

static void
a_pstats_file_survives_each_failing_allocation(void **state)
{
    long n = 0;

    (void)state;
    while (load_pstats_without(n, false)) {
        n++;
    }
    assert_true(n > 15);
    assert_false(load_pstats_without(-1, true));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_writer_survives_each_failing_allocation, calm),
        cmocka_unit_test_setup(a_reader_survives_each_failing_allocation, calm),
        cmocka_unit_test_setup(a_thread_without_nodes_survives_a_failing_allocation, calm),
        cmocka_unit_test_setup(each_failing_write_leaves_whole_blocks, calm),
        cmocka_unit_test_setup(a_state_that_cannot_be_written_whole_is_taken_back, calm),
        cmocka_unit_test_setup(memory_has_all_of_a_recording_whose_file_is_full, calm),
        cmocka_unit_test_setup(short_and_interrupted_calls_are_gone_on_with, calm),
        cmocka_unit_test_setup(a_full_disk_sticks, calm),
        cmocka_unit_test_setup(every_file_size_limit_leaves_whole_blocks, calm),
        cmocka_unit_test_setup(a_closed_pipe_is_an_error_not_a_loop, calm),
        cmocka_unit_test_setup(a_full_pipe_that_does_not_block_is_waited_for, calm),
        cmocka_unit_test_setup(a_pstats_file_survives_each_failing_allocation, calm),
        cmocka_unit_test_setup(a_buffer_refuses_more_than_memory_can_be, calm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
