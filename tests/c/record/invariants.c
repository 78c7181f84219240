// invariants.c: what profile.h promises, told from a profile alone. No test library: the fuzzer uses it too.
#include <string.h>

#include "sample.h"

// By the table of RFC 3629, section 4, written apart from the code that it judges.
static bool
is_utf8(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;

    while (*p != 0) {
        unsigned n = *p < 0x80                  ? 1
                     : *p >= 0xC2 && *p <= 0xDF ? 2
                     : *p >= 0xE0 && *p <= 0xEF ? 3
                     : *p >= 0xF0 && *p <= 0xF4 ? 4
                                                : 0;
        unsigned long c = n == 1 ? *p : n == 0 ? 0 : *p & (0x7Fu >> n);

        if (n == 0) {
            return false;
        }
        for (unsigned i = 1; i < n; i++) {
            if ((p[i] & 0xC0) != 0x80) {
                return false;
            }
            c = c << 6 | (p[i] & 0x3Fu);
        }
        if ((n == 3 && (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))) || (n == 4 && (c < 0x10000 || c > 0x10FFFF))) {
            return false;
        }
        p += n;
    }
    return true;
}

static const char *
func_broken(const asy_profile_func *f)
{
    if (!is_utf8(f->name) || !is_utf8(f->file) || !is_utf8(f->module)) {
        return "a function's text";
    }
    if (f->kind == ASY_NODE_ROOT || f->kind >= ASY_NODE_KINDS) {
        return "a function's kind";
    }
    if (f->label_count % 2 != 0 || (f->label_count > 0 && f->kind != ASY_NODE_TAG)) {
        return "a number of labels";
    }
    for (uint32_t i = 0; i < f->label_count; i++) {
        if (!is_utf8(f->labels[i]) || strstr(f->name, f->labels[i]) == NULL) {
            return "a label";
        }
    }
    return NULL;
}

static const char *
nodes_broken(const asy_profile *p, const asy_profile_thread *t)
{
    if (t->node_count == 0 || t->nodes[0].parent != 0 || t->nodes[0].func != UINT32_MAX ||
        (t->nodes[0].kind & 0xFF) != ASY_NODE_ROOT) {
        return "a root";
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        const asy_profile_node *n = &t->nodes[i];

        if (i > 0 && (n->parent >= i || n->func >= p->func_count)) {
            return "a node's index";
        }
        if (i > 0 && ((n->kind & 0xFF) == ASY_NODE_ROOT || (n->kind & 0xFF) >= ASY_NODE_KINDS)) {
            return "a node's kind";
        }
        if (n->wait_ns > n->self_ns || n->self_ns > 1ULL << 62 || n->calls > 1ULL << 62 ||
            n->suspended_ns > 1ULL << 62) {
            return "a node's counts";
        }
    }
    return NULL;
}

static const char *
process_broken(const asy_profile *p, const asy_profile_process *r)
{
    if (!is_utf8(r->executable) || !is_utf8(r->command) || !is_utf8(r->cwd)) {
        return "a process's text";
    }
    if (r->exited < 0 || r->exited > 2) {
        return "how a process ended";
    }
    if (r->main_thread == UINT32_MAX) {
        return r->program_node == 0 ? NULL : "a program without a thread";
    }
    if (r->main_thread >= p->thread_count || &p->processes[p->threads[r->main_thread].process] != r) {
        return "a main thread";
    }
    return r->program_node < p->threads[r->main_thread].node_count ? NULL : "a program's node";
}

const char *
invariant_broken(const asy_profile *p)
{
    const char *broken = NULL;

    if (!is_utf8(p->command) || !is_utf8(p->directory) || !is_utf8(p->script) || !is_utf8(p->assay_version)) {
        return "a text of the session";
    }
    if (p->complete != (p->cut_at == 0) || (p->cut && p->complete)) {
        return "where it is cut";
    }
    for (uint32_t i = 0; i < p->func_count && broken == NULL; i++) {
        broken = func_broken(&p->funcs[i]);
    }
    for (uint32_t i = 0; i < p->process_count && broken == NULL; i++) {
        broken = process_broken(p, &p->processes[i]);
    }
    for (uint32_t i = 0; i < p->thread_count && broken == NULL; i++) {
        if (p->threads[i].process >= p->process_count || !is_utf8(p->threads[i].name)) {
            return "a thread";
        }
        broken = nodes_broken(p, &p->threads[i]);
    }
    for (uint32_t i = 0; i < p->note_count && broken == NULL; i++) {
        broken = is_utf8(p->notes[i]) ? NULL : "a note";
    }
    return broken;
}
