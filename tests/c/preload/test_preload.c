// The parts of the preload that need no Python: the session's variable, environment blocks, judging program files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "preload/environ.h"
#include "preload/loadable.h"
#include "preload/session.h"

#define OURS "/lib/ours.so"

// ---- the session's variable ----

static void
session_is_read(void **state)
{
    asy_session s;

    (void)state;
    assert_true(asy_session_parse("123:45:00000000deadbeef", &s));
    assert_int_equal(s.pid, 123);
    assert_int_equal(s.fd, 45);
    assert_int_equal(s.nonce, 0xdeadbeef);
}

static void
what_is_no_session_is_refused(void **state)
{
    static const char *const values[] = {"",
                                         ":",
                                         "1",
                                         "1:2",
                                         "1:2:",
                                         "1:2:3:",
                                         "1:2:3:other",
                                         "x:2:3",
                                         "1:2:z",
                                         "1::3",
                                         "1:99999999999:3",
                                         "1:2:000000000000000000000000000000000000000000000000000000000000000000003"};
    asy_session s;

    (void)state;
    assert_false(asy_session_parse(NULL, &s));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_false(asy_session_parse(values[i], &s));
    }
}

// An arena's head of this process; the caller unmaps it and closes the descriptor.
static asy_arena_head *
make_head(asy_session *s, uint64_t nonce, off_t bytes)
{
    int fd = memfd_create("assay", MFD_CLOEXEC);
    asy_arena_head *head;

    assert_int_equal(ftruncate(fd, bytes), 0);
    head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(head != MAP_FAILED);
    *s = (asy_session){.pid = (uint64_t)getpid(), .fd = fd, .nonce = nonce};
    return head;
}

static void
losses_and_refusals_are_counted_in_the_head(void **state)
{
    asy_session s;
    asy_arena_head *head = make_head(&s, 77, 1 << 20);

    (void)state;
    head->magic = ASY_ARENA_MAGIC;
    head->abi = ASY_ARENA_ABI;
    head->nonce = 77;
    asy_session_lose(&s, ASY_LOSS_EXECS);
    asy_session_lose(&s, ASY_LOSS_EXECS);
    for (int i = 0; i < 2; i++) {
        asy_session_refuse(&s, 0x030A0000, ASY_REFUSED_VERSION, "/usr/bin/python3.10");
        asy_session_refuse(&s, 0, ASY_REFUSED_STATIC,
                           "/a/path/that/is/longer/than/what/there/is/room/for/in/the/head/of/the/"
                           "shared/memory/python3-static");
    }
    assert_int_equal(head->losses[ASY_LOSS_EXECS], 2);
    assert_int_equal(head->refusals[0].key, ASY_REFUSED_VERSION | 0x030A0000ull << 32);
    assert_int_equal(head->refusals[0].count, 2);
    assert_int_equal(head->refusals[0].name_bytes, strlen("/usr/bin/python3.10"));
    assert_memory_equal(head->refusals[0].name, "/usr/bin/python3.10", head->refusals[0].name_bytes);
    assert_int_equal(head->refusals[1].key, ASY_REFUSED_STATIC);
    assert_int_equal(head->refusals[1].count, 2);
    assert_int_equal(head->refusals[1].name_bytes, ASY_REFUSAL_NAME);
    assert_memory_equal(head->refusals[1].name + ASY_REFUSAL_NAME - 14, "python3-static", 14);
    for (uint64_t why = 0; why < 40; why++) { // more reasons than there are rows
        asy_session_refuse(&s, why, ASY_REFUSED_START, "python");
    }
    assert_int_equal(head->refusals[ASY_REFUSALS - 1].count, 40 - (ASY_REFUSALS - 3));
    s.nonce = 78; // another session's memory behind the same numbers
    asy_session_lose(&s, ASY_LOSS_EXECS);
    assert_int_equal(head->losses[ASY_LOSS_EXECS], 2);
    munmap(head, 4096);
    close(s.fd);
}

static void
memory_that_is_gone_or_too_short_is_passed_over(void **state)
{
    asy_session s;
    asy_arena_head *head = make_head(&s, 0, 8);

    (void)state;
    asy_session_lose(&s, ASY_LOSS_EXECS); // would be SIGBUS
    munmap(head, 4096);
    close(s.fd);
    asy_session_lose(&s, ASY_LOSS_EXECS);
    s.pid = 0;
    assert_int_equal(asy_session_open(&s), -1);
}

// ---- environment blocks ----

static void
library_is_taken_out_of_a_preload_list(void **state)
{
    static const char *const cases[][2] = {
        {OURS, ""},
        {"/a.so:" OURS, "/a.so"},
        {"/a.so " OURS, "/a.so"},
        {"/a.so:/b.so:" OURS, "/a.so:/b.so"},
        {"/a.so::" OURS, "/a.so:"},
        {":" OURS, ""},
        {"/a.so  /b.so", "/a.so  /b.so"},
        {OURS ":/a.so", ":/a.so"},
        {OURS ".1:" OURS, OURS ".1"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128];

        assert_int_equal(asy_environ_preload_without(cases[i][0], out), strcmp(cases[i][0], OURS) != 0);
        assert_string_equal(out, cases[i][1]);
    }
}

static void
check_stripped(char *const *env, const char *const *expected)
{
    asy_environ_size size = asy_environ_measure(env);
    char *clean[16], text[256];
    size_t n = 0;

    assert_true(size.library || size.session);
    assert_true(size.count > 0 && size.count < 15 && size.text <= sizeof text);
    asy_environ_strip(env, clean, text);
    for (; expected[n] != NULL; n++) {
        assert_string_equal(clean[n], expected[n]);
    }
    assert_null(clean[n]);
}

static void
environment_loses_our_two_variables_and_nothing_else(void **state)
{
    char *both[] = {(char[]){"A=1"}, (char[]){"LD_PRELOAD=" OURS}, (char[]){"ASSAY_SESSION=x"}, (char[]){"B="}, NULL};
    char *mixed[] = {(char[]){"LD_PRELOAD=/u.so:" OURS}, (char[]){"ASSAY_SESSIONS=mine"}, NULL};
    char *lone[] = {(char[]){"ASSAY_SESSION=x"}, (char[]){"LD_PRELOAD=/u.so"}, NULL};

    (void)state;
    check_stripped(both, (const char *const[]){"A=1", "B=", NULL});
    check_stripped(mixed, (const char *const[]){"LD_PRELOAD=/u.so", "ASSAY_SESSIONS=mine", NULL});
    check_stripped(lone, (const char *const[]){"LD_PRELOAD=/u.so", NULL});
}

static void
environment_without_us_is_known_as_such(void **state)
{
    char *env[] = {(char[]){"A=1"}, (char[]){"LD_PRELOAD=/u.so"}, NULL};
    char *none[] = {NULL};

    (void)state;
    assert_false(asy_environ_measure(env).library || asy_environ_measure(env).session);
    assert_false(asy_environ_measure(none).library || asy_environ_measure(none).session);
    assert_false(asy_environ_measure(NULL).library || asy_environ_measure(NULL).session);
}

static void
check_offered(char *const *env, const char *const *expected)
{
    asy_environ_size size = asy_environ_measure(env);
    char *full[16], text[256];
    size_t n = 0;

    assert_true(size.count < 13 && size.text <= sizeof text);
    asy_environ_offer(env, "ASSAY_SESSION=s", full, text);
    for (; expected[n] != NULL; n++) {
        assert_string_equal(full[n], expected[n]);
    }
    assert_null(full[n]);
}

static void
environment_gets_our_two_variables_where_they_are_not_in_it(void **state)
{
    char *none[] = {NULL};
    char *plain[] = {(char[]){"A=1"}, NULL};
    char *user[] = {(char[]){"LD_PRELOAD=/u.so"}, (char[]){"B="}, NULL};
    char *empty[] = {(char[]){"LD_PRELOAD="}, NULL};
    char *half[] = {(char[]){"ASSAY_SESSION=x"}, NULL};
    char *whole[] = {(char[]){"LD_PRELOAD=" OURS}, (char[]){"ASSAY_SESSION=x"}, NULL};

    (void)state;
    check_offered(none, (const char *const[]){"LD_PRELOAD=" OURS, "ASSAY_SESSION=s", NULL});
    check_offered(NULL, (const char *const[]){"LD_PRELOAD=" OURS, "ASSAY_SESSION=s", NULL});
    check_offered(plain, (const char *const[]){"A=1", "LD_PRELOAD=" OURS, "ASSAY_SESSION=s", NULL});
    check_offered(user, (const char *const[]){"LD_PRELOAD=/u.so:" OURS, "B=", "ASSAY_SESSION=s", NULL});
    check_offered(empty, (const char *const[]){"LD_PRELOAD=:" OURS, "ASSAY_SESSION=s", NULL});
    check_offered(half, (const char *const[]){"ASSAY_SESSION=x", "LD_PRELOAD=" OURS, NULL});
    check_offered(whole, (const char *const[]){"LD_PRELOAD=" OURS, "ASSAY_SESSION=x", NULL});
}

// ---- program files ----

static const char *
write_file(const void *bytes, size_t len, mode_t mode)
{
    static char path[] = "/tmp/assay-test-XXXXXX";
    int fd;

    strcpy(path, "/tmp/assay-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static uint64_t
judge(const void *bytes, size_t len, mode_t mode)
{
    const char *path = write_file(bytes, len, mode);
    uint64_t why = asy_loadable_path(path);

    unlink(path);
    return why;
}

// An ELF of our kind: this test's own file, unless AddressSanitizer made it one that cannot load us.
#ifdef __SANITIZE_ADDRESS__
#define OWN "/bin/sh"
#else
#define OWN "/proc/self/exe"
#endif

static size_t
read_own(uint8_t **bytes)
{
    int fd = open(OWN, O_RDONLY | O_CLOEXEC);
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    *bytes = malloc((size_t)st.st_size);
    assert_non_null(*bytes);
    assert_int_equal(read(fd, *bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    return (size_t)st.st_size;
}

static Elf64_Phdr *
find_head(uint8_t *bytes, uint32_t type)
{
    Elf64_Ehdr *e = (Elf64_Ehdr *)bytes;
    Elf64_Phdr *ph = (Elf64_Phdr *)(bytes + e->e_phoff);

    for (int i = 0; i < e->e_phnum; i++) {
        if (ph[i].p_type == type) {
            return &ph[i];
        }
    }
    return NULL;
}

static void
programs_of_another_kind_cannot_load_us(void **state)
{
    uint8_t *bytes;
    size_t len = read_own(&bytes);
    Elf64_Ehdr *e = (Elf64_Ehdr *)bytes, sound = *e;
    Elf64_Phdr *interp = find_head(bytes, PT_INTERP);

    (void)state;
    assert_non_null(interp);
    assert_int_equal(judge(bytes, len, 0755), 0);
    assert_int_equal(judge(bytes, len, 04755), ASY_REFUSED_PRIVILEGES);
    assert_int_equal(judge(bytes, len, 02755), ASY_REFUSED_PRIVILEGES);
    e->e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(judge(bytes, len, 0755), ASY_REFUSED_MACHINE);
    *e = sound;
    e->e_machine = EM_S390;
    assert_int_equal(judge(bytes, len, 0755), ASY_REFUSED_MACHINE);
    *e = sound;
    bytes[interp->p_offset + 1] = 'X'; // another loader
    assert_int_equal(judge(bytes, len, 0755), ASY_REFUSED_LOADER);
    interp->p_type = PT_NULL;
    assert_int_equal(judge(bytes, len, 0755), ASY_REFUSED_STATIC);
    free(bytes);
}

static void
program_cut_in_its_headers_cannot_load_us(void **state)
{
    uint8_t *bytes;
    size_t len = read_own(&bytes);
    size_t heads = sizeof(Elf64_Ehdr) + ((Elf64_Ehdr *)bytes)->e_phnum * sizeof(Elf64_Phdr);
    const char *path = write_file(bytes, len, 0755);

    (void)state;
    for (size_t cut = heads - 1; cut >= 4; cut--) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        assert_int_equal(asy_loadable_path(path), ASY_REFUSED_MACHINE);
    }
    unlink(path);
    free(bytes);
}

static void
scripts_are_judged_by_their_interpreter(void **state)
{
    char line[4200];
    char own[4096] = "";

    (void)state;
    assert_non_null(realpath(OWN, own));
    snprintf(line, sizeof line, "#! \t%s -x\nrest", own);
    assert_int_equal(judge(line, strlen(line), 0755), 0);
    assert_int_equal(judge("#!/nosuch\n", 10, 0755), 0); // starting it fails in any case
    assert_int_equal(judge("#!\n\n\n", 5, 0755), 0);
    assert_int_equal(judge("echo hello\n", 11, 0755), 0); // a shell will run it
    assert_int_equal(judge("", 0, 0755), 0);
    assert_int_equal(asy_loadable_path("/nosuch/file"), 0);
}

static void
script_that_is_its_own_interpreter_ends(void **state)
{
    const char *path = write_file("", 0, 0755);
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    fprintf(f, "#!%s\n", path);
    fclose(f);
    assert_int_equal(asy_loadable_path(path), ASY_REFUSED_STATIC);
    unlink(path);
}

static int
set_up(void **state)
{
    static char own[4096];

    (void)state;
    if (readlink("/proc/self/exe", own, sizeof own - 1) <= 0) {
        return -1;
    }
    asy_loadable_init(own);
    asy_environ_init(OURS);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_is_read),
        cmocka_unit_test(what_is_no_session_is_refused),
        cmocka_unit_test(losses_and_refusals_are_counted_in_the_head),
        cmocka_unit_test(memory_that_is_gone_or_too_short_is_passed_over),
        cmocka_unit_test(library_is_taken_out_of_a_preload_list),
        cmocka_unit_test(environment_gets_our_two_variables_where_they_are_not_in_it),
        cmocka_unit_test(environment_loses_our_two_variables_and_nothing_else),
        cmocka_unit_test(environment_without_us_is_known_as_such),
        cmocka_unit_test(programs_of_another_kind_cannot_load_us),
        cmocka_unit_test(program_cut_in_its_headers_cannot_load_us),
        cmocka_unit_test(scripts_are_judged_by_their_interpreter),
        cmocka_unit_test(script_that_is_its_own_interpreter_ends),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
