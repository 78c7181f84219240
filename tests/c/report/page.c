// page.c: pages into memory.
#include "page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/summary.h"

char *
page_read(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)size + 1);

    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    text[size] = '\0';
    close(fd);
    return text;
}

char *
page_summary(const asy_profile *p, int width, bool color)
{
    int fd = memfd_create("summary", 0);

    assert_true(fd >= 0);
    assert_int_equal(asy_summary_print(p, "nightly_report.assay", fd, width, color), ASY_OK);
    return page_read(fd);
}

char *
page_answer(const asy_profile *p)
{
    char *text = page_summary(p, 200, false);
    char *end = strstr(text, "  wall");

    assert_non_null(end);
    *end = '\0';
    return text;
}

void
page_expect_answer(build *b, const char *whole)
{
    asy_profile *p = build_load(b);
    char *text = page_answer(p);

    assert_string_equal(text, whole);
    free(text);
    asy_profile_free(p);
}

// `text` is moved here.
static void
expect_part(char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("no \"%s\" in:\n%s", part, text);
    }
    free(text);
}

void
page_expect_in_answer(build *b, const char *part)
{
    asy_profile *p = build_load(b);

    expect_part(page_answer(p), part);
    asy_profile_free(p);
}

void
page_expect_in_summary(build *b, const char *part)
{
    asy_profile *p = build_load(b);

    expect_part(page_summary(p, 80, false), part);
    asy_profile_free(p);
}
