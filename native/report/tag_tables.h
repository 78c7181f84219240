// tag_tables.h: a view by the values of each label, all keys in one walk.
#ifndef ASY_REPORT_TAG_TABLES_H
#define ASY_REPORT_TAG_TABLES_H

#include <stdint.h>

#include "core/status.h"
#include "report/view.h"

typedef struct {
    const char *value;                // NULL = without this label
    uint64_t calls;                   // times the label was set
    uint64_t self_ns, wait_ns;        // this value was the innermost
    uint64_t total_ns, total_wait_ns; // anything below, other values of the key included
} asy_tag_row;

// Rows of values, largest self time first, then the one without a value. Strings are the profile's.
typedef struct {
    const char *key;
    asy_tag_row *rows; // borrowed from asy_tag_tables
    uint32_t value_count;
} asy_tag_table;

typedef struct {
    asy_tag_table *at; // owned; sorted by key
    uint32_t count;
    asy_tag_row *rows; // owned
} asy_tag_tables;

// Takes time for nodes and labels, not for each node and key. Errors: ASY_ENOMEM; *out is empty then.
asy_status asy_tag_tables_make(const asy_view *v, asy_tag_tables *out);
void asy_tag_tables_clear(asy_tag_tables *t);

#endif
