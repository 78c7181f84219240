// tags.c: labels of the nodes of a view.
#include "report/tags.h"

#include <stdlib.h>
#include <string.h>

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Sort and drop doubles; returns how many are left.
static uint32_t
unique(const char **texts, uint32_t count)
{
    uint32_t n = 0;

    qsort(texts, count, sizeof *texts, by_text);
    for (uint32_t i = 0; i < count; i++) {
        if (n == 0 || strcmp(texts[n - 1], texts[i]) != 0) {
            texts[n++] = texts[i];
        }
    }
    return n;
}

static const char *
label_value(const asy_profile_func *f, const char *key)
{
    for (uint32_t i = 0; i + 1 < f->label_count; i += 2) {
        if (strcmp(f->labels[i], key) == 0) {
            return f->labels[i + 1];
        }
    }
    return NULL;
}

static bool
find_label(const asy_profile *p, const char *key, size_t key_len, const char *value, asy_view_label *out)
{
    for (uint32_t f = 0; f < p->func_count; f++) {
        const char *const *labels = p->funcs[f].labels;

        for (uint32_t i = 0; i + 1 < p->funcs[f].label_count; i += 2) {
            if (strlen(labels[i]) == key_len && memcmp(labels[i], key, key_len) == 0 &&
                strcmp(labels[i + 1], value) == 0) {
                *out = (asy_view_label){labels[i], labels[i + 1]};
                return true;
            }
        }
    }
    return false;
}

bool
asy_tags_find(const asy_profile *p, const char *text, asy_view_label *out)
{
    for (const char *at = strchr(text, '='); at != NULL; at = strchr(at + 1, '=')) {
        if (find_label(p, text, (size_t)(at - text), at + 1, out)) {
            return true;
        }
    }
    return false;
}

// Which functions are labels that occur in the view? The caller frees.
static bool *
used_labels(const asy_view *v)
{
    bool *used = calloc((size_t)v->profile->func_count + 1, sizeof *used);

    for (uint32_t i = 1; used != NULL && i < v->node_count; i++) {
        if (asy_view_kind(&v->nodes[i]) == ASY_NODE_TAG) {
            used[v->nodes[i].func] = true;
        }
    }
    return used;
}

asy_status
asy_tags_keys(const asy_view *v, const char ***keys, uint32_t *count)
{
    const asy_profile *p = v->profile;
    bool *used = used_labels(v);
    size_t room = 1;
    uint32_t n = 0;

    *keys = NULL;
    *count = 0;
    for (uint32_t f = 0; used != NULL && f < p->func_count; f++) {
        room += used[f] ? p->funcs[f].label_count / 2 : 0;
    }
    *keys = used == NULL ? NULL : calloc(room, sizeof **keys);
    if (*keys == NULL) {
        free(used);
        return ASY_ENOMEM;
    }
    for (uint32_t f = 0; f < p->func_count; f++) {
        for (uint32_t i = 0; used[f] && i + 1 < p->funcs[f].label_count; i += 2) {
            (*keys)[n++] = p->funcs[f].labels[i];
        }
    }
    *count = unique(*keys, n);
    free(used);
    return ASY_OK;
}

static uint32_t
index_of(const asy_tags *t, const char *value)
{
    const char **at = bsearch(&value, t->values, t->value_count, sizeof *t->values, by_text);

    return at == NULL ? 0 : (uint32_t)(at - t->values) + 1;
}

// Per function: 1 + its value, 0 if it is no label with this key. The caller frees.
static uint32_t *
values_of_funcs(const asy_profile *p, const bool *used, asy_tags *t)
{
    uint32_t *of_func = calloc((size_t)p->func_count + 1, sizeof *of_func);
    uint32_t n = 0;

    t->values = calloc((size_t)p->func_count + 1, sizeof *t->values);
    if (of_func == NULL || t->values == NULL) {
        free(of_func);
        return NULL;
    }
    for (uint32_t f = 0; f < p->func_count; f++) {
        const char *value = used[f] ? label_value(&p->funcs[f], t->key) : NULL;

        if (value != NULL) {
            t->values[n++] = value;
        }
    }
    t->value_count = unique(t->values, n);
    for (uint32_t f = 0; f < p->func_count; f++) {
        const char *value = used[f] ? label_value(&p->funcs[f], t->key) : NULL;

        of_func[f] = value == NULL ? 0 : index_of(t, value);
    }
    return of_func;
}

asy_status
asy_tags_make(const asy_view *v, const char *key, asy_tags *out)
{
    bool *used = used_labels(v);
    uint32_t *of_func = NULL;
    asy_status st = ASY_ENOMEM;

    *out = (asy_tags){.key = key};
    out->of_node = calloc(v->node_count, sizeof *out->of_node);
    if (used == NULL || out->of_node == NULL) {
        goto done;
    }
    of_func = values_of_funcs(v->profile, used, out);
    if (of_func == NULL) {
        goto done;
    }
    for (uint32_t i = 1; i < v->node_count; i++) {
        uint32_t own = of_func[v->nodes[i].func];

        out->of_node[i] = own != 0 ? own : out->of_node[v->nodes[i].parent];
    }
    st = ASY_OK;
done:
    free(used);
    free(of_func);
    if (st != ASY_OK) {
        asy_tags_clear(out);
    }
    return st;
}

void
asy_tags_clear(asy_tags *t)
{
    free(t->values);
    free(t->of_node);
    *t = (asy_tags){0};
}
