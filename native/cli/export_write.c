// export_write.c: between the rooms: a report's view is folded or unrolled into what the formats take.
#include "cli/export_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "report/edge_rows.h"
#include "report/edges.h"

typedef struct {
    asy_page *page;     // borrowed
    asy_words *remarks; // borrowed
    asy_stream *s;
    asy_export_format to;
    const char **places; // owned: per function
    asy_collapsed collapsed;
    asy_speedscope speedscope;
} writer;

// ---- functions and callers ----

static asy_status
write_edges(const asy_profile *p, const asy_edges *e, asy_export_format to, asy_stream *s)
{
    return to == ASY_TO_PSTATS ? asy_export_pstats(p, e, s) : asy_export_callgrind(p, e, s);
}

static asy_status
fold_and_write(writer *w)
{
    asy_edges *edges = NULL;
    uint32_t *key;
    asy_status st = asy_export_keys(w->page->p, &key);

    if (st == ASY_OK) {
        st = asy_edges_of_view(w->page->view, key, &edges);
    }
    if (st == ASY_OK) {
        st = write_edges(w->page->p, edges, w->to, w->s);
    }
    asy_edges_free(edges);
    free(key);
    return st;
}

// ---- trees ----

// The view's nodes in depth-first order. *steps is the caller's to free.
static asy_status
unroll(const asy_view *v, asy_export_step **steps, uint32_t *count)
{
    asy_view_walk w = {0, true};
    uint32_t depth = 0;

    *count = 0;
    *steps = calloc(v->node_count, sizeof **steps);
    if (*steps == NULL) {
        return ASY_ENOMEM;
    }
    while (asy_view_step(v, &w)) {
        const asy_view_node *n = &v->nodes[w.node];

        if (w.node != 0 && w.entering) {
            (*steps)[(*count)++] = (asy_export_step){++depth, n->func, n->self_ns, n->total_ns};
        } else if (w.node != 0) {
            depth--;
        }
    }
    return ASY_OK;
}

// "worker-1"; where there are several processes "1234 worker-1".
static void
name_thread(const asy_profile *p, const asy_profile_thread *th, char *out, size_t room)
{
    char serial[40], pid[24] = "";

    snprintf(serial, sizeof serial, "thread %llu", (unsigned long long)th->serial);
    if (p->process_count > 1) {
        snprintf(pid, sizeof pid, "%llu ", (unsigned long long)p->processes[th->process].pid);
    }
    snprintf(out, room, "%s%.200s", pid, th->name[0] == '\0' ? serial : th->name);
}

static asy_status
write_tree(writer *w, const asy_view *v, uint32_t thread)
{
    char name[256];
    asy_export_step *steps;
    asy_export_tree tree = {.name = name};
    asy_status st = unroll(v, &steps, &tree.count);

    name_thread(w->page->p, &w->page->p->threads[thread], name, sizeof name);
    tree.steps = steps;
    if (st == ASY_OK && tree.count > 0) {
        st = w->to == ASY_TO_COLLAPSED ? asy_collapsed_tree(&w->collapsed, &tree, w->page->view->threads > 1)
                                       : asy_speedscope_tree(&w->speedscope, &tree);
    }
    free(steps);
    return st;
}

static asy_status
write_threads(writer *w)
{
    asy_view_select select = w->page->select;
    asy_status st = ASY_OK;

    for (uint32_t t = 0; st == ASY_OK && t < w->page->p->thread_count; t++) {
        asy_view *v = NULL;

        select.one = t + 1;
        select.same = w->page->view->same;
        st = asy_view_make(w->page->p, &select, &v);
        if (st == ASY_OK && v->threads > 0) {
            st = write_tree(w, v, t);
        }
        asy_view_free(v);
    }
    return st;
}

static asy_status
write_trees(writer *w)
{
    const asy_profile *p = w->page->p;
    asy_status st, ended;

    w->places = calloc((size_t)p->func_count + 1, sizeof *w->places);
    if (w->places == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t f = 0; f < p->func_count; f++) {
        w->places[f] = w->page->origin[f].place;
    }
    if (w->to == ASY_TO_COLLAPSED) {
        st = asy_collapsed_begin(&w->collapsed, p, w->places, w->s);
        st = st == ASY_OK ? write_threads(w) : st;
        asy_collapsed_end(&w->collapsed);
    } else {
        st = asy_speedscope_begin(&w->speedscope, p, w->page->r->path, w->s);
        st = st == ASY_OK ? write_threads(w) : st;
        ended = asy_speedscope_end(&w->speedscope);
        st = st == ASY_OK ? ended : st;
    }
    free(w->places);
    return st;
}

// ---- all ----

static asy_status
write_page(asy_page *g)
{
    writer *w = g->context;

    w->page = g;
    asy_words_losses(g->view, w->remarks);
    return w->to == ASY_TO_PSTATS || w->to == ASY_TO_CALLGRIND ? fold_and_write(w) : write_trees(w);
}

static asy_status
write_json(const asy_profile *p, const asy_report *r, int fd, int *error, char **problem)
{
    asy_out out;
    asy_status st, closed;

    asy_out_open(&out, fd, 0, false);
    st = asy_report_json(p, r, &out, problem);
    closed = asy_out_close(&out);
    *error = out.error;
    return st == ASY_OK ? closed : st;
}

asy_status
asy_export_write(const asy_profile *p, const asy_report *r, asy_export_format to, int fd, int *error, char **problem,
                 asy_words *remarks)
{
    writer w = {.to = to, .remarks = remarks};
    asy_status st, flushed;

    *error = 0;
    *problem = NULL;
    if (to == ASY_TO_JSON) {
        return write_json(p, r, fd, error, problem);
    }
    w.s = calloc(1, sizeof *w.s);
    if (w.s == NULL) {
        return ASY_ENOMEM;
    }
    w.s->fd = fd;
    if (p->edges != NULL) {
        asy_edges_remarks(p->edges, remarks);
    }
    st = p->edges != NULL ? write_edges(p, p->edges, to, w.s) : asy_page_make(p, r, NULL, problem, write_page, &w);
    flushed = st == ASY_OK ? asy_stream_flush(w.s) : w.s->status;
    *error = w.s->error;
    free(w.s);
    return st == ASY_OK ? flushed : st;
}
