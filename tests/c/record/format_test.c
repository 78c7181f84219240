// format_test.c: docs/format.md describes what is written, byte for byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "craft.h"
#include "record/crc.h"
#include "record/varint.h"
#include "sample.h"

// The recording of the example in docs/format.md.
static asy_writer *
example(void)
{
    asy_writer *w = NULL;
    asy_symbol py = {.kind = ASY_NODE_PY, .count = 3, .line = 31}, tag = {.kind = ASY_NODE_TAG, .count = 2};
    asy_text names[] = {sample_text("Job.run"), sample_text("run"), sample_text("job.py")};
    asy_text labels[] = {sample_text("customer"), sample_text("acme")};
    asy_write_session s = {1700000000000000000, "assay run job.py", "/srv", "job.py", "0.1.0"};
    asy_write_process p = {.pid = 4000, .parent_pid = 1, .start_ns = 10, .end_ns = 900, .python_version = 0x030C01F0};
    asy_write_thread t = {.serial = 1, .native_id = 4000, .start_ns = 20, .end_ns = 800, .cpu_ns = 600};

    p.program_node = 1;
    p.exited = 2;
    p.status = 9;
    p.executable = sample_text("python3");
    p.cwd = sample_text("/srv");
    p.command = sample_text("python3 job.py");
    p.losses[ASY_LOSS_EVENTS] = 300;
    t.flags = ASY_THREAD_F_MAIN;
    t.name = sample_text("MainThread");
    assert_int_equal(asy_writer_new(-1, &w), ASY_OK);
    assert_int_equal(asy_write_session_begin(w, &s), ASY_OK);
    assert_int_equal(asy_write_process_row(w, &p), ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &t), ASY_OK);
    assert_int_equal(asy_write_func(w, 0, &py, names), ASY_OK);
    assert_int_equal(asy_write_func(w, 1, &tag, labels), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 1, 0, 0, ASY_NODE_PY), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 2, 1, 1, ASY_NODE_TAG), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 3, 2, 0, ASY_NODE_PY | ASY_NODE_F_FOLDED), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 1, &(asy_write_counts){1, 0, 0, 500, 200, 0, 1}), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 3, &(asy_write_counts){7, 2, 1, 130, 0, 40, 0}), ASY_OK);
    assert_int_equal(asy_write_note(w, "1 PyPy ran unprofiled"), ASY_OK);
    assert_int_equal(asy_write_losses(w, (uint64_t[ASY_LOSS_COUNT]){0, 0, 5}), ASY_OK);
    assert_int_equal(asy_write_session_end(w, 1000), ASY_OK);
    return w;
}

static FILE *
open_document(void)
{
    const char *source = getenv("ASSAY_SOURCE");
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/docs/format.md", source != NULL ? source : ".");
    return fopen(path, "r");
}

// The bytes of a line "OFFSET  xx xx xx   what they are". False: it is no such line.
static bool
take_line(const char *line, asy_buffer *out)
{
    char *p;
    unsigned long offset = strtoul(line, &p, 16);

    if (p != line + 4 || strncmp(p, "  ", 2) != 0) {
        return false;
    }
    assert_int_equal(offset, out->len);
    for (p++; p[0] == ' ' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]); p += 3) {
        uint8_t byte = (uint8_t)strtoul(p + 1, NULL, 16);

        craft_bytes(out, &byte, 1);
    }
    return true;
}

static void
the_example_is_what_is_written(void **state)
{
    FILE *f = open_document();
    asy_writer *w = example();
    asy_buffer said = {0};
    char line[512];
    size_t len;
    const void *bytes = asy_writer_bytes(w, &len);

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        (void)take_line(line, &said);
    }
    (void)fclose(f);
    assert_int_equal(said.len, len);
    assert_memory_equal(said.data, bytes, len);
    asy_buffer_free(&said);
    asy_writer_free(w);
}

static void
the_example_is_read_as_it_says(void **state)
{
    asy_writer *w = example();
    asy_profile *p = NULL;
    size_t len;
    const void *bytes = asy_writer_bytes(w, &len);

    (void)state;
    assert_int_equal(asy_profile_load_bytes(bytes, len, &p, NULL), ASY_OK);
    assert_null(invariant_broken(p));
    assert_true(p->complete);
    assert_int_equal(p->processes[0].main_thread, 0);
    assert_int_equal(p->processes[0].program_node, 1);
    assert_string_equal(p->funcs[1].name, "customer=acme");
    assert_int_equal(p->threads[0].nodes[3].parent, 2);
    assert_int_equal(p->threads[0].nodes[3].kind, ASY_NODE_PY | ASY_NODE_F_FOLDED);
    assert_int_equal(p->threads[0].nodes[3].suspended_ns, 40);
    assert_int_equal(p->threads[0].nodes[2].calls, 0);
    asy_profile_free(p);
    asy_writer_free(w);
}

static void
each_limit_in_the_document_is_the_code_s(void **state)
{
    const struct {
        const char *name;
        unsigned long long value;
    } limits[] = {
        {"format version", ASY_FORMAT_VERSION},        {"raw bytes of a block", ASY_FORMAT_BLOCK_MAX},
        {"raw bytes free", ASY_FORMAT_RAW_FREE},       {"raw bytes a file byte", ASY_FORMAT_RAW_RATIO},
        {"bytes of a text", ASY_FORMAT_TEXT_MAX},      {"a count or time", ASY_FORMAT_VALUE_MAX},
        {"strings of a function", ASY_SYMBOL_STRINGS},
    };
    FILE *f = open_document();
    char line[512];
    size_t found = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            char row[128];

            (void)snprintf(row, sizeof row, "| %s | %llu |", limits[i].name, limits[i].value);
            found += strncmp(line, row, strlen(row)) == 0;
        }
    }
    (void)fclose(f);
    assert_int_equal(found, sizeof limits / sizeof *limits);
}

// The check value of the CRC catalogues for this CRC-32, and the same over every split.
static void
the_checksum_is_the_common_crc32(void **state)
{
    static const char digits[] = "123456789123456789123456789";
    asy_crc crc;

    (void)state;
    asy_crc_init(&crc);
    assert_int_equal(asy_crc_update(&crc, 0, digits, 9), 0xCBF43926u);
    for (size_t split = 0; split <= 27; split++) {
        assert_int_equal(asy_crc_update(&crc, asy_crc_update(&crc, 0, digits, split), digits + split, 27 - split),
                         asy_crc_update(&crc, 0, digits, 27));
    }
}

static void
numbers_of_every_length_are_read_as_written(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t v = (1ULL << bit) - 1; v <= (1ULL << bit) && v + 1 != 0; v++) {
            uint8_t buf[ASY_VARINT_BYTES];
            uint8_t *end = asy_varint_put(buf, v);
            uint64_t back = 0;

            assert_ptr_equal(asy_varint_get(buf, end, &back), end);
            assert_int_equal(back, v);
            assert_null(asy_varint_get(buf, end - 1, &back));
            assert_int_equal(asy_varint_zigzag(asy_varint_unzigzag(v)), v);
        }
    }
    assert_int_equal(asy_varint_zigzag(-1), 1);
    assert_int_equal(asy_varint_zigzag(1), 2);
    assert_int_equal(asy_varint_zigzag(INT64_MIN), UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_what_is_written),
        cmocka_unit_test(the_example_is_read_as_it_says),
        cmocka_unit_test(each_limit_in_the_document_is_the_code_s),
        cmocka_unit_test(the_checksum_is_the_common_crc32),
        cmocka_unit_test(numbers_of_every_length_are_read_as_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
