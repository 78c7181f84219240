// os.h on Linux: what it promises about memory and processes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

#define MIB (1024u * 1024u)

static void
shared_memory_is_zero_sparse_and_closed_on_exec(void **state)
{
    uint64_t made = 0;
    struct stat st;
    int fd = -1;
    char byte = 1;

    (void)state;
    assert_int_equal(asy_os_shared_make(64 * MIB, MIB, &fd, &made), ASY_OK);
    assert_int_equal(made, 64 * MIB);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 64 * MIB);
    assert_true(st.st_blocks * 512 < MIB);
    assert_int_equal(pread(fd, &byte, 1, 63 * MIB), 1);
    assert_int_equal(byte, 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
}

static void
shared_memory_never_changes_its_size(void **state)
{
    uint64_t made = 0;
    int fd = -1;

    (void)state;
    assert_int_equal(asy_os_shared_make(MIB, MIB, &fd, &made), ASY_OK);
    assert_int_equal(ftruncate(fd, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 2 * MIB), -1);
    assert_int_equal(errno, EPERM);
    close(fd);
}

// In a child, because a hard limit stays. The exit status is the number of the check that failed.
static int
under_file_size_limit(uint64_t limit, uint64_t bytes, uint64_t least, uint64_t expected)
{
    struct rlimit rl = {limit, limit};
    uint64_t made = 0;
    int fd = 7;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &rl) != 0) {
        return 1;
    }
    if (expected == 0) {
        return asy_os_shared_make(bytes, least, &fd, &made) == ASY_ENOSPC && fd == -1 ? 0 : 2;
    }
    return asy_os_shared_make(bytes, least, &fd, &made) == ASY_OK && made == expected ? 0 : 3;
}

static void
file_size_limit_halves_shared_memory_down_to_the_least(void **state)
{
    const uint64_t cases[][4] = {
        {10 * MIB, 64 * MIB, MIB, 8 * MIB}, {8 * MIB, 8 * MIB, MIB, 8 * MIB}, {MIB / 2, 64 * MIB, MIB, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            _exit(under_file_size_limit(cases[i][0], cases[i][1], cases[i][2], cases[i][3]));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void
start_time_is_read_behind_any_process_name(void **state)
{
    uint64_t plain = asy_os_process_start((uint64_t)getpid());
    char name[16] = "";

    (void)state;
    assert_true(plain > 0);
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, "a) S 1 (b 2)");
    assert_int_equal(asy_os_process_start((uint64_t)getpid()), plain);
    prctl(PR_SET_NAME, name);
}

static void
process_that_is_gone_has_no_start_time(void **state)
{
    pid_t child = fork();
    bool gone = false;

    (void)state;
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(asy_os_process_start((uint64_t)child), 0);
    assert_int_equal(asy_os_process_watch((uint64_t)child, &gone), -1);
    assert_true(gone);
    assert_false(asy_os_process_stopped((uint64_t)child));
}

static void
watch_is_readable_when_the_process_has_ended_and_not_before(void **state)
{
    pid_t child = fork();
    struct pollfd p = {.events = POLLIN};
    int exited, status;
    bool gone;

    (void)state;
    if (child == 0) {
        pause();
        _exit(0);
    }
    p.fd = asy_os_process_watch((uint64_t)child, &gone);
    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    kill(child, SIGKILL);
    assert_int_equal(poll(&p, 1, 30000), 1);
    asy_os_process_end(p.fd, (uint64_t)child, &exited, &status);
    assert_int_equal(exited, 2);
    assert_int_equal(status, SIGKILL);
    close(p.fd);
    waitpid(child, NULL, 0);
}

static void
start_of_a_process_is_told_on_the_clock_that_runs_while_the_system_does(void **state)
{
    struct timespec now;
    uint64_t at;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    at = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    assert_true(asy_os_process_start_ns((uint64_t)getpid()) <= at);
    assert_true(asy_os_process_start_ns((uint64_t)getpid()) + 600000000000u > at);
}

static void
cpu_time_of_a_thread_is_its_own(void **state)
{
    uint64_t before = 0, after = 0, nobody = 7;
    struct timespec t;
    int64_t used, told;

    (void)state;
    usleep(1000); // the kernel adds up at a switch
    assert_true(asy_os_thread_cpu_ns((uint64_t)getpid(), (uint64_t)gettid(), &before));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    used = -(t.tv_sec * 1000000000LL + t.tv_nsec);
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    } while (used + t.tv_sec * 1000000000LL + t.tv_nsec < 30000000);
    usleep(1000);
    assert_true(asy_os_thread_cpu_ns((uint64_t)getpid(), (uint64_t)gettid(), &after));
    told = (int64_t)(after - before);
    assert_true(told > 25000000 && told < 60000000);
    assert_false(asy_os_thread_cpu_ns((uint64_t)getpid(), 1u << 30, &nobody));
    assert_int_equal(nobody, 7);
}

static void
stopped_process_is_told_from_a_running_one(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_false(asy_os_process_stopped((uint64_t)child));
    kill(child, SIGSTOP);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(asy_os_process_stopped((uint64_t)child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void
pending_signals_of_a_process_are_seen(void **state)
{
    sigset_t all;
    pid_t child;

    (void)state;
    sigfillset(&all);
    child = fork();
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &all, NULL);
        raise(SIGSTOP);
        pause();
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
    assert_int_equal(asy_os_process_pending((uint64_t)child), 0);
    kill(child, SIGUSR2);
    assert_int_equal(asy_os_process_pending((uint64_t)child), 1u << (SIGUSR2 - 1));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(asy_os_process_pending((uint64_t)child), 0);
}

static void
all_descriptors_of_a_process_can_be_closed(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        dup2(0, 77);
        asy_os_close_all();
        _exit(fcntl(0, F_GETFD) == -1 && fcntl(77, F_GETFD) == -1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void
program_path_is_ours_or_refused_where_it_does_not_fit(void **state)
{
    char path[4096], small[4];

    (void)state;
    assert_int_equal(asy_os_program_path(path, sizeof path), ASY_OK);
    assert_int_equal(access(path, X_OK), 0);
    assert_int_equal(asy_os_program_path(small, sizeof small), ASY_ELIMIT);
}

static void
random_values_differ(void **state)
{
    uint64_t a = 0, b = 0;

    (void)state;
    assert_int_equal(asy_os_random(&a), ASY_OK);
    assert_int_equal(asy_os_random(&b), ASY_OK);
    assert_true(a != b);
}

static void
pipe_has_no_terminal_width(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(asy_os_terminal_width(ends[1]), 0);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_memory_is_zero_sparse_and_closed_on_exec),
        cmocka_unit_test(shared_memory_never_changes_its_size),
        cmocka_unit_test(file_size_limit_halves_shared_memory_down_to_the_least),
        cmocka_unit_test(start_time_is_read_behind_any_process_name),
        cmocka_unit_test(process_that_is_gone_has_no_start_time),
        cmocka_unit_test(watch_is_readable_when_the_process_has_ended_and_not_before),
        cmocka_unit_test(start_of_a_process_is_told_on_the_clock_that_runs_while_the_system_does),
        cmocka_unit_test(cpu_time_of_a_thread_is_its_own),
        cmocka_unit_test(stopped_process_is_told_from_a_running_one),
        cmocka_unit_test(pending_signals_of_a_process_are_seen),
        cmocka_unit_test(all_descriptors_of_a_process_can_be_closed),
        cmocka_unit_test(program_path_is_ours_or_refused_where_it_does_not_fit),
        cmocka_unit_test(random_values_differ),
        cmocka_unit_test(pipe_has_no_terminal_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
