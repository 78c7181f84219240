// edges.c: see edges.h. One walk over the tree; how often a function or an edge is on the path tells the outermost.
#include "report/edges.h"

#include <stdlib.h>

#include "record/intern.h"

#define NO_EDGE UINT32_MAX

typedef struct {
    const asy_view *view;
    const uint32_t *key;
    asy_edges *edges;
    asy_intern pairs;    // (caller, callee, 0)
    uint32_t *of_node;   // owned: the edge of a node, NO_EDGE = none
    uint32_t *on_path;   // owned, per function
    uint32_t *edge_path; // owned, per edge
} folder;

static bool
is_call(const asy_view *v, uint32_t node)
{
    return node != 0 && asy_view_kind(&v->nodes[node]) != ASY_NODE_TAG;
}

static asy_status
find_edge(folder *f, uint32_t node, uint32_t *out)
{
    const asy_view_node *n = &f->view->nodes[node];
    uint32_t up = f->view->nodes[n->parent].owner, before = f->pairs.count;
    asy_edge edge = {.callee = f->key[n->func]};
    asy_status st;

    *out = NO_EDGE;
    if (!is_call(f->view, node) || up == 0) {
        return ASY_OK;
    }
    edge.caller = f->key[f->view->nodes[up].func];
    st = asy_intern_three(&f->pairs, (asy_intern_triple){edge.caller, edge.callee, 0}, out);
    return st == ASY_OK && f->pairs.count > before ? asy_edges_add(f->edges, &edge) : st;
}

static void
add_self(asy_edge_counts *to, const asy_view_node *n)
{
    to->self_ns += n->self_ns;
    to->wait_ns += n->wait_ns;
}

static void
enter(asy_edge_counts *to, uint32_t *on_path, const asy_view_node *n)
{
    to->calls += n->calls;
    add_self(to, n);
    if ((*on_path)++ == 0) {
        to->primitive += n->calls;
        to->total_ns += n->total_ns;
        to->total_wait_ns += n->total_wait_ns;
    }
}

static void
take_step(folder *f, const asy_view_walk *w)
{
    const asy_view_node *n = &f->view->nodes[w->node];
    uint32_t edge = f->of_node[n->owner];
    asy_edge_counts *of_edge = edge == NO_EDGE ? NULL : &f->edges->edges[edge].counts;

    if (n->owner == 0) {
        return; // a label outside of any function
    }
    if (!is_call(f->view, w->node)) {
        if (w->entering) {
            add_self(&f->edges->funcs[f->key[f->view->nodes[n->owner].func]], n);
            if (of_edge != NULL) {
                add_self(of_edge, n);
            }
        }
    } else if (w->entering) {
        enter(&f->edges->funcs[f->key[n->func]], &f->on_path[f->key[n->func]], n);
        if (of_edge != NULL) {
            enter(of_edge, &f->edge_path[edge], n);
        }
    } else {
        f->on_path[f->key[n->func]]--;
        if (of_edge != NULL) {
            f->edge_path[edge]--;
        }
    }
}

static asy_status
fold(folder *f)
{
    asy_view_walk w = {0, true};
    asy_status st = ASY_OK;

    f->of_node = calloc(f->view->node_count, sizeof *f->of_node);
    f->on_path = calloc((size_t)f->view->profile->func_count + 1, sizeof *f->on_path);
    if (f->of_node == NULL || f->on_path == NULL) {
        return ASY_ENOMEM;
    }
    f->of_node[0] = NO_EDGE;
    for (uint32_t i = 1; st == ASY_OK && i < f->view->node_count; i++) {
        st = find_edge(f, i, &f->of_node[i]);
    }
    f->edge_path = calloc((size_t)f->edges->edge_count + 1, sizeof *f->edge_path);
    if (st != ASY_OK || f->edge_path == NULL) {
        return st != ASY_OK ? st : ASY_ENOMEM;
    }
    while (asy_view_step(f->view, &w)) {
        take_step(f, &w);
    }
    return ASY_OK;
}

asy_status
asy_edges_of_view(const asy_view *v, const uint32_t *key, asy_edges **out)
{
    folder f = {.view = v, .key = key, .edges = asy_edges_new(v->profile->func_count), .pairs = asy_intern_new()};
    asy_status st = f.edges == NULL ? ASY_ENOMEM : fold(&f);

    *out = st == ASY_OK ? f.edges : NULL;
    if (st != ASY_OK) {
        asy_edges_free(f.edges);
    }
    asy_intern_clear(&f.pairs);
    free(f.of_node);
    free(f.on_path);
    free(f.edge_path);
    return st;
}
