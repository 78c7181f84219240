// hostile_test.c: whole blocks with right checksums that say what no recording may say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "craft.h"
#include "record/varint.h"
#include "sample.h"

#define NUMBERS(...)                                                                                                   \
    (sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)), (uint64_t[])                                               \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define OVER (ASY_FORMAT_VALUE_MAX + 1)

typedef struct {
    asy_buffer file, raw, row;
} hand; // a recording in the making

static void
put_process(hand *h, uint64_t id, uint64_t main_thread, uint64_t exited)
{
    craft_numbers(&h->row, NUMBERS(id, 100, 1, 0, 5, 6, 0x030C0000, 0, main_thread, 1, 0, 0, exited, 0, 1, 2, 3, 4, 5));
    craft_number(&h->row, 0); // losses
    craft_text(&h->row, "python");
    craft_text(&h->row, "/");
    craft_text(&h->row, "python x");
    craft_row(&h->raw, &h->row);
}

static void
put_thread(hand *h, uint64_t id, uint64_t process, uint64_t ended, uint64_t overhead_ns)
{
    craft_numbers(&h->row, NUMBERS(id, process, 1, 2, 3, 4, 5, 6, 7, ended, overhead_ns, 9));
    craft_text(&h->row, "T");
    craft_row(&h->raw, &h->row);
}

static void
put_func(hand *h, uint64_t id, uint64_t kind, uint64_t strings)
{
    craft_numbers(&h->row, NUMBERS(id, kind, 0, 1, strings));
    for (uint64_t i = 0; i < strings; i++) {
        craft_text(&h->row, "s");
    }
    craft_row(&h->raw, &h->row);
}

static void
end_block(hand *h, uint32_t type)
{
    craft_plain_block(&h->file, type, &h->raw);
}

// One process, one thread (0), functions 0 and 1.
static hand
begun(void)
{
    hand h = {0};

    craft_file_head(&h.file);
    put_process(&h, 0, 1, 1);
    end_block(&h, ASY_BLOCK_PROCESSES);
    put_thread(&h, 0, 0, 1, 8);
    end_block(&h, ASY_BLOCK_THREADS);
    put_func(&h, 0, ASY_NODE_PY, 3);
    put_func(&h, 1, ASY_NODE_C, 3);
    end_block(&h, ASY_BLOCK_FUNCS);
    return h;
}

// Load it, and forget it. The status and the problem's clause must be these; with ASY_OK, `clause` is why it was cut, or NULL.
static void
expect(hand *h, asy_status status, const char *clause)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    asy_status st = asy_profile_load_bytes(h->file.data, h->file.len, &p, &problem);

    if (clause == NULL) {
        assert_null(problem);
    } else {
        assert_non_null(problem);
        assert_non_null(strstr(problem, clause));
        assert_non_null(strstr(problem, ", at byte "));
    }
    assert_int_equal(st, status);
    assert_true((p != NULL) == (status == ASY_OK));
    if (p != NULL) {
        assert_null(invariant_broken(p));
    }
    asy_profile_free(p);
    asy_buffer_free(&h->file);
    asy_buffer_free(&h->raw);
    asy_buffer_free(&h->row);
}

// As they are written: differences to the row before, the parent as a distance, function + 1.
static void
expect_nodes(size_t rows, const uint64_t *v, asy_status status, const char *clause)
{
    hand h = begun();

    craft_columns(&h.raw, rows, ASY_NODES_COLUMNS, v);
    end_block(&h, ASY_BLOCK_NODES);
    craft_number(&h.row, 77);
    craft_row(&h.raw, &h.row);
    end_block(&h, ASY_BLOCK_END);
    expect(&h, status, clause);
}

#define ROOT 0, 0, 0, 0, ASY_NODE_ROOT

static void
nodes_out_of_order_are_refused(void **state)
{
    const char *order = "a node's parent does not stand before it";

    (void)state;
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, 1, ASY_NODE_PY}, ASY_OK, NULL);
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 0, 1, ASY_NODE_PY}, ASY_ECORRUPT, order);          // its own parent
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 2, 1, ASY_NODE_PY}, ASY_ECORRUPT, order);          // parent -1
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, UINT32_MAX, 1, ASY_NODE_PY}, ASY_ECORRUPT, order); // parent 2
    expect_nodes(1, (uint64_t[]){0, 0, 1, 0, ASY_NODE_ROOT}, ASY_ECORRUPT, order);              // the root's
    expect_nodes(2, (uint64_t[]){ROOT, 0, 1, 0, 0, ASY_NODE_ROOT}, ASY_ECORRUPT, "defined twice");
    expect_nodes(1, (uint64_t[]){0, 2, 1, 1, ASY_NODE_PY}, ASY_ECORRUPT, "missing before another");
    expect_nodes(2, (uint64_t[]){ROOT, 0, 2, 1, 1, ASY_NODE_PY}, ASY_ECORRUPT, "missing before another");
    expect_nodes(1, (uint64_t[]){2, 0, 0, 0, ASY_NODE_ROOT}, ASY_ECORRUPT, "of no thread");
}

static void
nodes_out_of_range_are_refused(void **state)
{
    const char *range = "out of its range";

    (void)state;
    expect_nodes(1, (uint64_t[]){1, 0, 0, 0, ASY_NODE_ROOT}, ASY_ECORRUPT, range); // thread -1
    expect_nodes(1, (uint64_t[]){0, 1, 0, 0, ASY_NODE_ROOT}, ASY_ECORRUPT, range); // node -1
    expect_nodes(1, (uint64_t[]){2ULL << 32, 0, 0, 0, 0}, ASY_ECORRUPT, range);
    expect_nodes(1, (uint64_t[]){0, 2ULL << 32, 0, 0, 0}, ASY_ECORRUPT, range);
    expect_nodes(1, (uint64_t[]){UINT64_MAX, 0, 0, 0, 0}, ASY_ECORRUPT, range);
    expect_nodes(2, (uint64_t[]){ROOT, 0, (2ULL << 32) - 2, 1, 1, ASY_NODE_PY}, ASY_ECORRUPT, range);
    expect_nodes(1, (uint64_t[]){0, 0, 1ULL << 32, 0, 0}, ASY_ECORRUPT, range);
    expect_nodes(1, (uint64_t[]){0, 0, 0, 1ULL << 32, 0}, ASY_ECORRUPT, range);
    expect_nodes(1, (uint64_t[]){0, 0, 0, 0, 1ULL << 32}, ASY_ECORRUPT, range);
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, 3, ASY_NODE_PY}, ASY_ECORRUPT, "function is not defined");
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, UINT32_MAX, ASY_NODE_PY}, ASY_ECORRUPT, "function is not defined");
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, 0, ASY_NODE_PY}, ASY_ECORRUPT, "no function");
    expect_nodes(1, (uint64_t[]){0, 0, 0, 1, ASY_NODE_ROOT}, ASY_ECORRUPT, "no function"); // a root with one
    expect_nodes(1, (uint64_t[]){0, 0, 0, 0, ASY_NODE_PY}, ASY_ECORRUPT, "unknown kind");
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, 1, ASY_NODE_ROOT}, ASY_ECORRUPT, "unknown kind");
    expect_nodes(2, (uint64_t[]){ROOT, 0, 0, 1, 1, ASY_NODE_KINDS}, ASY_ECORRUPT, "unknown kind");
}

static void
expect_counts(size_t rows, const uint64_t *v, asy_status status, const char *clause)
{
    hand h = begun();

    craft_columns(&h.raw, 2, ASY_NODES_COLUMNS, (uint64_t[]){ROOT, 0, 0, 1, 1, ASY_NODE_PY});
    end_block(&h, ASY_BLOCK_NODES);
    craft_columns(&h.raw, rows, ASY_COUNTS_COLUMNS, v);
    end_block(&h, ASY_BLOCK_COUNTS);
    craft_number(&h.row, 77);
    craft_row(&h.raw, &h.row);
    end_block(&h, ASY_BLOCK_END);
    expect(&h, status, clause);
}

static void
counts_that_cannot_be_are_refused(void **state)
{
    const char *range = "out of its range";

    (void)state;
    expect_counts(1, (uint64_t[]){0, 0, 1, 2, 3, 9, 9, 5, 1}, ASY_OK, NULL);
    expect_counts(1, (uint64_t[]){0, 4, 1, 2, 3, 9, 9, 5, 1}, ASY_ECORRUPT, "not defined"); // node 2 of 2
    expect_counts(1, (uint64_t[]){2, 0, 1, 2, 3, 9, 9, 5, 1}, ASY_ECORRUPT, "not defined"); // thread 1 of 1
    expect_counts(1, (uint64_t[]){0, 0, 1, 2, 3, 9, 10, 5, 1}, ASY_ECORRUPT, "waited for longer");
    for (int column = 2; column < 8; column++) {
        uint64_t v[] = {0, 0, 0, 0, 0, OVER, 0, 0, 0};

        v[5] = column == 6 ? ASY_FORMAT_VALUE_MAX : 0;
        v[column] = OVER;
        expect_counts(1, v, ASY_ECORRUPT, range);
    }
    expect_counts(1, (uint64_t[]){0, 0, 0, 0, 0, 0, 0, 0, 1ULL << 32}, ASY_ECORRUPT, range);
    expect_counts(2, (uint64_t[]){0, 0, 1ULL << 62, 0, 0, 0, 0, 0, 0, 0, 0, 1ULL << 62, 0, 0, 0, 0, 0, 0}, ASY_ECORRUPT,
                  "add up");
    expect_counts(2, (uint64_t[]){0, 0, 0, 0, 0, 1ULL << 62, 0, 0, 0, 0, 0, 0, 0, 0, 1ULL << 62, 0, 0, 0}, ASY_ECORRUPT,
                  "add up");
}

static void
counts_before_their_nodes_are_refused(void **state)
{
    hand h = begun();

    (void)state;
    craft_columns(&h.raw, 1, ASY_COUNTS_COLUMNS, (uint64_t[]){0, 0, 1, 2, 3, 9, 9, 5, 1});
    end_block(&h, ASY_BLOCK_COUNTS);
    craft_columns(&h.raw, 1, ASY_NODES_COLUMNS, (uint64_t[]){ROOT});
    end_block(&h, ASY_BLOCK_NODES);
    expect(&h, ASY_ECORRUPT, "something is counted that is not defined");
}

static void
expect_raw(uint32_t type, const char *raw, size_t len, const char *clause)
{
    hand h = begun();

    craft_bytes(&h.raw, raw, len);
    end_block(&h, type);
    expect(&h, ASY_ECORRUPT, clause);
}

static void
columns_that_lie_about_their_lengths_are_refused(void **state)
{
    const char *lengths = "its columns are not what their lengths say";

    (void)state;
    expect_raw(ASY_BLOCK_NODES, "", 0, lengths);
    expect_raw(ASY_BLOCK_NODES, "\x01", 1, lengths);
    expect_raw(ASY_BLOCK_NODES, "\x01\x04\x01\x00\x01\x00\x01\x00\x01\x00", 10, lengths); // a column too few
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\x01\x00\x01\x00\x01\x00\x01\x00", 10, lengths); // the last one missing
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\x01\x00\x01\x00\x01\x00\x01\x00\x02\x00", 12, lengths);     // and cut
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x00", 13, lengths); // bytes behind it
    expect_raw(ASY_BLOCK_NODES, "\x02\x05\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00", 12, lengths); // rows without bytes
    expect_raw(ASY_BLOCK_NODES, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x05\x00\x00\x00\x00\x00", 16, lengths);
    expect_raw(ASY_BLOCK_NODES, "\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x00\x00", 13, lengths); // 2^64 columns
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x00\x00", 14, lengths);
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\x02\x00\x00\x01\x00\x01\x00\x01\x00\x01\x00", 13, "longer than its rows");
    expect_raw(ASY_BLOCK_NODES, "\x01\x05\x01\x80\x01\x00\x01\x00\x01\x00\x01\x00", 12, "a column is cut short");
}

static void
rows_that_lie_about_their_lengths_are_refused(void **state)
{
    (void)state;
    expect_raw(ASY_BLOCK_NOTES, "\x05\x01x", 3, "a row is cut short");
    expect_raw(ASY_BLOCK_NOTES, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x", 11, "a row is cut short");
    expect_raw(ASY_BLOCK_NOTES, "\x80", 1, "a row is cut short");
    expect_raw(ASY_BLOCK_NOTES, "\x00", 1, "a row is cut short"); // a row without its text
    expect_raw(ASY_BLOCK_NOTES, "\x02\x05x", 3, "a text is cut short");
    expect_raw(ASY_BLOCK_NOTES, "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11,
               "a row is cut short"); // over 64 bits
    expect_raw(ASY_BLOCK_END, "\x01\x80", 2, "a row is cut short");
    expect_raw(ASY_BLOCK_LOSSES, "\x02\x7F\x01", 3, "a row is cut short");
    expect_raw(ASY_BLOCK_LOSSES, "\x05\xFF\xFF\xFF\xFF\x0F", 6, "out of its range");
}

static void
texts_over_the_limit_are_refused(void **state)
{
    char *text = malloc(ASY_FORMAT_TEXT_MAX + 2);

    (void)state;
    assert_non_null(text);
    for (size_t over = 0; over < 2; over++) {
        hand h = begun();

        memset(text, 'x', ASY_FORMAT_TEXT_MAX + 1);
        text[ASY_FORMAT_TEXT_MAX + over] = '\0';
        craft_text(&h.row, text);
        craft_row(&h.raw, &h.row);
        end_block(&h, ASY_BLOCK_NOTES);
        expect(&h, over == 0 ? ASY_OK : ASY_ECORRUPT, over == 0 ? "it ends before its end block" : "out of its range");
    }
    free(text);
}

static void
expect_func(uint64_t id, uint64_t kind, uint64_t strings, asy_status status, const char *clause)
{
    hand h = begun();

    put_func(&h, id, kind, strings);
    end_block(&h, ASY_BLOCK_FUNCS);
    expect(&h, status, clause);
}

static void
functions_that_contradict_are_refused(void **state)
{
    const char *cut = "it ends before its end block";

    (void)state;
    expect_func(2, ASY_NODE_PY, 0, ASY_OK, cut);
    expect_func(2, ASY_NODE_TAG, 4, ASY_OK, cut);
    expect_func(2, ASY_NODE_PY, ASY_SYMBOL_STRINGS, ASY_OK, cut);
    expect_func(2, ASY_NODE_PY, ASY_SYMBOL_STRINGS + 1, ASY_ECORRUPT, "out of its range");
    expect_func(1, ASY_NODE_PY, 3, ASY_ECORRUPT, "a function is defined twice");
    expect_func(3, ASY_NODE_PY, 3, ASY_ECORRUPT, "a function is missing");
    expect_func(UINT32_MAX, ASY_NODE_PY, 3, ASY_ECORRUPT, "out of its range");
    expect_func(2, ASY_NODE_ROOT, 3, ASY_ECORRUPT, "of no kind");
    expect_func(2, ASY_NODE_TAG, 3, ASY_ECORRUPT, "of no kind");
    expect_func(2, ASY_NODE_KINDS, 3, ASY_ECORRUPT, "out of its range");
}

static void
threads_and_processes_that_contradict_are_refused(void **state)
{
    static const struct {
        uint64_t id, process, ended, overhead_ns;
        const char *clause;
    } threads[] = {
        {1, 1, 0, 0, "a thread is of no process"},
        {1, UINT32_MAX, 0, 0, "a thread is of no process"},
        {2, 0, 0, 0, "a thread is missing before another"},
        {UINT32_MAX, 0, 0, 0, "a thread is missing before another"},
        {1ULL << 32, 0, 0, 0, "out of its range"},
        {1, 0, 2, 0, "out of its range"},
        {1, 0, 1, OVER, "out of its range"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        hand h = begun();

        put_thread(&h, threads[i].id, threads[i].process, threads[i].ended, threads[i].overhead_ns);
        end_block(&h, ASY_BLOCK_THREADS);
        expect(&h, ASY_ECORRUPT, threads[i].clause);
    }
    for (int i = 0; i < 2; i++) {
        hand h = begun();

        put_process(&h, i == 0 ? 2 : 1, 0, i == 0 ? 1 : 3);
        end_block(&h, ASY_BLOCK_PROCESSES);
        expect(&h, ASY_ECORRUPT, i == 0 ? "a process is missing before another" : "out of its range");
    }
}

// A process may be written before its main thread: what a cut leaves dangling is not known.
static void
ids_that_dangle_are_unknown(void **state)
{
    hand h = {0};
    asy_profile *p = NULL;
    const char *problem;

    (void)state;
    craft_file_head(&h.file);
    put_process(&h, 0, 1, 1);  // thread 0: of this process, but node 1 is not there
    put_process(&h, 1, 1, 1);  // thread 0: of another
    put_process(&h, 2, 99, 1); // thread 98: not there
    end_block(&h, ASY_BLOCK_PROCESSES);
    put_thread(&h, 0, 0, 1, 8);
    end_block(&h, ASY_BLOCK_THREADS);
    assert_int_equal(asy_profile_load_bytes(h.file.data, h.file.len, &p, &problem), ASY_OK);
    assert_int_equal(p->processes[0].main_thread, 0);
    assert_int_equal(p->processes[0].program_node, 0);
    assert_int_equal(p->processes[1].main_thread, UINT32_MAX);
    assert_int_equal(p->processes[2].main_thread, UINT32_MAX);
    assert_int_equal(p->processes[2].program_node, 0);
    asy_profile_free(p);
    expect(&h, ASY_OK, "it ends before its end block");
}

static void
a_recording_that_begins_twice_is_refused(void **state)
{
    hand h = begun();

    (void)state;
    for (int i = 0; i < 2; i++) {
        craft_number(&h.row, 1);
        for (int k = 0; k < 4; k++) {
            craft_text(&h.row, "x");
        }
        craft_row(&h.raw, &h.row);
    }
    end_block(&h, ASY_BLOCK_SESSION);
    expect(&h, ASY_ECORRUPT, "it begins twice");
}

static void
every_bad_byte_becomes_a_replacement(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } texts[] = {
        {"a\x00z", 3, "a\xEF\xBF\xBDz"},             // texts are terminated
        {"\xC0\x80", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"}, // overlong
        {"\xE0\x80\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", 4, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, // over U+10FFFF
        {"\xED\xB2\x80!", 4, "\xEF\xBF\xBD!"},                                       // a lone surrogate is one
        {"\xED\xA0", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},                                 // half of one is not
        {"\xE2\x82", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},                                 // cut
        {"\xF0\x9F\x92\xA9", 4, "\xF0\x9F\x92\xA9"},
        {"\x80"
         "b",
         2,
         "\xEF\xBF\xBD"
         "b"},
    };
    hand h = begun();
    asy_profile *p = NULL;
    const char *problem;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        craft_number(&h.row, texts[i].len);
        craft_bytes(&h.row, texts[i].in, texts[i].len);
        craft_row(&h.raw, &h.row);
    }
    end_block(&h, ASY_BLOCK_NOTES);
    assert_int_equal(asy_profile_load_bytes(h.file.data, h.file.len, &p, &problem), ASY_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_string_equal(p->notes[i], texts[i].out);
    }
    asy_profile_free(p);
    expect(&h, ASY_OK, "it ends before its end block");
}

static void
expect_head(uint32_t flags, size_t raw_bytes, size_t stored_bytes, const char *clause)
{
    static const char bytes[64];
    hand h = begun();

    craft_block(&h.file, ASY_BLOCK_NOTES, flags, raw_bytes, bytes, stored_bytes);
    expect(&h, ASY_OK, clause);
}

static void
blocks_with_wrong_heads_end_the_recording(void **state)
{
    (void)state;
    expect_head(0, ASY_FORMAT_BLOCK_MAX + 1, 8, "longer than blocks may be");
    expect_head(ASY_BLOCK_F_ZSTD, UINT32_MAX, 8, "longer than blocks may be");
    expect_head(ASY_BLOCK_F_ZSTD, 7, 8, "longer than blocks may be");
    expect_head(0, 9, 8, "coded in an unknown way");
    expect_head(2, 8, 8, "coded in an unknown way");
    expect_head(ASY_BLOCK_F_ZSTD | 2, 80, 8, "coded in an unknown way");
    expect_head(ASY_BLOCK_F_ZSTD, 80, 8, "cannot be decompressed");
}

static void
empty_blocks_say_nothing(void **state)
{
    char path[] = "hostile-XXXXXX";
    int fd = mkstemp(path);
    hand h = begun();
    asy_profile *p = NULL;

    (void)state;
    for (uint32_t coding = 0; coding < 2; coding++) {
        craft_block(&h.file, ASY_BLOCK_NOTES, coding, 0, "", 0);
        craft_block(&h.file, ASY_BLOCK_TYPES, coding, 0, "", 0);
    }
    assert_int_equal(write(fd, h.file.data, h.file.len), h.file.len);
    assert_int_equal(asy_profile_load_file(path, &p, NULL), ASY_OK);
    assert_int_equal(p->cut_at, h.file.len);
    assert_int_equal(p->note_count, 0);
    asy_profile_free(p);
    expect(&h, ASY_OK, "it ends before its end block");
    close(fd);
    unlink(path);
}

static void
other_versions_are_named(void **state)
{
    (void)state;
    for (uint32_t version = 0; version < 3; version += 2) {
        hand h = begun();

        asy_format_put32(h.file.data + 8, version);
        expect(&h, version == 0 ? ASY_ECORRUPT : ASY_EVERSION, version == 0 ? "no format version" : "a newer assay");
    }
}

#define BOMB_BYTES (256u << 10)

// Blocks of empty notes: fifty bytes in the file, 256 KiB when decompressed.
static void
decompression_bombs_end_the_recording(void **state)
{
    static uint8_t raw[BOMB_BYTES], stored[BOMB_BYTES];
    hand h = begun();
    size_t n, ends[6];
    asy_profile *p = NULL;
    const char *problem = NULL;

    (void)state;
    for (size_t i = 0; i < BOMB_BYTES; i += 2) {
        memcpy(raw + i, "\x01\x00", 2);
    }
    n = ZSTD_compress(stored, sizeof stored, raw, sizeof raw, 19);
    assert_true(n < 200);
    for (int i = 0; i < 6; i++) {
        ends[i] = h.file.len;
        craft_block(&h.file, ASY_BLOCK_NOTES, ASY_BLOCK_F_ZSTD, sizeof raw, stored, n);
    }
    assert_int_equal(asy_profile_load_bytes(h.file.data, h.file.len, &p, &problem), ASY_OK);
    assert_int_equal(p->note_count, ASY_FORMAT_RAW_FREE / 2);
    assert_int_equal(p->cut_at, ends[4]);
    assert_false(p->cut); // there is more of it
    asy_profile_free(p);
    expect(&h, ASY_OK, "expands to more than blocks may");
}

static void
what_compresses_too_well_is_still_written_to_be_read(void **state)
{
    asy_writer *w = NULL;
    asy_profile *p = NULL;
    const char *problem = "";
    size_t len;
    const void *bytes;

    (void)state;
    assert_int_equal(asy_writer_new(-1, &w), ASY_OK);
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.main_thread = UINT32_MAX}), ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = 0}), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    for (uint32_t i = 0; i < 3000000; i++) { // 27 MB of the same
        assert_int_equal(asy_write_node_counts(w, 0, 0, &(asy_write_counts){.calls = i == 2999999}), ASY_OK);
    }
    assert_int_equal(asy_write_session_end(w, 5), ASY_OK);
    bytes = asy_writer_bytes(w, &len);
    assert_int_equal(asy_profile_load_bytes(bytes, len, &p, &problem), ASY_OK);
    assert_true(p->complete);
    assert_int_equal(p->threads[0].nodes[0].calls, 1);
    asy_profile_free(p);
    asy_writer_free(w);
}

static void
what_is_no_recording_is_named(void **state)
{
    static const struct {
        const char *path;
        asy_status status;
        const char *clause;
    } files[] = {
        {"no-such-file.assay", ASY_ENOENT, "not found"},
        {"/dev/null/x", ASY_ENOENT, "not found"},
        {"/dev/null", ASY_ECORRUPT, "it is not a recording of assay, at byte 0"},
        {"/dev/zero", ASY_ECORRUPT, "it is not a recording of assay, at byte 0"},
        {"/", ASY_EIO, "it cannot be read, at byte 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        asy_profile *p = NULL;
        const char *problem = NULL;

        assert_int_equal(asy_profile_load_file(files[i].path, &p, &problem), files[i].status);
        assert_string_equal(problem, files[i].clause);
        assert_null(p);
        assert_int_equal(asy_profile_load_file(files[i].path, &p, NULL), files[i].status);
    }
    assert_int_equal(asy_profile_load_bytes(NULL, 0, &(asy_profile *){NULL}, NULL), ASY_ECORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_out_of_order_are_refused),
        cmocka_unit_test(nodes_out_of_range_are_refused),
        cmocka_unit_test(counts_that_cannot_be_are_refused),
        cmocka_unit_test(counts_before_their_nodes_are_refused),
        cmocka_unit_test(columns_that_lie_about_their_lengths_are_refused),
        cmocka_unit_test(rows_that_lie_about_their_lengths_are_refused),
        cmocka_unit_test(texts_over_the_limit_are_refused),
        cmocka_unit_test(functions_that_contradict_are_refused),
        cmocka_unit_test(threads_and_processes_that_contradict_are_refused),
        cmocka_unit_test(ids_that_dangle_are_unknown),
        cmocka_unit_test(a_recording_that_begins_twice_is_refused),
        cmocka_unit_test(every_bad_byte_becomes_a_replacement),
        cmocka_unit_test(blocks_with_wrong_heads_end_the_recording),
        cmocka_unit_test(empty_blocks_say_nothing),
        cmocka_unit_test(other_versions_are_named),
        cmocka_unit_test(decompression_bombs_end_the_recording),
        cmocka_unit_test(what_compresses_too_well_is_still_written_to_be_read),
        cmocka_unit_test(what_is_no_recording_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
