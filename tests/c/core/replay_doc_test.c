// replay_doc_test.c: the examples of docs/semantics.md are true. ASSAY_DOCS names the directory.
// An example is a block "```events [node_max=N] [gap=N]" and a block "```tree" after it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay_expect.h"

#define DOC_BYTES_MAX (1u << 20)
#define EXAMPLES_MIN 10

static char *
doc_read(void)
{
    char path[4096];
    char *text = malloc(DOC_BYTES_MAX + 1);
    size_t len;
    FILE *in;

    assert_non_null(getenv("ASSAY_DOCS"));
    snprintf(path, sizeof(path), "%s/semantics.md", getenv("ASSAY_DOCS"));
    in = fopen(path, "r");
    assert_non_null(in);
    assert_non_null(text);
    len = fread(text, 1, DOC_BYTES_MAX + 1, in);
    assert_in_range(len, 1, DOC_BYTES_MAX);
    text[len] = '\0';
    fclose(in);
    return text;
}

// The number after `word` in the rest of the line, 0 if it is not there.
static uint32_t
option_read(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    return at != NULL && at < strchr(line, '\n') ? (uint32_t)strtoul(at + strlen(word), NULL, 10) : 0;
}

// The inside of the next block that begins with `fence`, cut out of the text; *at moves behind it.
static char *
block_next(char **at, const char *fence, replay_world *world)
{
    char *line = strstr(*at, fence);
    char *end;

    if (line == NULL) {
        return NULL;
    }
    if (world != NULL) {
        *world = (replay_world){.node_max = option_read(line, "node_max="), .gap = option_read(line, "gap=")};
    }
    line = strchr(line, '\n') + 1;
    end = strstr(line, "```");
    assert_non_null(end);
    *end = '\0';
    *at = end + 3;
    return line;
}

static void
every_example_makes_the_tree_beside_it(void **state)
{
    char *text = doc_read();
    char *at = text;
    replay_world world;
    int examples = 0;

    (void)state;
    for (char *events = block_next(&at, "```events", &world); events != NULL;
         events = block_next(&at, "```events", &world)) {
        char *tree = block_next(&at, "```tree", NULL);
        assert_non_null(tree);
        replay_expect_in(&world, events, tree);
        examples++;
    }
    assert_true(examples >= EXAMPLES_MIN);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_makes_the_tree_beside_it),
    };

    return cmocka_run_group_tests_name("replay docs", tests, NULL, NULL);
}
