// sample.c: report_sample KIND FILE writes a recording with known content.
// KIND: nightly, names (what names may hold), or a number of nodes.
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
        fprintf(stderr, "usage: report_sample nightly|names|COUNT FILE\n");
        return 2;
    }
    if (strcmp(argv[1], "nightly") == 0) {
        build_nightly(&b);
    } else if (strcmp(argv[1], "names") == 0) {
        build_names(&b);
    } else {
        build_many(&b, (uint32_t)atol(argv[1]));
    }
    bytes = asy_writer_bytes(b.writer, &len);
    fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd) != 0) {
        return 1;
    }
    build_free(&b);
    return 0;
}
