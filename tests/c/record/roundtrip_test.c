// roundtrip_test.c: what is written is what is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "record/format.h"
#include "record/text.h"
#include "sample.h"

static asy_writer *
new_writer(int fd)
{
    asy_writer *w = NULL;

    assert_int_equal(asy_writer_new(fd, &w), ASY_OK);
    return w;
}

// The profile of what `w` holds; w is freed.
static asy_profile *
load_and_free(asy_writer *w)
{
    asy_profile *p = NULL;
    const char *problem = "";
    size_t len;
    const void *bytes = asy_writer_bytes(w, &len);

    assert_int_equal(asy_profile_load_bytes(bytes, len, &p, &problem), ASY_OK);
    assert_null(invariant_broken(p));
    asy_writer_free(w);
    return p;
}

// A process, a thread and two functions.
static asy_writer *
begun(void)
{
    asy_writer *w = new_writer(-1);
    asy_symbol head = {.kind = ASY_NODE_PY, .count = 3};
    asy_text strings[] = {sample_text("f"), sample_text("f"), sample_text("f.py")};

    assert_int_equal(asy_write_session_begin(w, &(asy_write_session){.start_unix_ns = 1}), ASY_OK);
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.main_thread = UINT32_MAX}), ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.process = 0}), ASY_OK);
    assert_int_equal(asy_write_func(w, 0, &head, strings), ASY_OK);
    assert_int_equal(asy_write_func(w, 1, &head, strings), ASY_OK);
    return w;
}

static void
what_is_written_is_read(void **state)
{
    (void)state;
    for (int flush = 0; flush < 2; flush++) {
        asy_writer *w = new_writer(-1);
        asy_profile *p;

        assert_int_equal(sample_write(w, flush), ASY_OK);
        p = load_and_free(w);
        sample_check(p, true);
        asy_profile_free(p);
    }
}

static void
a_file_says_what_memory_says(void **state)
{
    char path[] = "record-XXXXXX";
    int fd = mkstemp(path);
    asy_writer *w = new_writer(fd);
    asy_profile *p = NULL;
    const char *problem = "";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(sample_write(w, false), ASY_OK);
    asy_writer_free(w);
    close(fd);
    assert_int_equal(asy_profile_load_file(path, &p, &problem), ASY_OK);
    assert_null(problem);
    sample_check(p, true);
    asy_profile_free(p);
    unlink(path);
}

static void
a_later_row_replaces_an_earlier_one(void **state)
{
    asy_writer *w = begun();
    asy_profile *p;

    (void)state;
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 0, &(asy_write_counts){.self_ns = 5, .wait_ns = 4, .open = 1}),
                     ASY_OK);
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 0, &(asy_write_counts){.self_ns = 9, .calls = 2}), ASY_OK);
    assert_int_equal(
        asy_write_process_row(w, &(asy_write_process){.main_thread = 0, .cwd = sample_text("/b"), .end_ns = 7}),
        ASY_OK);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.name = sample_text("late"), .ended = 1, .end_ns = 8}),
                     ASY_OK);
    assert_int_equal(asy_write_losses(w, (uint64_t[ASY_LOSS_COUNT]){1}), ASY_OK);
    assert_int_equal(asy_write_losses(w, (uint64_t[ASY_LOSS_COUNT]){2}), ASY_OK);
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    p = load_and_free(w);
    assert_int_equal(p->threads[0].nodes[0].self_ns, 9);
    assert_int_equal(p->threads[0].nodes[0].wait_ns, 0);
    assert_int_equal(p->threads[0].nodes[0].calls, 2);
    assert_int_equal(p->threads[0].nodes[0].open, 0);
    assert_string_equal(p->threads[0].name, "late");
    assert_true(p->threads[0].ended);
    assert_string_equal(p->processes[0].cwd, "/b");
    assert_int_equal(p->processes[0].main_thread, 0);
    assert_int_equal(p->losses[0], 2);
    assert_int_equal(p->duration_ns, 8); // the latest end, where the recording itself has none
    assert_false(p->complete);
    asy_profile_free(p);
}

#define MANY 100000u // several blocks of each kind

static void
many_blocks_are_one_recording(void **state)
{
    asy_writer *w = begun();
    asy_symbol head = {.kind = ASY_NODE_C, .count = 1};
    asy_profile *p;
    char name[32];

    (void)state;
    for (uint32_t i = 2; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        assert_int_equal(asy_write_func(w, i, &head, &(asy_text){name, (uint32_t)strlen(name)}), ASY_OK);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(asy_write_node(w, 0, i, i / 2, i == 0 ? UINT32_MAX : i, i == 0 ? ASY_NODE_ROOT : ASY_NODE_C),
                         ASY_OK);
        assert_int_equal(asy_write_node_counts(w, 0, i, &(asy_write_counts){.calls = i}), ASY_OK);
    }
    assert_int_equal(asy_write_session_end(w, 1), ASY_OK);
    p = load_and_free(w);
    assert_int_equal(p->func_count, MANY);
    assert_int_equal(p->threads[0].node_count, MANY);
    for (uint32_t i = 2; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        assert_string_equal(p->funcs[i].name, name);
        assert_int_equal(p->threads[0].nodes[i].parent, i / 2);
        assert_int_equal(p->threads[0].nodes[i].func, i);
        assert_int_equal(p->threads[0].nodes[i].calls, i);
    }
    asy_profile_free(p);
}

static void
threads_may_take_turns(void **state)
{
    asy_writer *w = begun();
    asy_profile *p;

    (void)state;
    for (uint32_t t = 1; t < 100; t++) {
        assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = t}), ASY_OK);
    }
    for (uint32_t i = 0; i < 20; i++) {
        for (uint32_t t = 100; t-- > 0;) {
            assert_int_equal(asy_write_node(w, t, i, 0, i == 0 ? UINT32_MAX : 1, i == 0 ? 0 : ASY_NODE_PY), ASY_OK);
            assert_int_equal(asy_write_node_counts(w, t, i, &(asy_write_counts){.calls = t * 100 + i}), ASY_OK);
        }
    }
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    p = load_and_free(w);
    for (uint32_t t = 0; t < 100; t++) {
        assert_int_equal(p->threads[t].node_count, 20);
        for (uint32_t i = 0; i < 20; i++) {
            assert_int_equal(p->threads[t].nodes[i].calls, t * 100 + i);
        }
    }
    asy_profile_free(p);
}

static void
long_texts_are_cut_at_a_character(void **state)
{
    asy_writer *w = begun();
    asy_symbol head = {.kind = ASY_NODE_PY, .count = 1};
    char *text = malloc(70001);
    asy_profile *p;
    size_t n;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 70000; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    text[70000] = '\0';
    assert_int_equal(asy_write_note(w, text), ASY_OK);
    assert_int_equal(asy_write_func(w, 2, &head, &(asy_text){text + 1, 9001}),
                     ASY_OK); // begins inside a character
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    p = load_and_free(w);
    n = strlen(p->notes[0]);
    assert_true(n > ASY_FORMAT_TEXT_MAX - 5 && n <= ASY_FORMAT_TEXT_MAX);
    assert_string_equal(p->notes[0] + n - 3, ASY_TEXT_ELLIPSIS);
    assert_memory_equal(p->notes[0], text, n - 3);
    n = strlen(p->funcs[2].name);
    assert_string_equal(p->funcs[2].name + n - 5, "\xC3\xA9" ASY_TEXT_ELLIPSIS);
    assert_true(n <= ASY_SYMBOL_STRING_MAX + 2); // U+FFFD is longer than what it stands for
    asy_profile_free(p);
    free(text);
}

static void
values_over_the_limit_are_written_as_the_limit(void **state)
{
    asy_writer *w = begun();
    asy_profile *p;

    (void)state;
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 0, &(asy_write_counts){.self_ns = UINT64_MAX, .wait_ns = UINT64_MAX}),
                     ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 1, 0, 0, ASY_NODE_PY), ASY_OK);
    assert_int_equal(asy_write_node_counts(w, 0, 1, &(asy_write_counts){.self_ns = 3, .wait_ns = 4}),
                     ASY_OK); // torn
    assert_int_equal(asy_write_session_end(w, UINT64_MAX), ASY_OK);
    p = load_and_free(w);
    assert_int_equal(p->threads[0].nodes[0].self_ns, ASY_FORMAT_VALUE_MAX);
    assert_int_equal(p->threads[0].nodes[0].wait_ns, ASY_FORMAT_VALUE_MAX);
    assert_int_equal(p->threads[0].nodes[1].wait_ns, 3);
    assert_int_equal(p->duration_ns, ASY_FORMAT_VALUE_MAX);
    asy_profile_free(p);
}

static void
a_thread_without_nodes_has_a_root(void **state)
{
    asy_writer *w = begun();
    asy_profile *p;

    (void)state;
    assert_int_equal(asy_writer_flush(w), ASY_OK);
    p = load_and_free(w);
    assert_int_equal(p->threads[0].node_count, 1);
    assert_int_equal(p->threads[0].nodes[0].func, UINT32_MAX);
    asy_profile_free(p);
}

static void
rows_that_contradict_are_refused_and_leave_nothing(void **state)
{
    asy_writer *w = begun();
    asy_symbol head = {.kind = ASY_NODE_TAG, .count = 1};
    asy_text one = sample_text("x");
    asy_profile *p;

    (void)state;
    assert_int_equal(asy_write_session_begin(w, &(asy_write_session){0}), ASY_EINVAL); // a second time
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.id = 2}), ASY_EINVAL);
    assert_int_equal(asy_write_process_row(w, &(asy_write_process){.exited = 3}), ASY_EINVAL);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = 2}), ASY_EINVAL);
    assert_int_equal(asy_write_thread_row(w, &(asy_write_thread){.id = 1, .process = 1}), ASY_EINVAL);
    assert_int_equal(asy_write_func(w, 1, &(asy_symbol){.kind = ASY_NODE_C}, NULL), ASY_EINVAL);
    assert_int_equal(asy_write_func(w, 3, &(asy_symbol){.kind = ASY_NODE_C}, NULL), ASY_EINVAL);
    assert_int_equal(asy_write_func(w, 2, &(asy_symbol){.kind = ASY_NODE_ROOT}, NULL), ASY_EINVAL);
    assert_int_equal(asy_write_func(w, 2, &(asy_symbol){.kind = ASY_SYMBOL_PROCESS}, NULL), ASY_EINVAL);
    assert_int_equal(asy_write_func(w, 2, &head, &one), ASY_EINVAL); // a key without its value
    head = (asy_symbol){.kind = ASY_NODE_PY, .count = ASY_SYMBOL_STRINGS + 1};
    assert_int_equal(asy_write_func(w, 2, &head, &one), ASY_EINVAL);
    assert_int_equal(asy_write_node(w, 0, 1, 0, 0, ASY_NODE_PY), ASY_EINVAL); // before the root
    assert_int_equal(asy_write_node(w, 0, 0, 0, 0, ASY_NODE_PY), ASY_EINVAL); // not a root
    assert_int_equal(asy_write_node(w, 1, 0, 0, UINT32_MAX, 0), ASY_EINVAL);  // of no thread
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node(w, 0, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_EINVAL); // twice
    assert_int_equal(asy_write_node(w, 0, 1, 1, 0, ASY_NODE_PY), ASY_EINVAL);            // its own parent
    assert_int_equal(asy_write_node(w, 0, 1, 0, 2, ASY_NODE_PY), ASY_EINVAL);            // of no function
    assert_int_equal(asy_write_node(w, 0, 1, 0, 0, ASY_NODE_KINDS), ASY_EINVAL);
    assert_int_equal(asy_write_node_counts(w, 0, 1, &(asy_write_counts){0}), ASY_EINVAL);
    assert_int_equal(asy_write_node_counts(w, 1, 0, &(asy_write_counts){0}), ASY_EINVAL);
    assert_int_equal(asy_writer_status(w), ASY_OK);
    assert_int_equal(asy_write_session_end(w, 1), ASY_OK);
    assert_int_equal(asy_write_note(w, "too late"), ASY_EINVAL);
    p = load_and_free(w);
    assert_true(p->complete);
    assert_int_equal(p->process_count, 1);
    assert_int_equal(p->thread_count, 1);
    assert_int_equal(p->func_count, 2);
    assert_int_equal(p->threads[0].node_count, 1);
    assert_int_equal(p->note_count, 0);
    asy_profile_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_file_says_what_memory_says),
        cmocka_unit_test(a_later_row_replaces_an_earlier_one),
        cmocka_unit_test(many_blocks_are_one_recording),
        cmocka_unit_test(threads_may_take_turns),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(values_over_the_limit_are_written_as_the_limit),
        cmocka_unit_test(a_thread_without_nodes_has_a_root),
        cmocka_unit_test(rows_that_contradict_are_refused_and_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
