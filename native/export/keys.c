// keys.c: which functions are one in a pstats file.
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "export/frames.h"
#include "record/intern.h"

static asy_status
number_text(asy_intern *texts, const char *text, uint32_t *out)
{
    return asy_intern_text(texts, (asy_text){text, (uint32_t)strlen(text)}, out);
}

static asy_status
find_same(const asy_profile *p, char **names, uint32_t *key)
{
    asy_intern texts = asy_intern_new(), keys = asy_intern_new();
    uint32_t *first = calloc((size_t)p->func_count + 1, sizeof *first); // per key
    asy_status st = first == NULL ? ASY_ENOMEM : ASY_OK;

    for (uint32_t f = 0; st == ASY_OK && f < p->func_count; f++) {
        asy_intern_triple three = {.b = p->funcs[f].line};
        uint32_t before = keys.count, number = 0;

        st = number_text(&texts, asy_frame_key_file(p, f), &three.a);
        if (st == ASY_OK) {
            st = number_text(&texts, names[f], &three.c);
        }
        if (st == ASY_OK) {
            st = asy_intern_three(&keys, three, &number);
        }
        if (st == ASY_OK) {
            first[number] = keys.count > before ? f : first[number];
            key[f] = first[number];
        }
    }
    asy_intern_clear(&texts);
    asy_intern_clear(&keys);
    free(first);
    return st;
}

asy_status
asy_export_keys(const asy_profile *p, uint32_t **key)
{
    char **names = asy_frame_names(p, asy_frame_key_name);
    asy_status st = ASY_ENOMEM;

    *key = calloc((size_t)p->func_count + 1, sizeof **key);
    if (*key != NULL && names != NULL) {
        st = find_same(p, names, *key);
    }
    if (st != ASY_OK) {
        free(*key);
        *key = NULL;
    }
    asy_frame_names_free(names, p->func_count);
    return st;
}
