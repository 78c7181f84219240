// tags.h: a view by the values of one label.
#ifndef ASY_REPORT_TAGS_H
#define ASY_REPORT_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "report/view.h"

// The label that "key=value" means: any of its "=" may be the one between, the first that such a label has is taken. *out is the
// profile's own text. Returns false if there is none.
bool asy_tags_find(const asy_profile *p, const char *text, asy_view_label *out);

// Which value of `key` each node ran with: the innermost label that has the key decides.
typedef struct {
    const char *key; // borrowed from the profile
    uint32_t value_count;
    const char **values; // owned array, strings borrowed
    uint32_t *of_node;   // 1 + value, 0 = without
} asy_tags;

// The keys that occur, sorted; the caller frees *keys (strings are the profile's). Errors: ASY_ENOMEM.
asy_status asy_tags_keys(const asy_view *v, const char ***keys, uint32_t *count);
// Errors: ASY_ENOMEM.
asy_status asy_tags_make(const asy_view *v, const char *key, asy_tags *out);
void asy_tags_clear(asy_tags *t);

#endif
