// analysis.c: own time and waiting, in one pass from the root outwards.
#include "report/analysis.h"

#include <stdlib.h>
#include <string.h>

#define WAITS_MAX 64u // distinct names; what comes after that is "other"

static bool
is_anchor(const asy_analysis *a, const asy_view_node *n)
{
    const asy_origin *o = &a->origin[n->func];

    return asy_view_kind(n) == ASY_NODE_PY && (o->project || (a->any_python && !o->importing));
}

static uint32_t
anchor_of(const asy_analysis *a, const asy_view_node *n)
{
    uint32_t above = a->anchor[n->parent];

    if (!is_anchor(a, n) || (a->origin[n->func].comprehension && above != ASY_VIEW_NONE)) {
        return above;
    }
    return n->func;
}

static asy_status
add_wait(asy_analysis *a, const char *name, asy_wait_kind kind, uint64_t ns)
{
    asy_wait_sum *grown;

    if (a->wait_count >= WAITS_MAX) {
        name = "other";
    }
    for (uint32_t i = 0; i < a->wait_count; i++) {
        if (a->waits[i].kind == kind && strcmp(a->waits[i].name, name) == 0) {
            a->waits[i].ns += ns;
            return ASY_OK;
        }
    }
    grown = realloc(a->waits, (a->wait_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return ASY_ENOMEM;
    }
    a->waits = grown;
    a->waits[a->wait_count++] = (asy_wait_sum){name, kind, ns};
    return ASY_OK;
}

// A lock or poll below a function that waits for work is idleness; so are queues, joins and polls by themselves.
static asy_wait_kind
classify(const asy_analysis *a, const asy_origin *o, bool label, const char *idle_above, const char **name)
{
    static const char *const idle_names[] = {"queue", "join", "poll", "child process"};

    *name = label ? ASY_WAIT_TURN : o->wait;
    if (label || o->turn) {
        return ASY_WAIT_OTHERS;
    }
    if (!o->secondary && !(o->passes && idle_above != NULL)) {
        return ASY_WAIT_OUTSIDE;
    }
    if (idle_above != NULL) {
        *name = idle_above;
        return ASY_WAIT_IDLE;
    }
    for (size_t i = 0; i < sizeof idle_names / sizeof *idle_names; i++) {
        if (strcmp(o->wait, idle_names[i]) == 0) {
            return ASY_WAIT_IDLE;
        }
    }
    return a->locks_outside ? ASY_WAIT_OUTSIDE : ASY_WAIT_OTHERS;
}

static const char *
idle_of(const asy_analysis *a, const asy_view_node *n, const char *above)
{
    const asy_origin *o = &a->origin[n->func];

    if (asy_view_kind(n) != ASY_NODE_PY) {
        return above;
    }
    return o->project ? NULL : o->idle != NULL ? o->idle : above;
}

static void
add_own(asy_own *own, const asy_view_node *n, asy_wait_kind kind)
{
    own->run_ns += n->self_ns - n->wait_ns;
    own->wait_ns[kind] += n->wait_ns;
}

static asy_status
take_node(asy_analysis *a, uint32_t i, const char **idle)
{
    const asy_view_node *n = &a->view->nodes[i];
    bool label = asy_view_kind(n) == ASY_NODE_TAG;
    const char *name;
    asy_wait_kind kind;

    a->anchor[i] = anchor_of(a, n);
    idle[i] = idle_of(a, n, idle[n->parent]);
    kind = classify(a, &a->origin[n->func], label, idle[i], &name);
    a->wait_kind[i] = (uint8_t)kind;
    a->sum.calls += label ? 0 : n->calls;
    if (kind != ASY_WAIT_OUTSIDE && !label && !a->origin[n->func].turn) {
        a->aside_ns[n->func] += n->wait_ns;
    }
    add_own(&a->sum, n, kind);
    if (a->anchor[i] != ASY_VIEW_NONE) {
        add_own(&a->own[a->anchor[i]], n, kind);
        a->own[a->anchor[i]].calls += a->anchor[i] == n->func ? n->calls : 0;
    }
    return n->wait_ns == 0 ? ASY_OK : add_wait(a, name, kind, n->wait_ns);
}

static int
by_size(const void *x, const void *y)
{
    const asy_wait_sum *a = x, *b = y;

    return a->ns != b->ns ? (a->ns < b->ns) - (a->ns > b->ns) : strcmp(a->name, b->name);
}

static asy_status
analyse(const asy_view *v, const asy_origin *origin, bool any_python, bool locks_outside, asy_analysis *out)
{
    size_t n = v->node_count;
    const char **idle = calloc(n, sizeof *idle);
    asy_status st = ASY_ENOMEM;

    *out = (asy_analysis){.view = v, .origin = origin, .any_python = any_python, .locks_outside = locks_outside};
    out->own = calloc((size_t)v->profile->func_count + 1, sizeof *out->own);
    out->anchor = calloc(n, sizeof *out->anchor);
    out->wait_kind = calloc(n, 1);
    out->aside_ns = calloc((size_t)v->profile->func_count + 1, sizeof *out->aside_ns);
    if (idle == NULL || out->own == NULL || out->anchor == NULL || out->wait_kind == NULL || out->aside_ns == NULL) {
        goto done;
    }
    out->anchor[0] = ASY_VIEW_NONE;
    st = ASY_OK;
    for (uint32_t i = 1; i < n && st == ASY_OK; i++) {
        st = take_node(out, i, idle);
    }
    if (out->wait_count > 1) {
        qsort(out->waits, out->wait_count, sizeof *out->waits, by_size);
    }
done:
    free(idle);
    if (st != ASY_OK) {
        asy_analysis_clear(out);
    }
    return st;
}

// Do locks take time in which no thread works? Where they take more than what is left, other threads worked meanwhile.
static bool
is_locked_up(const asy_analysis *a)
{
    uint64_t busy = asy_analysis_measure(&a->sum, ASY_MEASURE_BUSY), locks = 0;
    uint64_t wall = asy_wall_ns(&a->wall);

    for (uint32_t i = 0; i < a->wait_count; i++) {
        const char *name = a->waits[i].name;
        bool turn = strcmp(name, ASY_WAIT_TURN) == 0 || strcmp(name, ASY_WAIT_NO_EVENT) == 0;

        locks += a->waits[i].kind == ASY_WAIT_OTHERS && !turn ? a->waits[i].ns : 0;
    }
    return busy < wall && wall - busy >= wall / 4 && locks > 0 && locks <= wall - busy + wall / 20;
}

asy_status
asy_analysis_make(const asy_view *v, const asy_origin *origin, asy_analysis *out)
{
    asy_wall wall;
    bool any_python, locks_outside;
    uint64_t anchored = 0;
    asy_status st = asy_wall_make(v->profile, origin, &wall);

    if (st == ASY_OK) {
        st = analyse(v, origin, false, false, out);
    }
    if (st != ASY_OK) {
        *out = (asy_analysis){0};
        return st;
    }
    out->wall = wall;
    for (uint32_t f = 0; f < v->profile->func_count; f++) {
        anchored += asy_analysis_measure(&out->own[f], ASY_MEASURE_BUSY);
    }
    any_python = anchored < asy_analysis_measure(&out->sum, ASY_MEASURE_BUSY) / 2;
    locks_outside = is_locked_up(out);
    if (any_python || locks_outside) {
        asy_analysis_clear(out);
        st = analyse(v, origin, any_python, locks_outside, out);
        out->wall = wall;
    }
    return st;
}

void
asy_analysis_clear(asy_analysis *a)
{
    free(a->own);
    free(a->anchor);
    free(a->wait_kind);
    free(a->aside_ns);
    free(a->waits);
    *a = (asy_analysis){0};
}

uint64_t
asy_analysis_busy_ns(const asy_analysis *a, uint32_t node)
{
    const asy_view_node *n = &a->view->nodes[node];

    return a->wait_kind[node] == ASY_WAIT_OUTSIDE ? n->self_ns : n->self_ns - n->wait_ns;
}

uint64_t
asy_analysis_measure(const asy_own *own, asy_measure m)
{
    switch (m) {
    case ASY_MEASURE_BUSY: return own->run_ns + own->wait_ns[ASY_WAIT_OUTSIDE];
    case ASY_MEASURE_RUN: return own->run_ns;
    case ASY_MEASURE_WAIT: return own->wait_ns[ASY_WAIT_OUTSIDE];
    case ASY_MEASURE_IDLE: break;
    }
    return own->wait_ns[ASY_WAIT_OTHERS] + own->wait_ns[ASY_WAIT_IDLE];
}

uint32_t
asy_analysis_top(const asy_analysis *a, asy_measure m, uint32_t *funcs, uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t f = 0; f < a->view->profile->func_count; f++) {
        uint64_t value = asy_analysis_measure(&a->own[f], m);
        uint32_t at = count;

        if (value == 0) {
            continue;
        }
        while (at > 0 && asy_analysis_measure(&a->own[funcs[at - 1]], m) < value) {
            at--;
        }
        if (at == max) {
            continue;
        }
        count += count < max;
        memmove(funcs + at + 1, funcs + at, (count - at - 1) * sizeof *funcs);
        funcs[at] = f;
    }
    return count;
}

// ---- what own time is made of ----

static int
by_busy(const void *x, const void *y)
{
    const asy_piece *a = x, *b = y;
    uint64_t left = a->run_ns + a->wait_ns, right = b->run_ns + b->wait_ns;

    return left != right ? (left < right) - (left > right) : (a->func > b->func) - (a->func < b->func);
}

// The direct callee through which a node's time comes to its anchor; the anchor itself for its own code.
static void
find_pieces(const asy_analysis *a, uint32_t func, uint32_t *piece, asy_piece *sums)
{
    const asy_view_node *nodes = a->view->nodes;

    for (uint32_t i = 1; i < a->view->node_count; i++) {
        const asy_view_node *n = &nodes[i];
        bool own_code = asy_view_kind(n) == ASY_NODE_TAG || n->func == func || a->origin[n->func].comprehension;

        if (a->anchor[i] != func) {
            continue;
        }
        piece[i] = a->anchor[n->parent] == func ? piece[n->parent] : func;
        if (n->func == func && asy_view_kind(n) != ASY_NODE_TAG) {
            piece[i] = func; // called again from below a piece
        } else if (piece[i] == func && !own_code) {
            piece[i] = n->func;
        }
        sums[piece[i]].run_ns += n->self_ns - n->wait_ns;
        if (a->wait_kind[i] == ASY_WAIT_OUTSIDE) {
            sums[piece[i]].wait_ns += n->wait_ns;
        }
    }
}

asy_status
asy_analysis_pieces(const asy_analysis *a, uint32_t func, asy_piece **pieces, uint32_t *count)
{
    uint32_t funcs = a->view->profile->func_count;
    uint32_t *piece = calloc(a->view->node_count, sizeof *piece);

    *count = 0;
    *pieces = calloc((size_t)funcs + 1, sizeof **pieces);
    if (piece == NULL || *pieces == NULL) {
        free(piece);
        free(*pieces);
        *pieces = NULL;
        return ASY_ENOMEM;
    }
    find_pieces(a, func, piece, *pieces);
    for (uint32_t f = 0; f < funcs; f++) {
        asy_piece p = (*pieces)[f];

        p.func = f;
        if (p.run_ns + p.wait_ns > 0) {
            (*pieces)[(*count)++] = p;
        }
    }
    qsort(*pieces, *count, sizeof **pieces, by_busy);
    free(piece);
    return ASY_OK;
}

asy_status
asy_analysis_caller(const asy_analysis *a, uint32_t func, asy_caller *out)
{
    const asy_view_node *nodes = a->view->nodes;
    uint32_t funcs = a->view->profile->func_count;
    uint64_t *calls = calloc((size_t)funcs + 1, sizeof *calls);

    *out = (asy_caller){.func = ASY_VIEW_NONE};
    if (calls == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 1; i < a->view->node_count; i++) {
        uint32_t owner = nodes[nodes[i].parent].owner;
        uint32_t caller = a->anchor[owner] != ASY_VIEW_NONE ? a->anchor[owner] : owner == 0 ? funcs : nodes[owner].func;

        if (nodes[i].func == func && asy_view_kind(&nodes[i]) != ASY_NODE_TAG && caller != func) {
            calls[caller] += nodes[i].calls;
            out->all += nodes[i].calls;
        }
    }
    for (uint32_t f = 0; f <= funcs; f++) {
        if (calls[f] > out->calls) {
            out->calls = calls[f];
            out->func = f == funcs ? ASY_VIEW_NONE : f;
        }
    }
    free(calls);
    return ASY_OK;
}
