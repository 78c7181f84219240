// listing.c: rows of functions as a table.
#include "report/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "report/units.h"
#include "report/words.h"

#define ROOM_FOR_ALL 100 // columns that leave the time per call its place beside the suspended time

char *
asy_listing_place(const asy_profile *p, const asy_origin *origin, uint32_t func, bool waiting)
{
    const char *wait = waiting ? " (waiting)" : "";
    char *out = NULL;
    int n;

    if (func == ASY_VIEW_NONE) {
        return strdup("");
    }
    if (p->funcs[func].line > 0) {
        n = asprintf(&out, "%s:%u%s", origin[func].place, p->funcs[func].line, wait);
    } else {
        n = asprintf(&out, "%s%s", origin[func].place, wait);
    }
    return n < 0 ? NULL : out;
}

static void
add_owned(asy_table *t, char *text) // moved
{
    if (text == NULL) {
        t->failed = true;
    } else {
        asy_table_cell(t, text);
    }
    free(text);
}

// Only what waits by itself is marked: any function may lose the processor or the GIL.
static bool
mostly_waits(const asy_origin *origin, const asy_row *r)
{
    return r->func != ASY_VIEW_NONE && !origin[r->func].turn && r->wait_ns > 0 && r->wait_ns * 2 >= r->self_ns;
}

// "3", and of a function that calls itself "1/21,891": how many were not below another call of it.
static void
add_calls(asy_table *t, const asy_row *r)
{
    char text[2 * sizeof(asy_number)];

    if (r->primitive == r->calls) {
        asy_table_cell(t, asy_units_count(r->calls).s);
        return;
    }
    snprintf(text, sizeof text, "%s/%s", asy_units_count(r->primitive).s, asy_units_count(r->calls).s);
    asy_table_cell(t, text);
}

typedef struct {
    const asy_listing *l;
    uint64_t largest_ns;
    bool color;
    bool cpu, suspended, per_call; // such a column
} look;

static void
add_row(asy_table *t, const look *k, const asy_row *r)
{
    const asy_listing *l = k->l;
    bool project = r->func != ASY_VIEW_NONE && l->origin[r->func].project;

    asy_table_row(t, project ? ASY_STYLE_BOLD : ASY_STYLE_PLAIN);
    asy_table_cell(t, asy_units_column(r->self_ns, k->largest_ns).s);
    asy_table_cell(t, asy_units_column(r->total_ns, k->largest_ns).s);
    if (k->cpu) {
        asy_table_cell(t, asy_units_column(r->self_ns - r->wait_ns, k->largest_ns).s);
    }
    if (k->suspended) {
        asy_table_cell(t, r->suspended_ns == 0 ? "" : asy_units_time(r->suspended_ns).s);
    }
    add_calls(t, r);
    if (k->per_call) {
        asy_table_cell(t, r->calls == 0 ? "" : asy_units_time(r->total_ns / r->calls).s);
    }
    asy_table_cell(t, project && !k->color ? "*" : "");
    add_owned(t, asy_words_func(l->p, r->func, 400));
    add_owned(t, asy_listing_place(l->p, l->origin, r->func, mostly_waits(l->origin, r)));
}

static asy_column
number(const look *k, const char *head, asy_rows_order order, int rank)
{
    return (asy_column){ASY_COLUMN_NUMBER, head, k->l->order == order ? 0 : rank, 0};
}

static int
set_columns(asy_column *columns, const look *k)
{
    int n = 0;

    columns[n++] = number(k, "self", ASY_ROWS_SELF, 0);
    columns[n++] = number(k, "total", ASY_ROWS_TOTAL, 1);
    if (k->cpu) {
        columns[n++] = number(k, "cpu", ASY_ROWS_CPU, 4);
    }
    if (k->suspended) {
        columns[n++] = number(k, "suspended", ASY_ROWS_SUSPENDED, 2);
    }
    columns[n++] = number(k, "calls", ASY_ROWS_CALLS, 3);
    if (k->per_call) {
        columns[n++] = (asy_column){ASY_COLUMN_NUMBER, "per call", 5, 0};
    }
    columns[n++] = (asy_column){ASY_COLUMN_MARK, "", 0, 0};
    columns[n++] = (asy_column){ASY_COLUMN_NAME, k->l->head, 0, 0};
    columns[n++] = (asy_column){ASY_COLUMN_PATH, "", 0, 0};
    return n;
}

bool
asy_listing_has_project(const asy_origin *origin, const asy_row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].func != ASY_VIEW_NONE && origin[rows[i].func].project) {
            return true;
        }
    }
    return false;
}

const char *
asy_listing_legend(const asy_out *o)
{
    return o->color ? "bold: your code" : "* your code";
}

bool
asy_listing_print(asy_out *o, const asy_listing *l, const asy_row *rows, uint32_t count)
{
    asy_column columns[ASY_TABLE_COLUMNS];
    look k = {.l = l, .color = o->color, .cpu = l->p->edges == NULL};
    asy_table t;

    for (uint32_t i = 0; i < count; i++) {
        k.largest_ns = rows[i].total_ns > k.largest_ns ? rows[i].total_ns : k.largest_ns;
        k.largest_ns = rows[i].self_ns > k.largest_ns ? rows[i].self_ns : k.largest_ns;
        k.suspended = k.suspended || (l->suspended && rows[i].suspended_ns > 0);
    }
    k.per_call = !k.suspended || o->width >= ROOM_FOR_ALL;
    asy_table_open(&t, columns, set_columns(columns, &k));
    for (uint32_t i = 0; i < count; i++) {
        add_row(&t, &k, &rows[i]);
    }
    asy_table_print(&t, o, l->indent);
    asy_table_close(&t);
    return asy_listing_has_project(l->origin, rows, count);
}
