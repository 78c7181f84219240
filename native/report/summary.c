// summary.c: the few lines after a run, the answer first.
// At most 25 lines of 80 columns with a table of ASY_SUMMARY_ROWS: the table gives way to nothing, the losses are cut and counted.
#include "report/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/analysis.h"
#include "report/listing.h"
#include "report/origin.h"
#include "report/out.h"
#include "report/rows.h"
#include "report/tags.h"
#include "report/units.h"
#include "report/verdict.h"
#include "report/view.h"
#include "report/words.h"

#define TAG_LINES 2
#define TAG_KEYS 16 // looked at; of programs with more, the first by name
#define LOSS_LINES 5
#define BAR_COLUMNS 8

typedef struct {
    const asy_profile *p;
    asy_view *view;
    asy_origin *origin;
    asy_analysis analysis;
    asy_verdict verdict;
    uint32_t table_rows; // at most; 0 = all
    asy_row *top;        // owned: of the table
    uint32_t top_count;
    uint32_t awaiting; // the innermost function that was suspended nearly as long as any, yours before others
    uint64_t awaiting_ns;
    asy_out *o;
} page;

// ---- the answer ----

static asy_status
print_answer(page *g)
{
    asy_words head = {0}, made_of = {0};
    asy_status st = asy_verdict_make(&g->analysis, &g->verdict, &head, &made_of);

    if (st == ASY_OK) {
        asy_out_style(g->o, ASY_STYLE_BOLD);
        asy_out_put(g->o, "assay: ");
        asy_words_wrap(g->o, &head, "; ", 7, 2);
        asy_out_style(g->o, ASY_STYLE_PLAIN);
    }
    if (st == ASY_OK && made_of.count > 0) {
        asy_out_put(g->o, "  of it ");
        asy_words_wrap(g->o, &made_of, ", ", 8, 8);
    }
    asy_words_clear(&head);
    asy_words_clear(&made_of);
    return st;
}

// ---- the budget ----

static uint64_t
sum_waits(const asy_analysis *a, bool idle)
{
    const uint64_t *w = a->sum.wait_ns;

    return idle ? w[ASY_WAIT_IDLE] : w[ASY_WAIT_OUTSIDE] + w[ASY_WAIT_OTHERS];
}

// "waiting 0.54 s (sqlite3 0.31 s, lock 0.20 s)": up to three, those below 1 % of the sum left out.
static void
add_waits(const asy_analysis *a, const char *what, bool idle, asy_words *parts)
{
    uint64_t sum = sum_waits(a, idle);
    char list[200] = "";
    size_t len = 0;
    int count = 0;

    for (uint32_t i = 0; i < a->wait_count && count < 3; i++) {
        bool mine = (a->waits[i].kind == ASY_WAIT_IDLE) == idle;

        if (mine && a->waits[i].ns * 100 >= sum) {
            char *name = asy_text_fit(a->waits[i].name, 24, ASY_CUT_END);

            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s %s", count++ > 0 ? ", " : "",
                                    name == NULL ? "" : name, asy_units_time(a->waits[i].ns).s);
            free(name);
            if (len >= sizeof list) {
                break;
            }
        }
    }
    asy_words_add(parts, "%s %s%s%s%s", what, asy_units_time(sum).s, count > 0 ? " (" : "", list, count > 0 ? ")" : "");
}

// Where nothing runs and no thread waits, as in a recording of one task among others.
static void
add_awaiting(const page *g, asy_words *parts)
{
    char *name = asy_words_func(g->p, g->awaiting, 40);

    asy_words_add(parts, "awaiting %s (%s)", asy_units_time(g->awaiting_ns).s, name == NULL ? "" : name);
    free(name);
}

static void
print_budget(page *g)
{
    const asy_analysis *a = &g->analysis;
    const asy_view *v = g->view;
    uint64_t wall = asy_wall_ns(&a->wall);
    asy_words parts = {0};

    asy_words_add(&parts, "wall %s", asy_units_time(wall).s);
    asy_words_add(&parts, "running %s", asy_units_time(a->sum.run_ns).s);
    add_waits(a, "waiting", false, &parts);
    if (sum_waits(a, true) * 100 >= wall && sum_waits(a, true) > 0) {
        add_waits(a, "idle", true, &parts);
    }
    if (g->awaiting_ns > 0 && 2 * (a->sum.run_ns + sum_waits(a, false) + sum_waits(a, true)) < wall) {
        add_awaiting(g, &parts);
    }
    if (v->startup.self_ns * 50 >= wall) {
        asy_words_add(&parts, "start-up and shutdown %s", asy_units_time(v->startup.self_ns).s);
    }
    asy_words_add(&parts, "%s %s, %s %s", asy_units_count(v->processes).s, v->processes == 1 ? "process" : "processes",
                  asy_units_count(v->threads).s, v->threads == 1 ? "thread" : "threads");
    if (asy_listing_has_project(g->origin, g->top, g->top_count)) {
        asy_words_add(&parts, "%s", asy_listing_legend(g->o));
    }
    asy_out_put(g->o, "  ");
    asy_words_wrap(g->o, &parts, " · ", 2, 4);
    asy_words_clear(&parts);
}

// ---- the table ----

static void
choose_awaiting(page *g)
{
    uint64_t most = 0;
    bool project = false;

    for (uint32_t i = 1; i < g->view->node_count; i++) {
        most = g->view->nodes[i].suspended_ns > most ? g->view->nodes[i].suspended_ns : most;
    }
    for (uint32_t i = 1; i < g->view->node_count && most > 0; i++) {
        const asy_view_node *n = &g->view->nodes[i];
        bool own = g->origin[n->func].project;

        if (n->suspended_ns * 5 < most * 4 || (project && !own)) {
            continue;
        }
        if (g->awaiting_ns == 0 || (own && !project) || n->suspended_ns < g->awaiting_ns) {
            g->awaiting = n->func;
            g->awaiting_ns = n->suspended_ns;
            project = own;
        }
    }
}

// What threads only wait in for each other or for work is left to the budget.
static asy_status
choose_top(page *g)
{
    uint32_t count, kept = 0;
    asy_status st = asy_rows_flat(g->view, &g->top, &count);

    for (uint32_t i = 0; st == ASY_OK && i < count; i++) {
        bool any = g->top[i].calls > 0 || g->top[i].self_ns > 0; // else it was only open all the time

        if (any && !asy_verdict_sets_aside(&g->analysis, g->verdict.by, &g->top[i])) {
            g->top[kept++] = g->top[i];
        }
    }
    if (kept > 0) {
        asy_rows_sort(g->p, g->top, kept, ASY_ROWS_SELF);
    }
    g->top_count = g->table_rows != 0 && g->table_rows < kept ? g->table_rows : kept;
    return st;
}

// ---- labels ----

typedef struct {
    uint64_t ns;
    uint32_t value;
} tag_sum;

static int
by_size(const void *x, const void *y)
{
    const tag_sum *a = x, *b = y;

    return a->ns != b->ns ? (a->ns < b->ns) - (a->ns > b->ns) : (a->value > b->value) - (a->value < b->value);
}

// What somebody named a label: never nothing. Of a test ("tests/test_x.py::test_one") the end tells it from others. The caller frees; NULL
// without memory.
static char *
show_text(const char *text)
{
    asy_cut cut = strstr(text, "::") != NULL ? ASY_CUT_START : ASY_CUT_END;

    return text[0] == '\0' ? strdup("''") : asy_text_fit(text, 24, cut);
}

static void
add_tag_parts(const asy_tags *t, const tag_sum *sums, uint64_t scale_ns, asy_words *parts)
{
    static const char bar[] = "▇▇▇▇▇▇▇▇";
    uint32_t shown = t->value_count <= 4 ? t->value_count : 3;
    uint64_t rest = 0;

    for (uint32_t i = 0; i < t->value_count; i++) {
        int blocks = scale_ns == 0 ? 0 : (int)((sums[i].ns * BAR_COLUMNS + scale_ns / 2) / scale_ns);
        char *value;

        if (i >= shown) {
            rest += sums[i].ns;
            continue;
        }
        value = show_text(t->values[sums[i].value - 1]);
        asy_words_add(parts, "%s %s%s%.*s", value == NULL ? "" : value, asy_units_time(sums[i].ns).s,
                      blocks > 0 ? " " : "", 3 * blocks, bar);
        free(value);
    }
    if (shown < t->value_count) {
        asy_words_add(parts, "%u more %s", t->value_count - shown, asy_units_time(rest).s);
    }
}

// One key: what ran under each of its values, largest first.
typedef struct {
    const char *key; // borrowed
    asy_tags tags;
    tag_sum *sums; // by value, those of nodes without the label first
    uint64_t labelled_ns;
} tag_line;

static void
clear_line(tag_line *l)
{
    if (l->sums != NULL) {
        asy_tags_clear(&l->tags);
    }
    free(l->sums);
}

static asy_status
make_line(const page *g, const char *key, tag_line *l)
{
    asy_status st;

    *l = (tag_line){.key = key};
    st = asy_tags_make(g->view, key, &l->tags);
    if (st != ASY_OK) {
        return st;
    }
    l->sums = calloc((size_t)l->tags.value_count + 1, sizeof *l->sums);
    if (l->sums == NULL) {
        asy_tags_clear(&l->tags);
        return ASY_ENOMEM;
    }
    for (uint32_t i = 1; i < g->view->node_count; i++) {
        uint32_t value = l->tags.of_node[i];
        uint64_t ns = asy_analysis_busy_ns(&g->analysis, i);

        l->sums[value].value = value;
        l->sums[value].ns += ns;
        l->labelled_ns += value == 0 ? 0 : ns;
    }
    qsort(l->sums + 1, l->tags.value_count, sizeof *l->sums, by_size);
    return ASY_OK;
}

static void
print_line_of_tag(page *g, const tag_line *l, uint64_t scale_ns)
{
    char *name = show_text(l->key);
    asy_words parts = {0};

    add_tag_parts(&l->tags, l->sums + 1, scale_ns, &parts);
    parts.failed = parts.failed || name == NULL;
    asy_out_put(g->o, "  ");
    asy_out_put(g->o, name == NULL ? "" : name);
    asy_out_put(g->o, ": ");
    asy_words_wrap(g->o, &parts, " · ", 4 + (name == NULL ? 0 : asy_text_width(name)), 4);
    asy_words_clear(&parts);
    free(name);
}

static int
by_labelled(const void *x, const void *y)
{
    const tag_line *a = x, *b = y;

    return a->labelled_ns != b->labelled_ns ? (a->labelled_ns < b->labelled_ns) - (a->labelled_ns > b->labelled_ns)
                                            : strcmp(a->key, b->key);
}

// The keys under which most ran, all bars on one scale.
static asy_status
print_tags(page *g)
{
    tag_line lines[TAG_KEYS];
    const char **keys;
    uint32_t count, made = 0;
    asy_status st = asy_tags_keys(g->view, &keys, &count);

    while (st == ASY_OK && made < count && made < TAG_KEYS) {
        st = make_line(g, keys[made], &lines[made]);
        made += st == ASY_OK;
    }
    if (st == ASY_OK) {
        qsort(lines, made, sizeof *lines, by_labelled);
        for (uint32_t i = 0; i < made && i < TAG_LINES; i++) {
            print_line_of_tag(g, &lines[i], lines[0].labelled_ns);
        }
        if (count > TAG_LINES) {
            asy_words_line(g->o, 2, "%u more %s: assay report --by tag", count - TAG_LINES,
                           count - TAG_LINES == 1 ? "tag" : "tags");
        }
    }
    for (uint32_t i = 0; i < made; i++) {
        clear_line(&lines[i]);
    }
    free(keys);
    return st;
}

// ---- how far to trust it ----

// As many as there is room for, the first in any case.
static void
print_losses(page *g, const asy_words *losses)
{
    int lines = 0, room = g->o->width - 4; // of a line that follows another
    uint32_t shown = 0;

    asy_out_style(g->o, ASY_STYLE_WARN);
    for (; shown < losses->count; shown++) {
        lines += (asy_text_width(losses->text[shown]) + 1 + room) / room;
        if (shown > 0 && lines > LOSS_LINES - (shown + 1 < losses->count)) {
            break;
        }
        asy_words_line(g->o, 2, "%s", losses->text[shown]);
    }
    if (shown < losses->count) {
        asy_words_line(g->o, 2, "and %u more remarks: assay report", losses->count - shown);
    }
    asy_out_style(g->o, ASY_STYLE_PLAIN);
}

static void
print_trust(page *g)
{
    asy_words losses = {0};
    uint64_t ours = g->view->taken_off_ns + g->view->overhead_ns;
    uint64_t calls = g->analysis.sum.calls;
    bool lost = asy_words_lost_calls(g->p);
    asy_words parts = {0};

    asy_words_add(&parts, "%s: %s %s counted, %s", lost ? "not exact" : "exact", asy_units_count(calls).s,
                  calls == 1 ? "call" : "calls", lost ? "some lost" : "none lost");
    if (asy_words_no_c_calls(g->p)) {
        asy_words_add(&parts, "C calls left out");
    }
    if (g->view->startup.calls > 0) {
        asy_words_add(&parts, "%s more in start-up", asy_units_count(g->view->startup.calls).s);
    }
    if (ours > 0) {
        asy_words_add(&parts, "our own %s taken off", asy_units_time(ours).s);
    }
    asy_out_put(g->o, "  ");
    asy_words_wrap(g->o, &parts, "; ", 2, 4);
    asy_words_clear(&parts);
    asy_words_losses(g->view, &losses);
    print_losses(g, &losses);
    asy_words_clear(&losses);
}

static void
print_more(page *g, const char *path)
{
    const char *file = strchr(path, '/') == NULL ? "" : path;
    char *quoted = asy_words_quote(file);
    char *shown = asy_text_fit(path, 200, ASY_CUT_START);
    char *name = g->verdict.func == ASY_VIEW_NONE ? NULL : asy_words_quote(g->p->funcs[g->verdict.func].name);
    char *safe = name == NULL ? NULL : asy_text_fit(name, 100, ASY_CUT_END);
    char *safe_file = quoted == NULL ? NULL : asy_text_fit(quoted, 400, ASY_CUT_START);
    const char *space = file[0] == '\0' ? "" : " ";
    const char *named = file[0] == '\0' || safe_file == NULL ? "" : safe_file;
    asy_words parts = {0};

    asy_words_add(&parts, "%s", shown == NULL ? "" : shown);
    asy_words_add(&parts, "more: assay report --tree%s%s", space, named);
    if (safe != NULL && strcmp(safe, "'<module>'") != 0) {
        asy_words_add(&parts, "assay report --callers %s%s%s", safe, space, named);
    }
    asy_out_put(g->o, "  ");
    asy_out_style(g->o, ASY_STYLE_DIM);
    asy_words_wrap(g->o, &parts, " · ", 2, 4);
    asy_out_style(g->o, ASY_STYLE_PLAIN);
    asy_words_clear(&parts);
    free(quoted);
    free(shown);
    free(name);
    free(safe);
    free(safe_file);
}

// ---- the page ----

static void
print_nothing(page *g)
{
    const asy_profile *p = g->p;

    if (p->thread_count == 0) {
        asy_out_put(g->o, "assay: nothing was measured\n");
    } else {
        asy_words_line(g->o, 0, "assay: the program did not begin: only its interpreter's start-up was (%s)",
                       asy_units_time(g->view->startup.self_ns).s);
    }
}

static asy_status
print_page(page *g, const char *path)
{
    asy_status st = ASY_OK;

    if (g->analysis.sum.calls == 0 && g->view->node_count <= 1) {
        print_nothing(g);
    } else {
        st = print_answer(g);
        if (st == ASY_OK) {
            choose_awaiting(g);
            st = choose_top(g);
        }
        if (st == ASY_OK) {
            print_budget(g);
            if (g->top_count > 0) {
                const asy_listing l = {g->p, g->origin, "function", 2, ASY_ROWS_SELF, false};

                asy_listing_print(g->o, &l, g->top, g->top_count);
            }
        }
        if (st == ASY_OK) {
            st = print_tags(g);
        }
    }
    if (st == ASY_OK) {
        print_trust(g);
    }
    if (st == ASY_OK && path != NULL && path[0] != '\0') {
        print_more(g, path);
    }
    return st;
}

asy_status
asy_summary_page(const asy_profile *p, const char *recording_path, uint32_t rows, asy_out *o)
{
    asy_view_select all = {.part = ASY_VIEW_PROGRAM};
    page g = {.p = p, .o = o, .table_rows = rows, .verdict = {.func = ASY_VIEW_NONE, .did = ""}};
    asy_status st = asy_view_make(p, &all, &g.view);

    if (st == ASY_OK) {
        st = asy_origins_make(p, &g.origin);
    }
    if (st == ASY_OK) {
        st = asy_analysis_make(g.view, g.origin, &g.analysis);
    }
    if (st == ASY_OK) {
        st = print_page(&g, recording_path);
        asy_analysis_clear(&g.analysis);
    }
    asy_view_free(g.view);
    free(g.origin);
    free(g.top);
    return st;
}

asy_status
asy_summary_print(const asy_profile *p, const char *recording_path, int fd, int width, bool color)
{
    asy_out o;
    asy_status st, closed;

    asy_out_open(&o, fd, width, color);
    st = asy_summary_page(p, recording_path, ASY_SUMMARY_ROWS, &o);
    closed = asy_out_close(&o);
    return st != ASY_OK ? st : closed;
}
