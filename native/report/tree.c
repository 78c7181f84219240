// tree.c: the calling tree as indented lines, largest first, without what is below 1 %.
// Direct recursion is one line. The walk keeps its own stack: a tree may be as deep as the recursion it shows.
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/listing.h"
#include "report/table.h"
#include "report/units.h"
#include "report/words.h"

#define WORTH_A_LINE 200u
#define COLUMNS 9
#define LABEL_LEAST 20 // indented names
#define PART 100u      // nodes below 1/PART of the whole are left out

typedef struct {
    uint32_t node, depth;
    uint32_t left_out; // > 0: the line that says how many children of `node` are not shown
    uint64_t left_out_ns;
} entry;

typedef struct {
    asy_page *g;
    const asy_view *v; // recursion laid flat
    bool *keep;        // per node: it or something below it is asked for
    entry *stack;      // owned
    uint32_t count, cap;
    asy_table table;
    uint64_t whole_ns;
    uint64_t small, small_ns; // left out without a line of their own
} walk;

static asy_status
push(walk *w, entry e)
{
    if (w->count == w->cap) {
        uint32_t cap = w->cap == 0 ? 64 : 2 * w->cap;
        entry *grown = realloc(w->stack, cap * sizeof *grown);

        if (grown == NULL) {
            return ASY_ENOMEM;
        }
        w->stack = grown;
        w->cap = cap;
    }
    w->stack[w->count++] = e;
    return ASY_OK;
}

static int
smaller_first(const void *x, const void *y, void *ctx)
{
    const asy_view_node *nodes = ctx;
    const entry *a = x, *b = y;
    uint64_t left = nodes[a->node].total_ns, right = nodes[b->node].total_ns;

    return left != right ? (left > right) - (left < right) : (a->node < b->node) - (a->node > b->node);
}

// Children worth a line go on the stack, the largest on top; below them a line for the others.
static asy_status
push_children(walk *w, uint32_t node, uint32_t depth)
{
    const asy_view_node *nodes = w->v->nodes;
    entry rest = {.node = node, .depth = depth};
    uint32_t first;
    asy_status st = push(w, rest);

    first = w->count;
    for (uint32_t c = nodes[node].first_child; c != 0 && st == ASY_OK; c = nodes[c].next) {
        if (!w->keep[c]) {
            continue;
        }
        if (w->g->r->only == NULL && (nodes[c].total_ns < w->whole_ns / PART || nodes[c].total_ns == 0)) {
            rest.left_out += nodes[c].total_ns > 0 || nodes[c].calls > 0;
            rest.left_out_ns += nodes[c].total_ns;
        } else {
            st = push(w, (entry){.node = c, .depth = depth});
        }
    }
    if (st != ASY_OK) {
        return st;
    }
    qsort_r(w->stack + first, w->count - first, sizeof *w->stack, smaller_first, (void *)(uintptr_t)nodes);
    w->stack[first - 1] = rest;
    if (rest.left_out_ns < w->whole_ns / WORTH_A_LINE || rest.left_out == 0) {
        w->small += rest.left_out;
        w->small_ns += rest.left_out_ns;
        memmove(w->stack + first - 1, w->stack + first, (w->count - first) * sizeof *w->stack);
        w->count--;
    }
    return ASY_OK;
}

static char *
label(const walk *w, const entry *e, const char *name)
{
    uint32_t most = (uint32_t)w->g->o->width / 6;
    int indent = (int)(2 * (e->depth < most ? e->depth : most));
    char *out = NULL;
    int n;

    if (e->depth > most) {
        n = asprintf(&out, "%*s[%u] %s", indent, "", e->depth, name);
    } else {
        n = asprintf(&out, "%*s%s", indent, "", name);
    }
    return n < 0 ? NULL : out;
}

static void
add_cell(walk *w, char *text) // moved
{
    if (text == NULL) {
        w->table.failed = true;
    } else {
        asy_table_cell(&w->table, text);
    }
    free(text);
}

static void
add_node(walk *w, const entry *e)
{
    const asy_view_node *n = &w->v->nodes[e->node];
    bool tag = asy_view_kind(n) == ASY_NODE_TAG;
    bool project = !tag && w->g->origin[n->func].project;
    char *name = asy_words_func(w->g->p, n->func, 400);

    w->g->marked = w->g->marked || project;
    asy_table_row(&w->table, project ? ASY_STYLE_BOLD : ASY_STYLE_PLAIN);
    asy_table_cell(&w->table, asy_units_column(n->total_ns, w->whole_ns).s);
    asy_table_cell(&w->table, asy_units_percent(n->total_ns, w->whole_ns).s);
    asy_table_cell(&w->table, asy_units_column(n->self_ns, w->whole_ns).s);
    asy_table_cell(&w->table, asy_units_column(n->self_ns - n->wait_ns, w->whole_ns).s);
    asy_table_cell(&w->table, n->suspended_ns == 0 ? "" : asy_units_time(n->suspended_ns).s);
    asy_table_cell(&w->table, asy_units_count(n->calls).s);
    asy_table_cell(&w->table, project && !w->g->o->color ? "*" : "");
    add_cell(w, name == NULL ? NULL : label(w, e, name));
    add_cell(w, tag ? strdup("") : asy_listing_place(w->g->p, w->g->origin, n->func, false));
    free(name);
}

static void
add_left_out(walk *w, const entry *e)
{
    char text[80];

    snprintf(text, sizeof text, "… %s below 1 %%", asy_units_count(e->left_out).s);
    asy_table_row(&w->table, ASY_STYLE_DIM);
    asy_table_cell(&w->table, asy_units_column(e->left_out_ns, w->whole_ns).s);
    asy_table_cell(&w->table, asy_units_percent(e->left_out_ns, w->whole_ns).s);
    for (int i = 0; i < COLUMNS - 4; i++) { // self to mark
        asy_table_cell(&w->table, "");
    }
    add_cell(w, label(w, e, text));
}

static asy_status
walk_all(walk *w)
{
    uint32_t limit = w->g->r->limit;
    asy_status st = push_children(w, 0, 0);

    while (st == ASY_OK && w->count > 0 && (limit == 0 || w->table.row_count < limit)) {
        entry e = w->stack[--w->count];

        if (e.left_out > 0) {
            add_left_out(w, &e);
        } else {
            add_node(w, &e);
            st = push_children(w, e.node, e.depth + 1);
        }
    }
    return st;
}

static asy_status
mark_kept(walk *w)
{
    const asy_view *v = w->v;
    bool *asked = calloc((size_t)w->g->p->func_count + 1, sizeof *asked);

    if (asked == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t f = 0; f < w->g->p->func_count; f++) {
        asked[f] = w->g->r->only == NULL || asy_page_matches(w->g, f, w->g->r->only);
    }
    for (uint32_t i = v->node_count - 1; i > 0; i--) {
        w->keep[i] = w->keep[i] || asked[v->nodes[i].func];
        w->keep[v->nodes[i].parent] = w->keep[v->nodes[i].parent] || w->keep[i];
    }
    free(asked);
    return ASY_OK;
}

static void
print(const walk *w)
{
    asy_out *o = w->g->o;

    if (w->table.row_count == 0) {
        asy_page_nothing(w->g);
        return;
    }
    asy_table_print(&w->table, o, 0);
    if (w->count > 0) {
        asy_words_line(o, 0, "… cut after %u lines; --limit 0 shows all", w->table.row_count);
    }
    if (w->small > 0) {
        asy_words_line(o, 0, "left out besides: %s %s below 1 %%, %s%s", asy_units_count(w->small).s,
                       w->small == 1 ? "branch" : "branches", asy_units_time(w->small_ns).s,
                       w->small == 1 ? "" : " together");
    }
}

asy_status
asy_page_tree(asy_page *g)
{
    const asy_column columns[COLUMNS] = {
        {ASY_COLUMN_NUMBER, "total", 0, 0},
        {ASY_COLUMN_NUMBER, "", 1, 0},
        {ASY_COLUMN_NUMBER, "self", 2, 0},
        {ASY_COLUMN_NUMBER, "cpu", 5, 0},
        {ASY_COLUMN_SOME, "suspended", 3, 0},
        {ASY_COLUMN_NUMBER, "calls", 4, 0},
        {ASY_COLUMN_MARK, "", 0, 0},
        {ASY_COLUMN_NAME, "function", 0, g->o->width < ASY_WIDTH_USUAL ? LABEL_LEAST : 0},
        {ASY_COLUMN_PATH, "", 0, 0},
    };
    asy_view *flat;
    walk w = {.g = g};
    asy_status st = asy_view_collapse(g->view, &flat);

    if (st != ASY_OK) {
        return st;
    }
    w.v = flat;
    w.whole_ns = flat->nodes[0].total_ns;
    w.keep = calloc(flat->node_count, sizeof *w.keep);
    asy_table_open(&w.table, columns, COLUMNS);
    st = w.keep == NULL ? ASY_ENOMEM : ASY_OK;
    if (st == ASY_OK) {
        st = mark_kept(&w);
    }
    if (st == ASY_OK) {
        st = walk_all(&w);
    }
    if (st == ASY_OK && w.table.row_count == 0 && g->r->only != NULL) {
        st = asy_page_none_matches(g);
    } else if (st == ASY_OK) {
        print(&w);
    }
    asy_table_close(&w.table);
    asy_view_free(flat);
    free(w.keep);
    free(w.stack);
    return st;
}
