// exec_test.c: what a program gets that the wrapped execl functions start: this one, started again by itself.
// The wrappers are compiled in and take the C library's place, as they do when the library is preloaded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW "show what arrived"

// The words and the variables that we were given, a line each, without the program's own name.
static int
show(char **argv)
{
    for (char **word = argv + 2; *word != NULL; word++) {
        puts(*word);
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        puts(*variable);
    }
    return 0;
}

typedef void (*starter)(void);

static void
start_execl(void)
{
    execl("/proc/self/exe", "test", SHOW, "a", "b", (char *)NULL);
}

static void
start_execlp(void)
{
    execlp("/proc/self/exe", "test", SHOW, "1", "2", "3", "4", "5", "6", "7", "8", "9", (char *)NULL);
}

static void
start_execle(void)
{
    char *env[] = {"GIVEN=1", "ALSO=2", NULL};

    execle("/proc/self/exe", "test", SHOW, "a", "b", (char *)NULL, env);
}

// More words than a call passes in registers.
static void
start_execle_long(void)
{
    char *env[] = {"GIVEN=1", NULL};

    execle("/proc/self/exe", "test", SHOW, "1", "2", "3", "4", "5", "6", "7", "8", "9", (char *)NULL, env);
}

static void
expect(starter start, const char *expected)
{
    char text[256] = "";
    size_t len;
    int ends[2], status;
    FILE *from;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *own[] = {"OWN=1", NULL};

        environ = own;
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        start();
        _exit(1);
    }
    close(ends[1]);
    from = fdopen(ends[0], "r");
    assert_non_null(from);
    len = fread(text, 1, sizeof text - 1, from);
    text[len] = '\0';
    fclose(from);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(text, expected);
}

static void
a_list_of_words_arrives_with_its_environment(void **state)
{
    (void)state;
    expect(start_execl, "a\nb\nOWN=1\n");
    expect(start_execlp, "1\n2\n3\n4\n5\n6\n7\n8\n9\nOWN=1\n");
    expect(start_execle, "a\nb\nGIVEN=1\nALSO=2\n");
    expect(start_execle_long, "1\n2\n3\n4\n5\n6\n7\n8\n9\nGIVEN=1\n");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_words_arrives_with_its_environment),
    };

    if (argc > 1 && strcmp(argv[1], SHOW) == 0) {
        return show(argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
