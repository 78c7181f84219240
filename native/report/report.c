// report.c: the text report.
#include "report/report.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/analysis.h"
#include "report/edge_rows.h"
#include "report/listing.h"
#include "report/table.h"
#include "report/tag_tables.h"
#include "report/tags.h"
#include "report/units.h"
#include "report/verdict.h"
#include "report/words.h"

#define AROUND 10u // functions of one name whose callers are shown

// ---- the page ----

static asy_status
refuse(char **problem, const char *format, const char *name)
{
    char *safe = asy_text_fit(name[0] == '\0' ? "''" : name, 100, ASY_CUT_END);
    int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    n = safe == NULL ? -1 : asprintf(problem, format, safe);
#pragma GCC diagnostic pop
    free(safe);
    if (n < 0) {
        *problem = NULL;
        return ASY_ENOMEM;
    }
    return ASY_EINVAL;
}

static asy_status
find_labels(asy_page *g)
{
    if (g->r->tag_count > ASY_VIEW_LABELS) {
        return refuse(g->problem, "too many tags at once: %s and more", g->r->tags[0]);
    }
    for (uint32_t i = 0; i < g->r->tag_count; i++) {
        if (!asy_tags_find(g->p, g->r->tags[i], &g->labels[i])) {
            return refuse(g->problem, "nothing in this recording has the tag %s", g->r->tags[i]);
        }
    }
    g->select = g->r->select;
    g->select.labels = g->labels;
    g->select.label_count = g->r->tag_count;
    return ASY_OK;
}

static asy_status
open_page(asy_page *g)
{
    const asy_view_select *s = &g->select;
    asy_status st;

    *g->problem = NULL;
    st = find_labels(g);
    if (st == ASY_OK) {
        st = asy_view_make(g->p, s, &g->view);
    }
    if (st == ASY_OK) {
        st = asy_origins_make(g->p, &g->origin);
    }
    if (st == ASY_OK) {
        st = asy_wall_make(g->p, g->origin, &g->wall);
    }
    if (st == ASY_OK && g->view->threads == 0 && s->thread != NULL) {
        st = refuse(g->problem, "no thread %s in this recording", s->thread);
    } else if (st == ASY_OK && g->view->threads == 0 && s->pid != 0) {
        st = refuse(g->problem, "no process %s in this recording", asy_units_count(s->pid).s);
    }
    return st;
}

asy_status
asy_page_make(const asy_profile *p, const asy_report *r, asy_out *o, char **problem, asy_status (*write)(asy_page *g),
              void *context)
{
    asy_page g = {.p = p, .r = r, .o = o, .problem = problem, .context = context};
    asy_status st = open_page(&g);

    if (st == ASY_OK) {
        st = write(&g);
    }
    asy_view_free(g.view);
    free(g.origin);
    return st;
}

// What asy_words_func makes of it.
static const char *
shown_name(const asy_profile_func *f)
{
    return f->kind == ASY_NODE_PY && strcmp(f->name, "<module>") == 0 ? "top level" : f->name;
}

bool
asy_page_matches(const asy_page *g, uint32_t func, const char *pattern)
{
    const asy_profile_func *f = &g->p->funcs[func];
    const char *texts[] = {shown_name(f), f->name, g->origin[func].place, NULL, NULL};
    bool glob = strpbrk(pattern, "*?[") != NULL;
    char place[512];

    snprintf(place, sizeof place, "%.480s:%u", g->origin[func].place, f->line);
    texts[3] = place;
    texts[4] = strrchr(place, '/') == NULL ? place : strrchr(place, '/') + 1; // as narrow tables show it
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (glob ? fnmatch(pattern, texts[i], 0) == 0 : strstr(texts[i], pattern) != NULL) {
            return true;
        }
    }
    return false;
}

// "only customer=acme and day=3"
static void
add_labels(asy_words *parts, const asy_view_select *s)
{
    char *text = strdup("only");

    for (uint32_t i = 0; i < s->label_count && text != NULL; i++) {
        char *label = asy_words_label(s->labels[i].key, s->labels[i].value, 60), *longer = NULL;

        if (label == NULL || asprintf(&longer, "%s%s %s", text, i == 0 ? "" : " and", label) < 0) {
            longer = NULL;
        }
        free(label);
        free(text);
        text = longer;
    }
    if (s->label_count > 0 && text != NULL) {
        asy_words_add(parts, "%s", text);
    }
    parts->failed = parts->failed || text == NULL;
    free(text);
}

static void
add_view(const asy_page *g, asy_words *parts)
{
    asy_words_add(parts, "wall %s", asy_units_time(asy_wall_ns(&g->wall)).s);
    asy_words_add(parts, "%s %s, %s %s", asy_units_count(g->view->processes).s,
                  g->view->processes == 1 ? "process" : "processes", asy_units_count(g->view->threads).s,
                  g->view->threads == 1 ? "thread" : "threads");
    add_labels(parts, &g->select);
    if (g->select.part == ASY_VIEW_STARTUP) {
        asy_words_add(parts, "start-up and shutdown only");
    }
}

static void
print_title(asy_page *g)
{
    const char *command = g->p->script[0] != '\0' ? g->p->script : g->p->command;
    int most = g->o->width - 4;
    char *path = asy_text_fit(g->r->path, most < 60 ? most : 60, ASY_CUT_START);
    char *what = asy_text_fit(command, most < 50 ? most : 50, g->p->script[0] != '\0' ? ASY_CUT_START : ASY_CUT_END);
    asy_words parts = {0};

    asy_words_add(&parts, "%s", path == NULL ? "" : path);
    if (what != NULL && what[0] != '\0') {
        asy_words_add(&parts, "%s", what);
    }
    if (g->p->edges != NULL) {
        asy_edges_title(g->p->edges, &parts);
    } else {
        add_view(g, &parts);
    }
    asy_words_wrap(g->o, &parts, " · ", 0, 2);
    asy_words_clear(&parts);
    free(path);
    free(what);
}

static void
print_foot(asy_page *g)
{
    asy_words losses = {0};
    asy_words parts = {0};
    const asy_view_sum *s = &g->view->startup;
    bool startup = g->select.part == ASY_VIEW_PROGRAM && s->self_ns > 0;

    if (g->marked) {
        asy_words_add(&parts, "%s", asy_listing_legend(g->o));
    }
    if (startup) {
        asy_words_add(&parts, "left out: start-up and shutdown, %s (--startup)", asy_units_time(s->self_ns).s);
    }
    if (g->set_aside_ns > 0) {
        asy_words_add(&parts, "%swaiting for other threads or for work, %s (--by self)",
                      startup ? "" : "left out: ", asy_units_time(g->set_aside_ns).s);
    }
    if (parts.count > 0) {
        asy_words_wrap(g->o, &parts, "; ", 0, 2);
    }
    asy_words_clear(&parts);
    if (asy_words_no_c_calls(g->view->profile)) {
        asy_words_line(g->o, 0, "C calls were not counted: time in C is its caller's own");
    }
    if (g->p->edges != NULL) {
        asy_edges_remarks(g->p->edges, &losses);
    } else {
        asy_words_losses(g->view, &losses);
    }
    asy_out_style(g->o, ASY_STYLE_WARN);
    for (uint32_t i = 0; i < losses.count; i++) {
        asy_words_line(g->o, 0, "%s", losses.text[i]);
    }
    asy_out_style(g->o, ASY_STYLE_PLAIN);
    asy_words_clear(&losses);
}

// ---- flat ----

static uint32_t
keep_matching(const asy_page *g, asy_row *rows, uint32_t count)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (g->r->only == NULL || (rows[i].func != ASY_VIEW_NONE && asy_page_matches(g, rows[i].func, g->r->only))) {
            rows[n++] = rows[i];
        }
    }
    return n;
}

static void
list_rows(asy_page *g, const asy_row *rows, uint32_t count, const char *head, int indent)
{
    const asy_listing l = {g->p, g->origin, head, indent, g->r->order, true};

    g->marked = asy_listing_print(g->o, &l, rows, count) || g->marked;
}

static void
print_rows(asy_page *g, asy_row *rows, uint32_t count, const char *head, int indent)
{
    uint32_t shown = g->r->limit == 0 || g->r->limit > count ? count : g->r->limit;
    uint64_t rest = 0;

    asy_rows_sort(g->p, rows, count, g->r->order);
    list_rows(g, rows, shown, head, indent);
    for (uint32_t i = shown; i < count; i++) {
        rest += rows[i].self_ns;
    }
    if (shown < count) {
        asy_words_line(g->o, indent, "… %s more with %s of self time (--limit 0 shows all)",
                       asy_units_count(count - shown).s, asy_units_time(rest).s);
    }
}

asy_status
asy_page_none_matches(asy_page *g)
{
    return refuse(g->problem, "no function matches %s", g->r->only);
}

void
asy_page_nothing(asy_page *g)
{
    asy_out_put(g->o,
                g->select.label_count > 1 ? "nothing ran with all of these tags\n" : "no calls were measured here\n");
}

// Rows of functions that only wait for other threads go to the end; where there are others, to those *count is set.
static asy_status
set_aside(asy_page *g, asy_row *rows, uint32_t *count)
{
    asy_analysis a;
    asy_measure by;
    uint64_t aside_ns = 0;
    uint32_t kept = 0;
    asy_status st = asy_analysis_make(g->view, g->origin, &a);

    if (st != ASY_OK) {
        return st;
    }
    by = asy_verdict_measure(&a);
    for (uint32_t i = 0; i < *count; i++) {
        asy_row r = rows[i];

        if (asy_verdict_sets_aside(&a, by, &r)) {
            aside_ns += r.self_ns;
        } else {
            rows[i] = rows[kept];
            rows[kept++] = r;
        }
    }
    if (kept > 0) {
        g->set_aside_ns = aside_ns;
        *count = kept;
    }
    asy_analysis_clear(&a);
    return ASY_OK;
}

static asy_status
print_flat(asy_page *g)
{
    asy_row *rows;
    uint32_t count;
    asy_status st = asy_rows_flat(g->view, &rows, &count);

    if (st == ASY_OK && g->r->plain && g->r->only == NULL && g->r->limit != 0 && g->p->edges == NULL) {
        st = set_aside(g, rows, &count);
    }
    if (st == ASY_OK) {
        count = keep_matching(g, rows, count);
        if (count == 0 && g->r->only != NULL) {
            st = asy_page_none_matches(g);
        } else if (count == 0) {
            asy_page_nothing(g);
        } else {
            print_rows(g, rows, count, "function", 0);
        }
    }
    free(rows);
    return st;
}

// ---- callers and callees ----

// 4 = the name itself, 3 = its last part, 2 = file:line, 1 = a pattern or part of it, 0 = no match.
static int
match_rank(const asy_page *g, uint32_t func, const char *name)
{
    const char *own = g->p->funcs[func].name;
    const char *dot = strrchr(own, '.');
    char place[512];

    snprintf(place, sizeof place, "%.480s:%u", g->origin[func].place, g->p->funcs[func].line);
    if (strcmp(own, name) == 0 || strcmp(shown_name(&g->p->funcs[func]), name) == 0) {
        return 4;
    }
    if (dot != NULL && strcmp(dot + 1, name) == 0) {
        return 3;
    }
    if (strcmp(place, name) == 0) {
        return 2;
    }
    return asy_page_matches(g, func, name);
}

static asy_status
print_edges(asy_page *g, const asy_row *row, bool callers)
{
    asy_row *rows;
    uint32_t count, kept;
    asy_status st = callers ? asy_rows_callers(g->view, row->func, &rows, &count)
                            : asy_rows_callees(g->view, row->func, &rows, &count);

    if (st != ASY_OK) {
        return st;
    }
    kept = keep_matching(g, rows, count);
    list_rows(g, row, 1, "", 0);
    if (count == 0) {
        asy_out_put(g->o, callers ? "  nothing called it\n\n" : "  it called nothing\n\n");
    } else if (kept == 0) {
        asy_out_put(g->o, callers ? "  nothing that matches called it\n\n" : "  it called nothing that matches\n\n");
    } else {
        print_rows(g, rows, kept, callers ? "called by" : "it calls", 2);
        asy_out_put(g->o, "\n");
    }
    free(rows);
    return ASY_OK;
}

static asy_status
print_best(asy_page *g, const asy_row *rows, uint32_t count, const char *name, int best, bool callers)
{
    uint32_t matches = 0;
    asy_status st = ASY_OK;

    for (uint32_t i = 0; st == ASY_OK && i < count; i++) {
        if (match_rank(g, rows[i].func, name) == best && matches++ < AROUND) {
            st = print_edges(g, &rows[i], callers);
        }
    }
    if (st == ASY_OK && matches > AROUND) {
        asy_words_line(g->o, 0, "… %s more functions match; a longer name or file:line chooses",
                       asy_units_count(matches - AROUND).s);
        asy_out_put(g->o, "\n");
    }
    return st;
}

static asy_status
print_around(asy_page *g, const char *name, bool callers)
{
    asy_row *rows;
    uint32_t count;
    int best = 0;
    asy_status st = asy_rows_flat(g->view, &rows, &count);

    for (uint32_t i = 0; st == ASY_OK && i < count; i++) {
        int rank = match_rank(g, rows[i].func, name);

        best = rank > best ? rank : best;
    }
    if (st == ASY_OK && best == 0) {
        st =
            refuse(g->problem,
                   "no function %s in this recording (in this part of it); see assay report --by name --limit 0", name);
    }
    if (st == ASY_OK) {
        asy_rows_sort(g->p, rows, count, ASY_ROWS_TOTAL);
        st = print_best(g, rows, count, name, best, callers);
    }
    free(rows);
    return st;
}

// ---- labels ----

static void
add_tag_row(asy_table *t, const asy_tag_row *r, uint64_t largest)
{
    asy_table_row(t, r->value == NULL ? ASY_STYLE_DIM : ASY_STYLE_PLAIN);
    asy_table_cell(t, asy_units_column(r->self_ns, largest).s);
    asy_table_cell(t, asy_units_column(r->total_ns, largest).s);
    asy_table_cell(t, asy_units_column(r->self_ns - r->wait_ns, largest).s);
    asy_table_cell(t, r->value == NULL ? "" : asy_units_count(r->calls).s);
    asy_table_cell(t, r->value == NULL ? "(without)" : r->value[0] == '\0' ? "''" : r->value);
}

static void
print_tag_table(asy_page *g, const asy_tag_table *tag)
{
    const asy_column columns[] = {{ASY_COLUMN_NUMBER, "self", 0, 0},
                                  {ASY_COLUMN_NUMBER, "total", 1, 0},
                                  {ASY_COLUMN_NUMBER, "cpu", 3, 0},
                                  {ASY_COLUMN_NUMBER, "calls", 2, 0},
                                  {ASY_COLUMN_NAME, tag->key[0] == '\0' ? "''" : tag->key, 0, 0}};
    uint32_t left_out = g->r->limit != 0 && tag->value_count > g->r->limit ? tag->value_count - g->r->limit : 0;
    asy_table t;
    uint64_t largest = 0;

    asy_table_open(&t, columns, 5);
    for (uint32_t i = 0; i <= tag->value_count; i++) {
        largest = tag->rows[i].total_ns > largest ? tag->rows[i].total_ns : largest;
    }
    for (uint32_t i = 0; i <= tag->value_count; i++) {
        bool any = tag->rows[i].total_ns > 0 || tag->rows[i].calls > 0 || g->r->select.label_count == 0;

        if (any && (i < tag->value_count - left_out || i == tag->value_count)) {
            add_tag_row(&t, &tag->rows[i], largest);
        }
    }
    asy_table_print(&t, g->o, 0);
    if (left_out > 0) {
        asy_words_line(g->o, 0, "… %u more value%s (--limit 0 shows all)", left_out, left_out == 1 ? "" : "s");
    }
    asy_table_close(&t);
}

static asy_status
print_tags(asy_page *g)
{
    asy_tag_tables tables;
    asy_status st = asy_tag_tables_make(g->view, &tables);

    if (st == ASY_OK && tables.count == 0) {
        asy_words_line(g->o, 0, "no tags: the program sets them with assay.tag(name=value)");
    }
    for (uint32_t i = 0; i < tables.count; i++) {
        if (i > 0) {
            asy_out_put(g->o, "\n");
        }
        print_tag_table(g, &tables.at[i]);
    }
    asy_tag_tables_clear(&tables);
    return st;
}

static asy_status
print_page(asy_page *g)
{
    const asy_report *r = g->r;
    asy_status st = ASY_OK;

    print_title(g);
    if (r->callers != NULL) {
        st = print_around(g, r->callers, true);
    }
    if (st == ASY_OK && r->callees != NULL) {
        st = print_around(g, r->callees, false);
    }
    if (st == ASY_OK && r->tree) {
        st = asy_page_tree(g);
    } else if (st == ASY_OK && r->by_process) {
        st = asy_page_processes(g);
    } else if (st == ASY_OK && r->by_tag) {
        st = print_tags(g);
    } else if (st == ASY_OK && r->callers == NULL && r->callees == NULL) {
        st = print_flat(g);
    }
    if (st == ASY_OK) {
        print_foot(g);
    }
    return st;
}

asy_status
asy_report_text(const asy_profile *p, const asy_report *r, asy_out *o, char **problem)
{
    return asy_page_make(p, r, o, problem, print_page, NULL);
}
