// replay_model.c: what a call tree should be.
#include "replay_model.h"

#include <stdlib.h>

#define CHILDREN 256u
#define DEPTH 512u
#define PARKED 256u
#define CONTEXTS 16u

typedef struct model_node model_node;
struct model_node {
    uint32_t func, kind;
    replay_counts counts;
    uint32_t child_count;
    model_node *child[CHILDREN];
};

typedef struct {
    uint32_t what; // ASY_NODE_PY: ended by `func`; ASY_NODE_C: by a call of `func`'s that ends; ASY_NODE_TAG: by `id`
    uint32_t func;
    uint64_t id;
    model_node *node;
    bool inherited; // a tag that ends with what it stands on
} model_frame;

typedef struct {
    uint32_t depth;
    model_frame frame[DEPTH];
} model_stack;

typedef struct { // a suspended frame
    bool used;
    uint64_t id, since;
    uint32_t tag_count;
    model_frame tag[ASY_SUSPEND_TAGS];
} model_parked;

struct replay_model {
    const replay_names *names;
    uint64_t gap, now, last;
    model_node *root;
    model_stack *stack; // the running context's
    model_stack context[CONTEXTS];
    model_parked parked[PARKED];
    uint64_t losses[ASY_LOSS_COUNT];
};

replay_model *
replay_model_new(const replay_names *names, uint64_t gap)
{
    replay_model *m = calloc(1, sizeof(*m));

    m->names = names;
    m->gap = gap;
    m->root = calloc(1, sizeof(*m->root));
    m->stack = &m->context[0];
    return m;
}

static void
node_free(model_node *n)
{
    for (uint32_t i = 0; i < n->child_count; i++) {
        node_free(n->child[i]);
    }
    free(n);
}

void
replay_model_free(replay_model *m)
{
    node_free(m->root);
    free(m);
}

// ---- nodes and the stack ----

static model_node *
top(const replay_model *m)
{
    return m->stack->depth == 0 ? m->root : m->stack->frame[m->stack->depth - 1].node;
}

static model_node *
child(replay_model *m, uint32_t func, uint32_t kind)
{
    model_node *parent = top(m);
    model_node *n;

    for (uint32_t i = 0; i < parent->child_count; i++) {
        if (parent->child[i]->func == func) {
            return parent->child[i];
        }
    }
    n = calloc(1, sizeof(*n));
    n->func = func;
    n->kind = kind;
    parent->child[parent->child_count++] = n;
    return n;
}

static void
push(replay_model *m, uint32_t what, uint32_t func, uint64_t id, model_node *node)
{
    m->stack->frame[m->stack->depth++] = (model_frame){what, func, id, node, false};
}

// Index of the topmost frame that this end fits, -1 if there is none.
static int
find(const replay_model *m, uint32_t what, uint32_t func, uint64_t id)
{
    int i = (int)m->stack->depth - 1;

    for (; i >= 0; i--) {
        const model_frame *f = &m->stack->frame[i];
        if (f->what == what && (what == ASY_NODE_TAG ? f->id == id : f->func == func)) {
            break;
        }
    }
    return i;
}

static model_node *
leave(replay_model *m, uint32_t what, uint32_t func)
{
    int i = find(m, what, func, 0);
    model_frame kept[8];
    model_node *n;
    uint32_t count = 0;

    if (i < 0) {
        m->losses[ASY_LOSS_UNMATCHED]++;
        return NULL;
    }
    n = m->stack->frame[i].node;
    for (uint32_t d = (uint32_t)i + 1; d < m->stack->depth; d++) { // open tags go on without the frame
        model_frame f = m->stack->frame[d];
        if (f.what != ASY_NODE_TAG || f.inherited) {
            m->losses[ASY_LOSS_RESYNCS] += f.inherited ? 0 : 1;
        } else if (count == 8) {
            m->losses[ASY_LOSS_TAGS]++;
        } else {
            kept[count++] = f;
        }
    }
    m->stack->depth = (uint32_t)i;
    for (uint32_t k = 0; k < count; k++) {
        push(m, ASY_NODE_TAG, kept[k].func, kept[k].id, child(m, kept[k].func, ASY_NODE_TAG));
    }
    return n;
}

static void
unwind(replay_model *m, uint32_t what, uint32_t func)
{
    model_node *n = leave(m, what, func);

    if (n != NULL) {
        n->counts.unwinds++;
    }
}

// ---- generators ----

static model_parked *
parked_find(replay_model *m, uint64_t id)
{
    for (uint32_t i = 0; i < PARKED; i++) {
        if (m->parked[i].used && m->parked[i].id == id) {
            return &m->parked[i];
        }
    }
    return NULL;
}

static model_parked *
parked_new(replay_model *m, uint64_t id)
{
    model_parked *p = parked_find(m, id);

    for (uint32_t i = 0; p == NULL; i++) {
        p = m->parked[i].used ? NULL : &m->parked[i];
    }
    *p = (model_parked){.used = true, .id = id, .since = m->now};
    return p;
}

static void
yield(replay_model *m, const replay_event *e)
{
    model_stack *s = m->stack;
    model_parked *p = parked_new(m, e->id);
    int at = find(m, ASY_NODE_PY, e->func, 0);
    uint32_t first = s->depth;

    while (at >= 0 && (int)first > at + 1 && s->frame[first - 1].what == ASY_NODE_TAG &&
           !s->frame[first - 1].inherited) {
        first--;
    }
    for (uint32_t i = first; i < s->depth; i++) {
        if (p->tag_count < ASY_SUSPEND_TAGS) {
            p->tag[p->tag_count++] = s->frame[i];
        } else {
            m->losses[ASY_LOSS_TAGS]++;
        }
    }
    s->depth = first;
    leave(m, ASY_NODE_PY, e->func);
}

static void
resume(replay_model *m, const replay_event *e)
{
    model_node *n = child(m, e->func, ASY_NODE_PY);
    model_parked *p = parked_find(m, e->id);

    n->counts.resumes++;
    push(m, ASY_NODE_PY, e->func, 0, n);
    if (p == NULL) {
        return;
    }
    n->counts.suspended += m->now > p->since ? m->now - p->since : 0;
    for (uint32_t i = 0; i < p->tag_count; i++) {
        push(m, ASY_NODE_TAG, p->tag[i].func, p->tag[i].id, child(m, p->tag[i].func, ASY_NODE_TAG));
    }
    p->used = false;
}

// ---- the rest ----

static void
tag_out(replay_model *m, uint64_t id)
{
    int at = find(m, ASY_NODE_TAG, 0, id);

    if (at < 0) {
        m->losses[ASY_LOSS_TAGS]++;
        return;
    }
    m->stack->depth--;
    for (uint32_t i = (uint32_t)at; i < m->stack->depth; i++) {
        m->stack->frame[i] = m->stack->frame[i + 1];
    }
}

static void
begin(replay_model *m, uint32_t what, const replay_event *e, uint32_t func)
{
    model_node *n = child(m, e->func, m->names->kind[e->func]);

    n->counts.calls++;
    push(m, what, func, e->id, n);
}

static void
time_pass(replay_model *m, const replay_event *e)
{
    uint64_t since;

    m->now += (uint64_t)(e->ran + e->waited);
    if (m->now < m->last) {
        return; // the clock went back: the time will be counted when it has caught up
    }
    since = m->now - m->last;
    top(m)->counts.self += since;
    top(m)->counts.wait += since > m->gap ? (uint64_t)e->waited : 0;
    m->last = m->now;
}

void
replay_model_feed(replay_model *m, const replay_event *e)
{
    if (e->kind != EV_FORGET && e->kind != EV_INHERIT) {
        time_pass(m, e);
    }
    switch (e->kind) {
    case EV_START: begin(m, ASY_NODE_PY, e, e->func); break;
    case EV_CALL: begin(m, ASY_NODE_C, e, e->caller); break;
    case EV_TAG_IN: begin(m, ASY_NODE_TAG, e, e->func); break;
    case EV_RESUME:
    case EV_THROW: resume(m, e); break;
    case EV_YIELD: yield(m, e); break;
    case EV_RETURN: leave(m, ASY_NODE_PY, e->func); break;
    case EV_UNWIND: unwind(m, ASY_NODE_PY, e->func); break;
    case EV_C_RETURN: leave(m, ASY_NODE_C, e->caller); break;
    case EV_C_RAISE: unwind(m, ASY_NODE_C, e->caller); break;
    case EV_TAG_OUT: tag_out(m, e->id); break;
    case EV_TAG_INHERIT:
        push(m, ASY_NODE_TAG, e->func, e->id, child(m, e->func, ASY_NODE_TAG));
        m->stack->frame[m->stack->depth - 1].inherited = true;
        break;
    case EV_SWITCH: m->stack = &m->context[e->id % CONTEXTS]; break;
    case EV_FORGET:
        if (m->stack != &m->context[e->id % CONTEXTS]) {
            m->context[e->id % CONTEXTS].depth = 0;
        }
        break;
    default: break;
    }
}

// ---- text ----

static void
print(FILE *out, const replay_model *m, const model_node *n, uint32_t indent)
{
    replay_counts counts = n->counts;

    for (uint32_t d = 0; d < m->stack->depth; d++) {
        counts.open += m->stack->frame[d].node == n ? 1 : 0;
    }
    replay_print_node(out, m->names, indent, n->func, n->kind, &counts);
    for (uint32_t i = 0; i < n->child_count; i++) {
        print(out, m, n->child[i], indent + 1);
    }
}

char *
replay_model_text(const replay_model *m)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    print(out, m, m->root, 0);
    replay_print_losses(out, m->losses, 0);
    fclose(out);
    return text;
}
