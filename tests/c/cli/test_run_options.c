// run_options.c: command lines are read as Python reads them, behind our own options.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/run_options.h"

#define WORDS_MAX 16

// Splits `line` at spaces ("''" is an empty word); the words live until the next call.
static int
parse(const char *line, asy_run_options *o)
{
    static char text[256];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;

    assert_true((size_t)snprintf(text, sizeof text, "%s", line) < sizeof text);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    argv[argc] = NULL;
    return asy_run_options_parse(argc, argv, o);
}

static void
what_runs_is_found_behind_pythons_options(void **state)
{
    const struct {
        const char *line;
        asy_run_kind kind;
        const char *target, *first;
    } cases[] = {
        {"run x.py", ASY_RUN_SCRIPT, "x.py", "x.py"},
        {"run x.py --calls -o y", ASY_RUN_SCRIPT, "x.py", "x.py"},
        {"run --arena 1M --arena=2g x.py", ASY_RUN_SCRIPT, "x.py", "x.py"},
        {"run --no-c-calls x.py --no-c-calls", ASY_RUN_SCRIPT, "x.py", "x.py"},
        {"run --calls -q x.py -m z", ASY_RUN_SCRIPT, "x.py", "x.py"},
        {"run -o out -I -S x.py", ASY_RUN_SCRIPT, "x.py", "-I"},
        {"run -oout -ISE x.py", ASY_RUN_SCRIPT, "x.py", "-ISE"},
        {"run --output=out -X dev x.py", ASY_RUN_SCRIPT, "x.py", "-X"},
        {"run -Xdev x.py", ASY_RUN_SCRIPT, "x.py", "-Xdev"},
        {"run -IX dev x.py", ASY_RUN_SCRIPT, "x.py", "-IX"},
        {"run -W error -u x.py", ASY_RUN_SCRIPT, "x.py", "-W"},
        {"run -I -q x.py", ASY_RUN_SCRIPT, "x.py", "-I"}, // Python's -q, after an option of Python's
        {"run --check-hash-based-pycs never x.py", ASY_RUN_SCRIPT, "x.py", "--check-hash-based-pycs"},
        {"run --check-hash-based-pycs=never x.py", ASY_RUN_SCRIPT, "x.py", "--check-hash-based-pycs=never"},
        {"run -m a.b -m c", ASY_RUN_MODULE, "a.b", "-m"},
        {"run -Ima.b x.py", ASY_RUN_MODULE, "a.b", "-Ima.b"},
        {"run -c code -m c", ASY_RUN_CODE, "code", "-c"},
        {"run -c ''", ASY_RUN_CODE, "", "-c"},
        {"run -Bccode", ASY_RUN_CODE, "code", "-Bccode"},
        {"run - x", ASY_RUN_STDIN, "-", "-"},
        {"run -q -- make test", ASY_RUN_COMMAND, "make", "make"},
        {"run -- -odd", ASY_RUN_COMMAND, "-odd", "-odd"},
        {"run --python p --arena 1048576 x.py", ASY_RUN_SCRIPT, "x.py", "x.py"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asy_run_options o;

        assert_int_equal(parse(cases[i].line, &o), 0);
        assert_int_equal(o.kind, cases[i].kind);
        assert_string_equal(o.target, cases[i].target);
        assert_string_equal(o.arguments[0], cases[i].first);
    }
}

static void
our_options_are_taken(void **state)
{
    asy_run_options o;

    (void)state;
    assert_int_equal(parse("run --quiet --calls -o f --python=p --arena=2g --no-c-calls x.py", &o), 0);
    assert_true(o.quiet);
    assert_true(o.no_c_calls);
    assert_string_equal(o.output, "f");
    assert_string_equal(o.python, "p");
    assert_true(o.arena_bytes == 2ull << 30);
    assert_int_equal(parse("run x.py --quiet -o f", &o), 0);
    assert_false(o.quiet);
    assert_null(o.output);
    assert_null(o.python);
    assert_true(o.arena_bytes > 1u << 20);
    assert_false(o.no_c_calls);
    assert_int_equal(parse("run -h --nosuch", &o), 0);
    assert_true(o.help);
}

static void
wrong_command_lines_are_refused(void **state)
{
    static const char *const lines[] = {"run",
                                        "run -I",
                                        "run --",
                                        "run -m",
                                        "run -c",
                                        "run -X",
                                        "run -IW",
                                        "run -o",
                                        "run --python",
                                        "run --arena 0 x.py",
                                        "run --arena 5k x.py",
                                        "run --arena 1Mb x.py",
                                        "run --arena 17179869185G x.py", // 2^64 and a little
                                        "run --arena -1 x.py",
                                        "run -Z x.py",
                                        "run --calls=5 x.py",
                                        "run --nosuch",
                                        "run -IZ x.py",
                                        "run --check-hash-based-pycs",
                                        "run --python p -- true"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        asy_run_options o;

        assert_int_equal(parse(lines[i], &o), 2);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_is_found_behind_pythons_options),
        cmocka_unit_test(our_options_are_taken),
        cmocka_unit_test(wrong_command_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
