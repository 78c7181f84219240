// text_test.c: what people read, word for word, and what must hold for any names.
// Golden pages are in golden/; ASY_GOLDEN_WRITE=1 writes them anew, to be looked at before they are kept.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "build.h"
#include "page.h"
#include "report/report.h"
#include "report/summary.h"
#include "report/units.h"
#include "report/words.h"

static char *
report_in(const asy_profile *p, asy_report r, int width, bool color)
{
    int fd = memfd_create("report", 0);
    char *problem = NULL;
    asy_out o;

    assert_true(fd >= 0);
    r.path = "nightly_report.assay";
    asy_out_open(&o, fd, width, color);
    assert_int_equal(asy_report_text(p, &r, &o, &problem), ASY_OK);
    assert_null(problem);
    assert_int_equal(asy_out_close(&o), ASY_OK);
    return page_read(fd);
}

static void
check_golden(const char *name, const char *text)
{
    char path[512];
    char *wanted;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.txt", GOLDEN, name);
    if (getenv("ASY_GOLDEN_WRITE") != NULL) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
    }
    f = fopen(path, "r");
    assert_non_null(f);
    wanted = page_read(dup(fileno(f)));
    fclose(f);
    assert_string_equal(text, wanted);
    free(wanted);
}

static char *
report_of(const asy_profile *p, asy_report r, int width)
{
    return report_in(p, r, width, false);
}

static int
widest_line(const char *text)
{
    char *copy = strdup(text);
    int widest = 0;

    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        int w = asy_text_width(line);

        widest = w > widest ? w : widest;
    }
    free(copy);
    return widest;
}

static int
count_lines(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void
test_pages_are_as_in_golden_and_as_wide_as_the_terminal(void **state)
{
    static const char *const acme[] = {"customer=acme"};
    static const struct {
        const char *name;
        asy_report r;
    } pages[] = {
        {"flat", {.plain = true, .limit = 8}},
        {"by-total", {.order = ASY_ROWS_TOTAL, .limit = 5}},
        {"tags", {.by_tag = true}},
        {"tree", {.tree = true, .limit = 200}},
        {"callers", {.callers = "build_lookup"}},
        {"callees", {.callees = "write_report"}},
        {"acme", {.tags = acme, .tag_count = 1}},
        {"startup", {.select = {.part = ASY_VIEW_STARTUP}}},
    };
    static const int widths[] = {40, 60, 80, 200};
    char name[64];
    asy_profile *p;
    build b;

    (void)state;
    build_nightly(&b);
    p = build_load(&b);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        char *text = page_summary(p, widths[w], false);

        snprintf(name, sizeof name, "summary-%d", widths[w]);
        check_golden(name, text);
        assert_true(widest_line(text) <= widths[w]);
        free(text);
        for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
            text = report_of(p, pages[i].r, widths[w]);
            snprintf(name, sizeof name, "%s-%d", pages[i].name, widths[w]);
            check_golden(name, text);
            assert_true(widest_line(text) <= widths[w]);
            free(text);
        }
    }
    asy_profile_free(p);
    build_free(&b);
}

// The legend stands where the mark does: a star without color, a bold row with it.
static void
test_legend_is_there_exactly_where_your_code_is_marked(void **state)
{
    static const struct {
        asy_report r;
        bool marked;
    } pages[] = {
        {{.limit = 1}, false},
        {{.plain = true, .limit = 1}, true},
        {{.only = "threading.py"}, false},
        {{.only = "lookup.py"}, true},
        {{.tree = true}, true},
        {{.by_tag = true}, false},
        {{.callees = "write_report"}, true},
        {{.callers = "main"}, true},
        {{.only = "Queue*"}, false},
        {{.only = "Queue*", .tree = true}, true},
    };
    asy_profile *p;
    build b;

    (void)state;
    build_nightly(&b);
    p = build_load(&b);
    for (size_t i = 0; i < 2 * (sizeof pages / sizeof *pages); i++) {
        bool color = i % 2 != 0;
        char *text = report_in(p, pages[i / 2].r, 100, color);

        assert_int_equal(strstr(text, "* your code") != NULL, !color && pages[i / 2].marked);
        assert_int_equal(strstr(text, "bold: your code") != NULL, color && pages[i / 2].marked);
        free(text);
    }
    for (int color = 0; color < 2; color++) {
        char *text = page_summary(p, 100, color);

        assert_non_null(strstr(text, color ? "· bold: your code" : "· * your code"));
        free(text);
    }
    asy_profile_free(p);
    build_free(&b);
}

static void
test_names_cannot_command_the_terminal(void **state)
{
    static const char evil[] = "f\033]0;owned\007\n\xe2\x80\xae"
                               "x\xc2\x9b"
                               "31m";
    asy_profile *p;
    build b;
    char *text;
    uint32_t f, tag, n;

    (void)state;
    build_begin(&b, evil, "/p\033[2J", evil);
    f = build_python(&b, evil, "/p\033[2J/\r.py", 1);
    tag = build_tag(&b, "k\033[1m", evil);
    build_thread(&b, evil);
    n = build_node(&b, 0, 0, f, 1, 10 * MS, 0);
    b.process.program_node = n;
    build_node(&b, 0, build_node(&b, 0, n, tag, 1, 0, 0), f, 1, 80 * MS, 0);
    build_note(&b, evil);
    build_end(&b, 100 * MS);
    p = build_load(&b);
    for (int page = 0; page < 5; page++) {
        asy_report r = {.tree = page == 1, .by_tag = page == 2, .callers = page == 3 ? evil : NULL};

        text = page == 4 ? page_summary(p, 100, false) : report_of(p, r, 100);
        for (const char *c = text; *c != '\0'; c++) {
            assert_true((unsigned char)*c >= 0x20 || *c == '\n');
        }
        assert_null(strstr(text, "\xe2\x80\xae"));
        assert_null(strstr(text, "\xc2\x9b"));
        free(text);
    }
    asy_profile_free(p);
    build_free(&b);
}

static void
test_wide_and_combining_names_keep_columns_aligned(void **state)
{
    static const char *const names[] = {"plain", "漢字の関数", "cafe\xcc\x81", "naïve"};
    asy_profile *p;
    build b;
    char *text, *save = NULL;
    int places = 0;

    (void)state;
    build_begin(&b, "", "/p", "");
    build_thread(&b, "MainThread");
    for (int i = 0; i < 4; i++) {
        build_node(&b, 0, 0, build_python(&b, names[i], "/p/x.py", 7), 1, 10 * MS, 0);
    }
    build_end(&b, 100 * MS);
    p = build_load(&b);
    text = report_of(p, (asy_report){0}, 120);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *at = strstr(line, "x.py:7");

        if (at != NULL) {
            static int column;

            *at = '\0';
            assert_true(places == 0 || asy_text_width(line) == column);
            column = asy_text_width(line);
            places++;
        }
    }
    assert_int_equal(places, 4);
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_losses_and_killed_processes_are_said(void **state)
{
    asy_profile *p;
    build b;
    char *text;
    uint32_t f;

    (void)state;
    build_begin(&b, "x.py", "/srv", "x.py");
    f = build_python(&b, "f", "/srv/x.py", 1);
    build_thread(&b, "MainThread");
    b.process.program_node = build_node(&b, 0, 0, f, 1, 1 * MS, 0);
    build_open(&b, 0, b.process.program_node, 3, 900 * MS, 3);
    b.process.exited = 2;
    b.process.status = 9;
    for (int i = 0; i < ASY_LOSS_TAGS + 1; i++) {
        b.process.losses[i] = 1000u + (unsigned)i;
    }
    build_end(&b, 910 * MS);
    p = build_load(&b);
    text = page_summary(p, 80, false);
    assert_non_null(strstr(text, "3 calls begun were never seen to end: the process was killed by SIGKILL"));
    assert_non_null(strstr(text, "not exact: 3 calls counted, some lost"));
    assert_non_null(strstr(text, "1,001 events were not counted"));
    assert_true(count_lines(text) <= 25);
    free(text);
    text = report_of(p, (asy_report){0}, 120);
    assert_non_null(strstr(text, "1,008 forked processes were not measured"));
    assert_non_null(strstr(text, "1,013 changes of tags could not be placed"));
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

// The summary of a program that a signal ended, with `open` calls under way and `closed` ends that were not seen.
static void
expect_end(int number, uint32_t open, uint64_t closed, const char *said)
{
    asy_profile *p;
    build b;
    char *text;

    build_begin(&b, "x.py", "/srv", "x.py");
    build_thread(&b, "MainThread");
    b.process.program_node = build_node(&b, 0, 0, build_python(&b, "f", "/srv/x.py", 1), 1, 1 * MS, 0);
    build_open(&b, 0, b.process.program_node, 3, 900 * MS, open);
    b.process.exited = 2;
    b.process.status = number;
    b.process.losses[ASY_LOSS_RESYNCS] = closed;
    build_end(&b, 910 * MS);
    p = build_load(&b);
    text = page_summary(p, 80, false);
    assert_non_null(strstr(text, said));
    assert_int_equal(strstr(text, "never seen to end") != NULL, open > 0);
    assert_non_null(strstr(text, "\n  exact: 3 calls counted, none lost"));
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_signal_is_named_and_open_calls_only_where_there_are_some(void **state)
{
    (void)state;
    expect_end(SIGINT, 0, 0, "\n  the process was killed by SIGINT\n");
    expect_end(40, 0, 0, "\n  the process was killed by signal 40\n");
    expect_end(SIGTERM, 1, 0, "\n  1 call begun was never seen to end: the process was killed by SIGTERM\n");
    expect_end(40, 2, 0, "\n  2 calls begun were never seen to end: the process was killed by signal 40\n");
    expect_end(SIGINT, 0, 5, "\n  5 calls were closed because their end was not seen\n");
}

static void
test_program_that_did_not_begin_is_said(void **state)
{
    build b;

    (void)state;
    build_begin(&b, "x.py", "/srv", "x.py");
    build_thread(&b, "MainThread");
    build_node(&b, 0, 0, build_python(&b, "f", "<frozen site>", 1), 1, 12 * MS, 0);
    build_end(&b, 20 * MS);
    page_expect_in_summary(&b, "assay: the program did not begin: only its interpreter's start-up was (12.0 ms)");
    build_free(&b);
}

static void
test_cut_recording_is_reported_as_far_as_it_goes(void **state)
{
    asy_profile *p;
    build b;
    const char *problem, *bytes;
    char *text;
    size_t len;

    (void)state;
    build_nightly(&b);
    bytes = asy_writer_bytes(b.writer, &len);
    assert_int_equal(asy_profile_load_bytes(bytes, len - 3, &p, &problem), ASY_OK);
    text = page_summary(p, 100, false);
    assert_non_null(strstr(text, "the recording"));
    assert_non_null(strstr(text, "not exact"));
    free(text);
    asy_profile_free(p);
    build_free(&b);
}

static void
test_units_have_three_digits_and_never_jump(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {{0, "0 s"},
                 {740, "740 ns"},
                 {999, "999 ns"},
                 {1000, "1.00 µs"},
                 {32200, "32.2 µs"},
                 {999499, "999 µs"},
                 {999500, "1.00 ms"},
                 {1110000, "1.11 ms"},
                 {9995000, "10.0 ms"},
                 {99950000, "100 ms"},
                 {5320000000, "5.32 s"},
                 {59960000000, "60.0 s"},
                 {123456000000, "123 s"},
                 {1234000000000, "1,234 s"}};

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_string_equal(asy_units_time(times[i].ns).s, times[i].text);
    }
    assert_string_equal(asy_units_count(1204331).s, "1,204,331");
    assert_string_equal(asy_units_count(12).s, "12");
    assert_string_equal(asy_units_percent(1, 1000).s, "<1 %");
    assert_string_equal(asy_units_percent(996, 1000).s, "99 %");
    assert_string_equal(asy_units_percent(0, 0).s, "0 %");
    assert_string_equal(asy_units_column(20000000, 5000000000).s, "0.02 s");
    assert_string_equal(asy_units_column(2000000, 5000000000).s, "2.00 ms");
}

// Hours, millions of recursive calls, suspended time and long names, all at once.
static void
test_widest_rows_fit_80_columns(void **state)
{
    static const char name[] = "Repository.<locals>.find_all_matching_entries";
    asy_profile *p;
    build b;
    uint32_t f, module, n;

    (void)state;
    build_begin(&b, "x.py", "/srv", "x.py");
    f = build_python(&b, name, "/srv/a_package_of_some_size/a_module_with_a_long_name.py", 12345);
    module = build_python(&b, "<module>", "/srv/x.py", 1);
    build_thread(&b, "MainThread");
    n = build_node(&b, 0, 0, module, 1, 1 * MS, 0);
    b.process.program_node = n;
    for (uint64_t calls = 1000; calls < 3000000; calls *= 2000) {
        n = build_node(&b, 0, n, f, 0, 0, 0);
        build_suspended(&b, 0, n, calls, 12345678 * MS, 98765432 * MS);
    }
    build_end(&b, 98765432 * MS);
    p = build_load(&b);
    for (int page = 0; page < 4; page++) {
        asy_report r = {
            .tree = page == 1, .callers = page == 2 ? name : NULL, .callees = page == 3 ? "<module>" : NULL};
        char *text = report_of(p, r, 80);

        assert_true(widest_line(text) <= 80);
        assert_non_null(strstr(text, "suspended"));
        assert_non_null(strstr(text, page == 1 ? "2,001,000" : page == 3 ? "1,000" : "1,000/2,001,000"));
        free(text);
    }
    asy_profile_free(p);
    build_free(&b);
}

// A program that shares the terminal or pipe may have left it non-blocking. It is full when the page begins.
static void
test_page_waits_for_a_full_pipe_that_does_not_block(void **state)
{
    char bytes[4096] = {0};
    long filled = 0, left = 0;
    int ends[2], status;
    asy_out o;
    pid_t reader;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n = 0; n >= 0; n = write(ends[1], bytes, sizeof bytes)) {
        filled += n;
    }
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        usleep(50000); // the page has found the pipe full
        close(ends[1]);
        for (ssize_t n = 0; n >= 0 && (n > 0 || left == 0); n = read(ends[0], bytes, sizeof bytes)) {
            left += n;
        }
        _exit(left == filled + 5 ? 0 : 1);
    }
    close(ends[0]);
    asy_out_open(&o, ends[1], 80, false);
    asy_out_put(&o, "hello");
    assert_int_equal(asy_out_close(&o), ASY_OK);
    close(ends[1]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_as_in_golden_and_as_wide_as_the_terminal),
        cmocka_unit_test(test_legend_is_there_exactly_where_your_code_is_marked),
        cmocka_unit_test(test_widest_rows_fit_80_columns),
        cmocka_unit_test(test_names_cannot_command_the_terminal),
        cmocka_unit_test(test_wide_and_combining_names_keep_columns_aligned),
        cmocka_unit_test(test_losses_and_killed_processes_are_said),
        cmocka_unit_test(test_signal_is_named_and_open_calls_only_where_there_are_some),
        cmocka_unit_test(test_program_that_did_not_begin_is_said),
        cmocka_unit_test(test_cut_recording_is_reported_as_far_as_it_goes),
        cmocka_unit_test(test_page_waits_for_a_full_pipe_that_does_not_block),
        cmocka_unit_test(test_units_have_three_digits_and_never_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
