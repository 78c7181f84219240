// seeds.c: the recordings that a corpus begins with, into the directory that is named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "craft.h"
#include "sample.h"

static int
save(const char *directory, const char *name, const uint8_t *bytes, size_t len)
{
    char path[4096];
    FILE *f;
    int failed;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        return 1;
    }
    failed = fwrite(bytes, 1, len, f) != len;
    return fclose(f) != 0 || failed;
}

// The smallest that says something: one process, thread, function and node.
static uint8_t *
small(size_t *len)
{
    asy_writer *w = NULL;
    asy_symbol head = {.kind = ASY_NODE_PY, .count = 1};
    asy_text name = sample_text("f");
    uint8_t *copy;

    assert_int_equal(asy_writer_new(-1, &w), ASY_OK);
    assert_int_equal(asy_write_session_begin(w, &(asy_write_session){.start_unix_ns = 1}), ASY_OK);
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.main_thread = 0, .program_node = 1}), ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = 0}), ASY_OK);
    assert_int_equal(asy_write_func(w, 0, &head, &name), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 1, 0, 0, ASY_NODE_PY), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 1, &(asy_write_counts){.calls = 1, .self_ns = 2, .wait_ns = 1}),
                     ASY_OK);
    assert_int_equal(asy_write_session_end(w, 9), ASY_OK);
    (void)asy_writer_bytes(w, len);
    copy = malloc(*len);
    assert_non_null(copy);
    memcpy(copy, asy_writer_bytes(w, len), *len);
    asy_writer_free(w);
    return copy;
}

int
main(int argc, char **argv)
{
    size_t len, small_len;
    uint8_t *bytes = sample_bytes(false, &len), *little = small(&small_len);
    asy_buffer plain = craft_uncompressed(bytes, len), newer = craft_newer(little, small_len);
    int failed = 1;

    if (argc == 2) {
        failed = save(argv[1], "seed-compressed", bytes, len) | save(argv[1], "seed-plain", plain.data, plain.len) |
                 save(argv[1], "seed-small", little, small_len) | save(argv[1], "seed-newer", newer.data, newer.len) |
                 save(argv[1], "seed-cut", bytes, len / 2);
    }
    free(bytes);
    free(little);
    asy_buffer_free(&plain);
    asy_buffer_free(&newer);
    return failed;
}
