// table.h: aligned columns fitted to a width.
#ifndef ASY_REPORT_TABLE_H
#define ASY_REPORT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "report/out.h"

typedef enum {
    ASY_COLUMN_NUMBER, // right-aligned, never cut
    ASY_COLUMN_SOME,   // the same, left out with its head if all its cells are empty
    ASY_COLUMN_NAME,   // left-aligned, cut at its end where the width asks for it
    ASY_COLUMN_PATH,   // left-aligned, cut at its start
    ASY_COLUMN_MARK,   // one character close to the column after it, or nothing at all
} asy_column_kind;

typedef struct {
    asy_column_kind kind;
    const char *head; // borrowed
    int rank;  // 0: it stays; of the others the highest goes first where the width asks for it, never the first column
    int least; // of a name: columns that it keeps as long as another column can go; 0: as usual
} asy_column;

#define ASY_TABLE_COLUMNS 12

typedef struct {
    const asy_column *columns; // borrowed
    int column_count;
    char **cells;   // owned, row by row
    uint8_t *style; // per row
    uint32_t row_count, row_cap;
    int fill; // cells of the last row so far
    bool failed;
} asy_table;

void asy_table_open(asy_table *t, const asy_column *columns, int count);
void asy_table_row(asy_table *t, asy_style style);
void asy_table_cell(asy_table *t, const char *text); // copied; missing cells at a row's end are empty
// Write head and rows with `indent` spaces before them, two between columns, one where it is narrow. The head is left out if every head is "".
void asy_table_print(const asy_table *t, asy_out *o, int indent);
void asy_table_close(asy_table *t);

#endif
