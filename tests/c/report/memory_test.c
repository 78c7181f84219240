// memory_test.c: every page again and again, with the Nth allocation failing: an error or a shorter page each
// time, and nothing broken (or leaked, under a sanitizer).
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "build.h"
#include "failing.h"
#include "report/report.h"
#include "report/summary.h"

typedef enum { PAGE_SUMMARY, PAGE_FLAT, PAGE_TREE, PAGE_TAGS, PAGE_CALLERS, PAGE_TAGGED, PAGE_JSON, PAGES } page;

static asy_status
print_page(const asy_profile *p, page which, int fd)
{
    static const char *const tags[] = {"customer=acme", "customer=acme"};
    asy_report r = {.path = "x.assay",
                    .tags = tags,
                    .tag_count = which == PAGE_TAGGED || which == PAGE_JSON ? 2 : 0,
                    .plain = which == PAGE_FLAT,
                    .limit = which == PAGE_FLAT ? 100 : 0,
                    .tree = which == PAGE_TREE || which == PAGE_TAGGED,
                    .by_tag = which == PAGE_TAGS,
                    .callers = which == PAGE_CALLERS ? "build_lookup" : NULL};
    char *problem = NULL;
    asy_status st, closed;
    asy_out o;

    if (which == PAGE_SUMMARY) {
        return asy_summary_print(p, "x.assay", fd, 100, false);
    }
    asy_out_open(&o, fd, 100, false);
    st = which == PAGE_JSON ? asy_report_json(p, &r, &o, &problem) : asy_report_text(p, &r, &o, &problem);
    closed = asy_out_close(&o);
    free(problem);
    return st != ASY_OK ? st : closed;
}

static void
test_any_allocation_may_fail(void **state)
{
    int fd = open("/dev/null", O_WRONLY);
    asy_profile *p;
    build b;

    (void)state;
    build_nightly(&b);
    p = build_load(&b);
    for (int which = 0; which < PAGES; which++) {
        asy_status st = ASY_ENOMEM;
        long n;

        for (n = 0; st != ASY_OK && n < 100000; n++) {
            failing_countdown = n;
            st = print_page(p, (page)which, fd);
            if (failing_countdown >= 0) {
                assert_int_equal(st, ASY_OK); // ran to its end without reaching the failure
            } else if (st != ASY_OK) {
                assert_int_equal(st, ASY_ENOMEM);
            }
            st = failing_countdown >= 0 ? ASY_OK : ASY_ENOMEM; // some failures only shorten a text
            failing_countdown = -1;
        }
        assert_true(n > 20);
        assert_true(n < 100000);
    }
    asy_profile_free(p);
    build_free(&b);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_allocation_may_fail)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
