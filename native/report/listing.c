// listing.c: rows of functions as a table.
#include "report/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "report/units.h"
#include "report/words.h"

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
    return r->func != ASY_VIEW_NONE && strcmp(origin[r->func].wait, ASY_WAIT_TURN) != 0 && r->wait_ns > 0 &&
           r->wait_ns * 2 >= r->self_ns;
}

static void
add_row(asy_table *t, const asy_profile *p, const asy_origin *origin, const asy_row *r, uint64_t largest, bool color)
{
    bool project = r->func != ASY_VIEW_NONE && origin[r->func].project;

    asy_table_row(t, project ? ASY_STYLE_BOLD : ASY_STYLE_PLAIN);
    asy_table_cell(t, asy_units_column(r->self_ns, largest).s);
    asy_table_cell(t, asy_units_column(r->total_ns, largest).s);
    asy_table_cell(t, asy_units_column(r->self_ns - r->wait_ns, largest).s);
    asy_table_cell(t, asy_units_count(r->calls).s);
    asy_table_cell(t, r->calls == 0 ? "" : asy_units_time(r->total_ns / r->calls).s);
    asy_table_cell(t, project && !color ? "*" : "");
    add_owned(t, asy_words_func(p, r->func, 400));
    add_owned(t, asy_listing_place(p, origin, r->func, mostly_waits(origin, r)));
}

void
asy_listing_print(asy_out *o, const asy_profile *p, const asy_origin *origin, const asy_row *rows, uint32_t count,
                  const char *head, int indent)
{
    const asy_column columns[] = {
        {ASY_COLUMN_NUMBER, "self"},  {ASY_COLUMN_NUMBER, "total"},    {ASY_COLUMN_NUMBER, "cpu"},
        {ASY_COLUMN_NUMBER, "calls"}, {ASY_COLUMN_NUMBER, "per call"}, {ASY_COLUMN_MARK, ""},
        {ASY_COLUMN_NAME, head},      {ASY_COLUMN_PATH, ""},
    };
    uint64_t largest = 0;
    asy_table t;

    for (uint32_t i = 0; i < count; i++) {
        largest = rows[i].total_ns > largest ? rows[i].total_ns : largest;
        largest = rows[i].self_ns > largest ? rows[i].self_ns : largest;
    }
    asy_table_open(&t, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        add_row(&t, p, origin, &rows[i], largest, o->color);
    }
    asy_table_print(&t, o, indent);
    asy_table_close(&t);
}
