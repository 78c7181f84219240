// table.c: column widths, and what to cut when they do not fit.
#include "report/table.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MIN 12 // not less as long as it fits so
#define NAME_LEAST 6

typedef struct {
    int width[ASY_TABLE_COLUMNS];
    int base[ASY_TABLE_COLUMNS]; // of a path: what its file names need
    int gap;
} layout;

void
asy_table_open(asy_table *t, const asy_column *columns, int count)
{
    *t = (asy_table){.columns = columns, .column_count = count};
}

void
asy_table_close(asy_table *t)
{
    for (size_t i = 0; i < (size_t)t->row_count * (size_t)t->column_count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    free(t->style);
    *t = (asy_table){0};
}

static bool
grow(asy_table *t)
{
    uint32_t cap = t->row_cap == 0 ? 32 : 2 * t->row_cap;
    char **cells = realloc(t->cells, (size_t)cap * (size_t)t->column_count * sizeof *cells);
    uint8_t *style;

    if (cells == NULL) {
        return false;
    }
    t->cells = cells;
    style = realloc(t->style, cap);
    if (style == NULL) {
        return false;
    }
    t->style = style;
    t->row_cap = cap;
    return true;
}

void
asy_table_row(asy_table *t, asy_style style)
{
    if (t->failed || (t->row_count == t->row_cap && !grow(t))) {
        t->failed = true;
        return;
    }
    memset(t->cells + (size_t)t->row_count * (size_t)t->column_count, 0, (size_t)t->column_count * sizeof *t->cells);
    t->style[t->row_count++] = (uint8_t)style;
    t->fill = 0;
}

void
asy_table_cell(asy_table *t, const char *text)
{
    if (!t->failed && t->row_count > 0 && t->fill < t->column_count) {
        char *copy = strdup(text);

        t->cells[(size_t)(t->row_count - 1) * (size_t)t->column_count + (size_t)t->fill++] = copy;
        t->failed = copy == NULL;
    }
}

static const char *
cell(const asy_table *t, uint32_t row, int column)
{
    const char *s = t->cells[(size_t)row * (size_t)t->column_count + (size_t)column];

    return s == NULL ? "" : s;
}

static const char *
file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool
is_empty(const asy_table *t, int column)
{
    for (uint32_t r = 0; r < t->row_count; r++) {
        if (cell(t, r, column)[0] != '\0') {
            return false;
        }
    }
    return true;
}

static void
measure(const asy_table *t, layout *l)
{
    for (int c = 0; c < t->column_count; c++) {
        l->width[c] = asy_text_width(t->columns[c].head);
        l->base[c] = t->columns[c].kind == ASY_COLUMN_PATH ? 0 : NAME_MIN;
        for (uint32_t r = 0; r < t->row_count; r++) {
            int w = asy_text_width(cell(t, r, c));

            l->width[c] = w > l->width[c] ? w : l->width[c];
            w = t->columns[c].kind == ASY_COLUMN_PATH ? asy_text_width(file_name(cell(t, r, c))) : 0;
            l->base[c] = w > l->base[c] ? w : l->base[c];
        }
        if (t->columns[c].kind == ASY_COLUMN_SOME && is_empty(t, c)) {
            l->width[c] = 0;
        }
    }
}

static int
gap_before(const asy_table *t, const layout *l, int column)
{
    if (column == 0 || l->width[column] == 0) {
        return 0;
    }
    return t->columns[column - 1].kind == ASY_COLUMN_MARK && l->width[column - 1] > 0 ? 1 : l->gap;
}

static int
sum_widths(const asy_table *t, const layout *l)
{
    int sum = 0;

    for (int c = 0; c < t->column_count; c++) {
        sum += l->width[c] + gap_before(t, l, c);
    }
    return sum;
}

static int
least_width(const asy_column *c, int least)
{
    return least > NAME_LEAST && c->least > 0 ? c->least : least;
}

// The column that can best do with less: one of paths that still show directories, then the widest that may be cut.
static int
find_flexible(const asy_table *t, const layout *l, int least)
{
    int best = -1;

    for (int c = 0; c < t->column_count; c++) {
        asy_column_kind kind = t->columns[c].kind;

        if (kind == ASY_COLUMN_PATH && l->width[c] > l->base[c]) {
            return c;
        }
        if ((kind == ASY_COLUMN_PATH || kind == ASY_COLUMN_NAME) && l->width[c] > least_width(&t->columns[c], least) &&
            (best < 0 || l->width[c] > l->width[best])) {
            best = c;
        }
    }
    return best;
}

// Cut names and paths until the rows fit. False: they are as short as may be, and it is too wide still.
static bool
shrink(const asy_table *t, layout *l, int room, int least)
{
    for (int sum = sum_widths(t, l); sum > room; sum--) {
        int c = find_flexible(t, l, least);

        if (c < 0) {
            return false;
        }
        l->width[c]--;
    }
    return true;
}

// The column that is missed least, -1: all others are wanted.
static int
find_spare(const asy_table *t, const layout *l)
{
    int best = -1;

    for (int c = 1; c < t->column_count; c++) {
        if (l->width[c] > 0 && t->columns[c].rank > 0 && (best < 0 || t->columns[c].rank > t->columns[best].rank)) {
            best = c;
        }
    }
    return best;
}

static void
fit(const asy_table *t, layout *l, int room)
{
    layout tried;
    int spare = 0;

    l->gap = 2;
    l->gap = sum_widths(t, l) > room ? 1 : 2;
    for (tried = *l; !shrink(t, &tried, room, NAME_MIN) && spare >= 0; tried = *l) {
        spare = find_spare(t, l);
        if (spare >= 0) {
            l->width[spare] = 0;
        }
    }
    *l = tried;
    shrink(t, l, room, NAME_LEAST);
}

// *pad are the spaces owed before the next text: none are written at a line's end.
static void
print_cell(const asy_table *t, asy_out *o, int c, const char *text, int width, int *pad)
{
    asy_column_kind kind = t->columns[c].kind;
    bool number = kind == ASY_COLUMN_NUMBER || kind == ASY_COLUMN_SOME;
    char *fitted;
    int rest;

    if (width == 0) {
        return;
    }

    if (kind == ASY_COLUMN_PATH && asy_text_width(text) > width) {
        text = file_name(text);
    }
    fitted = asy_text_fit(text, width, kind == ASY_COLUMN_PATH ? ASY_CUT_START : ASY_CUT_END);
    if (fitted == NULL) {
        o->status = ASY_ENOMEM;
        return;
    }
    rest = width - asy_text_width(fitted);
    if (fitted[0] == '\0') {
        *pad += width;
    } else {
        asy_out_spaces(o, *pad + (number ? rest : 0));
        asy_out_put(o, fitted);
        *pad = number ? 0 : rest;
    }
    free(fitted);
}

static void
print_row(const asy_table *t, asy_out *o, const layout *l, int row, int indent)
{
    asy_style style = row < 0 ? ASY_STYLE_DIM : (asy_style)t->style[row];
    int pad = indent;

    if (style != ASY_STYLE_PLAIN) {
        asy_out_style(o, style);
    }
    for (int c = 0; c < t->column_count; c++) {
        pad += gap_before(t, l, c);
        print_cell(t, o, c, row < 0 ? t->columns[c].head : cell(t, (uint32_t)row, c), l->width[c], &pad);
    }
    if (style != ASY_STYLE_PLAIN) {
        asy_out_style(o, ASY_STYLE_PLAIN);
    }
    asy_out_put(o, "\n");
}

void
asy_table_print(const asy_table *t, asy_out *o, int indent)
{
    layout l;
    bool head = false;

    if (t->failed || t->column_count > ASY_TABLE_COLUMNS) {
        o->status = o->status == ASY_OK ? ASY_ENOMEM : o->status;
        return;
    }
    measure(t, &l);
    fit(t, &l, o->width - indent);
    for (int c = 0; c < t->column_count; c++) {
        head = head || t->columns[c].head[0] != '\0';
    }
    for (int r = head ? -1 : 0; r < (int)t->row_count; r++) {
        print_row(t, o, &l, r, indent);
    }
}
