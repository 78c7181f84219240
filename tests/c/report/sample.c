// sample.c: report_sample KIND FILE writes a recording with known content.
// KIND: nightly, names (what names may hold), corners (recursion, a coroutine, labels with "=" and without text), or a number of
// nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "build.h"

static void
build_names(build *b)
{
    static const char *const names[] = {"quote\"back\\slash", "new\nline\ttab", "漢字",
                                        "\033[31mred",        "<lambda>",       "\xed\xa0\x80\xff"};
    uint32_t n;

    build_begin(b, "-c \"x\"", "/srv", "");
    build_thread(b, "thread \"1\"\n");
    b->process.program_node = n = build_node(b, 0, 0, build_python(b, "<module>", "<string>", 1), 1, 1 * MS, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        build_node(b, 0, n, build_python(b, names[i], names[i], 3), 1 + i, 1 * MS, 0);
    }
    build_node(b, 0, n, build_tag(b, "k\"ey", "v\nalue"), 1, 0, 0);
    build_end(b, 20 * MS);
}

static void
build_corners(build *b)
{
    static const char *const labels[][2] = {{"a", "b=c"}, {"x=y", "z"}, {"", "no key"}, {"no value", ""}};
    uint32_t top, n, fib, work;

    build_begin(b, "corners.py", "/srv", "corners.py");
    fib = build_python(b, "fib", "/srv/corners.py", 2);
    work = build_python(b, "work", "/srv/corners.py", 8);
    build_thread(b, "MainThread");
    top = build_node(b, 0, 0, build_python(b, "<module>", "/srv/corners.py", 1), 1, 1 * MS, 0);
    b->process.program_node = top;
    n = build_node(b, 0, top, fib, 1, 100 * MS, 0);
    n = build_node(b, 0, n, fib, 2, 200 * MS, 0);
    build_node(b, 0, n, fib, 4, 400 * MS, 0);
    n = build_node(b, 0, top, work, 0, 0, 0);
    build_suspended(b, 0, n, 3, 50 * MS, 2500 * MS);
    for (uint32_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        n = build_node(b, 0, top, build_tag(b, labels[i][0], labels[i][1]), 1, 0, 0);
        build_node(b, 0, n, work, i + 1, (i + 1) * MS, 0);
    }
    n = build_node(b, 0, top, build_tag(b, "a", "b=c"), 1, 0, 0);
    n = build_node(b, 0, n, build_tag(b, "x=y", "z"), 1, 0, 0);
    build_node(b, 0, n, work, 70, 70 * MS, 0);
    build_node(b, 0, top, build_python(b, "little", "/srv/corners.py", 9), 1, 1 * MS, 0);
    build_end(b, 900 * MS);
}

// Calls of a hundred functions, ten levels deep and wide.
static void
build_many(build *b, uint32_t count)
{
    uint32_t funcs[100];
    char name[32];

    build_begin(b, "many.py", "/srv", "many.py");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "function_%d", i);
        funcs[i] = i % 3 == 0 ? build_c(b, name, "module") : build_python(b, name, "/srv/many.py", 1 + (uint32_t)i);
    }
    build_thread(b, "MainThread");
    b->process.program_node = build_node(b, 0, 0, funcs[1], 1, 1000, 0);
    for (uint32_t i = 2; i < count; i++) {
        build_node(b, 0, 1 + (i - 2) / 80, funcs[(i - 2) % 80 + (i / 80) % 20], 1 + i % 7, 1000 + i % 977, i % 11);
    }
    build_end(b, 3600ull * 1000 * MS);
}

int
main(int argc, char **argv)
{
    size_t len;
    const void *bytes;
    build b;
    int fd;

    if (argc != 3) {
        fprintf(stderr, "usage: report_sample nightly|names|corners|COUNT FILE\n");
        return 2;
    }
    if (strcmp(argv[1], "nightly") == 0) {
        build_nightly(&b);
    } else if (strcmp(argv[1], "names") == 0) {
        build_names(&b);
    } else if (strcmp(argv[1], "corners") == 0) {
        build_corners(&b);
    } else {
        build_many(&b, (uint32_t)strtoul(argv[1], NULL, 10));
    }
    bytes = asy_writer_bytes(b.writer, &len);
    fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd) != 0) {
        return 1;
    }
    build_free(&b);
    return 0;
}
