// replay_trace_test.c: what real interpreters do (traces/, made by tools/record_trace.py), compared with the trees that the
// recorder worked out by itself. ASSAY_TRACES names the directory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "replay_model.h"

#define TRACES_MAX 256
#define TRACE_BYTES_MAX (1u << 20)

static const char mark[] = "=== tree\n";

typedef struct {
    const char *directory;
    uint32_t count;
    char name[TRACES_MAX][128];
} trace_list;

static int
by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
traces_find(trace_list *list)
{
    const char *directory = getenv("ASSAY_TRACES");
    DIR *dir = opendir(directory == NULL ? "" : directory);

    assert_non_null(dir);
    *list = (trace_list){.directory = directory};
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        const char *dot = strrchr(e->d_name, '.');
        size_t bytes = strlen(e->d_name) + 1;
        if (dot != NULL && strcmp(dot, ".trace") == 0) {
            assert_true(list->count < TRACES_MAX && bytes <= sizeof(list->name[0]));
            memcpy(list->name[list->count++], e->d_name, bytes);
        }
    }
    closedir(dir);
    qsort(list->name, list->count, sizeof(list->name[0]), by_name);
}

// The whole file, terminated; the caller frees it.
static char *
file_read(const trace_list *list, uint32_t i)
{
    char path[4096];
    char *text = malloc(TRACE_BYTES_MAX + 1);
    size_t len;
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", list->directory, list->name[i]);
    in = fopen(path, "r");
    assert_non_null(in);
    assert_non_null(text);
    len = fread(text, 1, TRACE_BYTES_MAX + 1, in);
    assert_in_range(len, 1, TRACE_BYTES_MAX);
    text[len] = '\0';
    fclose(in);
    return text;
}

static void
trace_check(const char *name, char *text, const replay_world *world)
{
    char *expected = strstr(text, mark);
    replay *r = replay_new(world);
    const char *problem;
    char *tree;

    assert_non_null(r);
    assert_non_null(expected);
    *expected = '\0';
    expected += sizeof(mark) - 1;
    problem = replay_feed(r, text);
    if (problem != NULL) {
        fail_msg("%s: no event: %.60s", name, problem);
    }
    tree = replay_text(r);
    if (strcmp(tree, expected) != 0) {
        fail_msg("%s: expected:\n%s\nis:\n%s", name, expected, tree);
    }
    assert_null(replay_check(r));
    free(tree);
    replay_free(r);
}

static void
every_trace_of_every_version_makes_the_tree_it_should(void **state)
{
    trace_list list;

    (void)state;
    traces_find(&list);
    for (uint32_t i = 0; i < list.count; i++) {
        char *text = file_read(&list, i);
        trace_check(list.name[i], text, NULL);
        free(text);
    }
}

static void
each_program_was_recorded_with_each_version(void **state)
{
    static const char *const versions[] = {"3.11-", "3.12-", "3.13-", "3.14-", "3.15-"};
    trace_list list;
    uint32_t programs = 0;

    (void)state;
    traces_find(&list);
    for (uint32_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < list.count; i++) {
            count += strncmp(list.name[i], versions[v], 5) == 0 ? 1 : 0;
        }
        programs = v == 0 ? count : programs;
        assert_true(count >= 14);
        assert_int_equal(count, programs);
    }
}

// What real programs raise pairs up: nothing of it is lost, and nothing is left open.
static void
no_trace_loses_anything(void **state)
{
    trace_list list;

    (void)state;
    traces_find(&list);
    for (uint32_t i = 0; i < list.count; i++) {
        char *text = file_read(&list, i);
        assert_null(strstr(text, "\nlosses:"));
        assert_null(strstr(text, " open="));
        free(text);
    }
}

// Measuring that starts and stops in the middle of a program: the real tree and the model agree on what that means.
static void
part_check(const char *name, const char *text, uint32_t first, uint32_t last)
{
    replay *r = replay_new(NULL);
    replay_model *m = replay_model_new(&r->names, r->world.gap);
    const char *problem = NULL;
    replay_event e;
    char *real, *model;

    for (uint32_t i = 0; i < last && replay_parse(&text, &r->names, &e, &problem); i++) {
        if (i >= first) {
            replay_event_feed(r, &e);
            replay_model_feed(m, &e);
        }
    }
    assert_null(problem);
    assert_null(replay_check(r));
    real = replay_text(r);
    model = replay_model_text(m);
    if (strcmp(real, model) != 0) {
        fail_msg("%s, events %u to %u: the tree is\n%s\nand should be\n%s", name, first, last, real, model);
    }
    free(real);
    free(model);
    replay_model_free(m);
    replay_free(r);
}

static void
every_trace_cut_at_both_ends_makes_the_model_s_tree(void **state)
{
    trace_list list;

    (void)state;
    traces_find(&list);
    for (uint32_t i = 0; i < list.count; i++) {
        char *text = file_read(&list, i);
        uint32_t events = 0;
        *strstr(text, mark) = '\0';
        for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
            events++;
        }
        for (uint32_t k = 1; k < 8; k++) {
            part_check(list.name[i], text, events * k / 16, events - events * k / 24);
        }
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_trace_of_every_version_makes_the_tree_it_should),
        cmocka_unit_test(each_program_was_recorded_with_each_version),
        cmocka_unit_test(no_trace_loses_anything),
        cmocka_unit_test(every_trace_cut_at_both_ends_makes_the_model_s_tree),
    };

    return cmocka_run_group_tests_name("replay traces", tests, NULL, NULL);
}
