// tag_tables.c: see tag_tables.h.
// What a label's value ran is what is below the nodes that set it, less what is below the next nodes down that set the same
// key: so only nodes that set a label are looked at, once for each label.
#include "report/tag_tables.h"

#include <stdlib.h>
#include <string.h>

// A label of a tag.
typedef struct {
    const char *key, *value;
    uint32_t func, order;
    uint32_t table, row;
} setting;

typedef struct {
    const asy_view *view;
    asy_tag_tables *out;
    setting *settings; // sorted by function at the end
    uint32_t count;
    uint32_t *first; // per function: its first setting
    uint32_t *now;   // per table: the row of the innermost value
    uint32_t *depth; // per row: how many nodes around this one set it
    uint32_t *left;  // rows to go back to: `now` before each open setting
    uint32_t left_count, left_room;
} tabulator;

static int
by_func(const void *x, const void *y)
{
    const setting *a = x, *b = y;
    int keys = a->func != b->func ? (a->func > b->func) - (a->func < b->func) : strcmp(a->key, b->key);

    return keys != 0 ? keys : (a->order > b->order) - (a->order < b->order);
}

static int
by_value(const void *x, const void *y)
{
    const setting *a = x, *b = y;
    int keys = strcmp(a->key, b->key);

    return keys != 0 ? keys : strcmp(a->value, b->value);
}

static int
by_self(const void *x, const void *y)
{
    const asy_tag_row *a = x, *b = y;

    if ((a->value == NULL) != (b->value == NULL)) {
        return a->value == NULL ? 1 : -1;
    }
    if (a->self_ns != b->self_ns) {
        return a->self_ns < b->self_ns ? 1 : -1;
    }
    return a->value == NULL ? 0 : strcmp(a->value, b->value);
}

// ---- which labels there are ----

static bool
sets_labels(const asy_view *v, uint32_t node)
{
    return node != 0 && asy_view_kind(&v->nodes[node]) == ASY_NODE_TAG;
}

// The settings of every tag that the view has; of a key that a tag has twice, the first counts.
static asy_status
collect(tabulator *t)
{
    const asy_profile *p = t->view->profile;
    bool *used = calloc((size_t)p->func_count + 1, sizeof *used);
    size_t room = 1;
    uint32_t n = 0;

    for (uint32_t i = 1; used != NULL && i < t->view->node_count; i++) {
        if (sets_labels(t->view, i) && !used[t->view->nodes[i].func]) {
            used[t->view->nodes[i].func] = true;
            room += p->funcs[t->view->nodes[i].func].label_count / 2;
        }
    }
    t->settings = used == NULL ? NULL : calloc(room, sizeof *t->settings);
    for (uint32_t f = 0; t->settings != NULL && f < p->func_count; f++) {
        for (uint32_t i = 0; used[f] && i + 1 < p->funcs[f].label_count; i += 2) {
            t->settings[t->count++] =
                (setting){.key = p->funcs[f].labels[i], .value = p->funcs[f].labels[i + 1], .func = f, .order = i};
        }
    }
    free(used);
    if (t->settings == NULL) {
        return ASY_ENOMEM;
    }
    qsort(t->settings, t->count, sizeof *t->settings, by_func);
    for (uint32_t i = 0; i < t->count; i++) {
        const setting *s = &t->settings[i];

        if (n == 0 || t->settings[n - 1].func != s->func || strcmp(t->settings[n - 1].key, s->key) != 0) {
            t->settings[n++] = *s;
        }
    }
    t->count = n;
    return ASY_OK;
}

// A table for each key, with a row for what ran without it and one for each value.
static void
number(tabulator *t)
{
    const asy_view_node *root = &t->view->nodes[0];
    asy_tag_tables *o = t->out;
    uint32_t rows = 0;

    qsort(t->settings, t->count, sizeof *t->settings, by_value);
    for (uint32_t i = 0; i < t->count; i++) {
        setting *s = &t->settings[i];
        bool new_key = i == 0 || strcmp(s[-1].key, s->key) != 0;

        if (new_key) {
            t->now[o->count] = rows;
            o->at[o->count++] = (asy_tag_table){.key = s->key, .rows = &o->rows[rows]};
            o->rows[rows].self_ns = root->total_ns - root->self_ns; // less what each value takes
            o->rows[rows++].wait_ns = root->total_wait_ns - root->wait_ns;
        }
        if (new_key || strcmp(s[-1].value, s->value) != 0) {
            o->rows[rows++].value = s->value;
            o->at[o->count - 1].value_count++;
        }
        s->table = o->count - 1;
        s->row = rows - 1;
    }
    qsort(t->settings, t->count, sizeof *t->settings, by_func);
    for (uint32_t i = t->count; i-- > 0;) {
        t->first[t->settings[i].func] = i;
    }
}

// ---- what ran under them ----

static asy_status
remember(tabulator *t, uint32_t row)
{
    if (t->left_count == t->left_room) {
        uint32_t room = t->left_room == 0 ? 64 : 2 * t->left_room;
        uint32_t *bigger = realloc(t->left, room * sizeof *bigger);

        if (bigger == NULL) {
            return ASY_ENOMEM;
        }
        t->left = bigger;
        t->left_room = room;
    }
    t->left[t->left_count++] = row;
    return ASY_OK;
}

static asy_status
enter(tabulator *t, const asy_view_node *n)
{
    asy_tag_row *rows = t->out->rows;
    asy_status st = ASY_OK;

    for (uint32_t i = t->first[n->func]; i < t->count && t->settings[i].func == n->func && st == ASY_OK; i++) {
        const setting *s = &t->settings[i];
        asy_tag_row *around = &rows[t->now[s->table]], *row = &rows[s->row];

        st = remember(t, t->now[s->table]);
        t->now[s->table] = s->row;
        around->self_ns -= n->total_ns;
        around->wait_ns -= n->total_wait_ns;
        row->self_ns += n->total_ns;
        row->wait_ns += n->total_wait_ns;
        row->calls += n->calls;
        if (t->depth[s->row]++ == 0) {
            row->total_ns += n->total_ns;
            row->total_wait_ns += n->total_wait_ns;
        }
    }
    return st;
}

static void
leave(tabulator *t, const asy_view_node *n)
{
    uint32_t from = t->first[n->func], to = from;

    while (to < t->count && t->settings[to].func == n->func) {
        to++;
    }
    while (to-- > from) {
        t->depth[t->settings[to].row]--;
        t->now[t->settings[to].table] = t->left[--t->left_count];
    }
}

static asy_status
add_up(tabulator *t)
{
    asy_view_walk w = {0, true};
    asy_status st = ASY_OK;

    while (t->count > 0 && st == ASY_OK && asy_view_step(t->view, &w)) {
        if (sets_labels(t->view, w.node) && w.entering) {
            st = enter(t, &t->view->nodes[w.node]);
        } else if (sets_labels(t->view, w.node)) {
            leave(t, &t->view->nodes[w.node]);
        }
    }
    for (uint32_t i = 0; i < t->out->count && st == ASY_OK; i++) {
        asy_tag_row *without = &t->out->rows[t->now[i]]; // every setting is left; the table's first row

        without->total_ns = without->self_ns;
        without->total_wait_ns = without->wait_ns;
        qsort(without, (size_t)t->out->at[i].value_count + 1, sizeof *without, by_self);
    }
    return st;
}

asy_status
asy_tag_tables_make(const asy_view *v, asy_tag_tables *out)
{
    tabulator t = {.view = v, .out = out};
    asy_status st;
    size_t n;

    *out = (asy_tag_tables){0};
    st = collect(&t);
    n = 2 * (size_t)t.count + 1;
    t.first = calloc((size_t)v->profile->func_count + 1, sizeof *t.first);
    t.now = calloc(n, sizeof *t.now);
    t.depth = calloc(n, sizeof *t.depth);
    out->at = calloc(n, sizeof *out->at);
    out->rows = calloc(n, sizeof *out->rows);
    if (st != ASY_OK || t.first == NULL || t.now == NULL || t.depth == NULL || out->at == NULL || out->rows == NULL) {
        st = ASY_ENOMEM;
        goto done;
    }
    number(&t);
    st = add_up(&t);
done:
    free(t.settings);
    free(t.first);
    free(t.now);
    free(t.depth);
    free(t.left);
    if (st != ASY_OK) {
        asy_tag_tables_clear(out);
    }
    return st;
}

void
asy_tag_tables_clear(asy_tag_tables *t)
{
    free(t->at);
    free(t->rows);
    *t = (asy_tag_tables){0};
}
