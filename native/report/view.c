// view.c: threads' trees merged into one.
// Two passes a thread: which nodes count (program, tag), then their counts into the merged tree; cost is kept in picoseconds
// until all threads are in, so that rounding does not add up.
#include "report/view.h"

#include <stdlib.h>
#include <string.h>

#include "report/cost.h"
#include "record/hash.h"
#include "report/same.h"

typedef struct {
    uint32_t into; // merged node, ASY_VIEW_NONE = left out
    uint32_t on;   // a bit for each label asked for that holds here
    bool counts;   // its counts are taken
} place;

typedef struct {
    asy_view *view;
    const asy_view_select *select;
    uint64_t *cost_ps; // per merged node
    uint64_t startup_ps;
    uint32_t all_on; // place.on where all labels hold
    uint32_t cap;
    asy_hash hash;
    uint32_t *slots;     // merged node of (parent, func); 0 = empty
    uint32_t slot_count; // power of two
    place *places;       // per node of the thread at hand
    uint32_t place_cap;
} builder;

static uint32_t
hash_pair(const builder *b, uint32_t parent, uint32_t func)
{
    return asy_hash_end(&b->hash, asy_hash_add(&b->hash, asy_hash_add(&b->hash, 0, parent), func));
}

static asy_status
grow_slots(builder *b)
{
    uint32_t count = b->slot_count == 0 ? 1024 : 2 * b->slot_count;
    uint32_t *slots = calloc(count, sizeof *slots);

    if (slots == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 1; i < b->view->node_count; i++) {
        uint32_t at = hash_pair(b, b->view->nodes[i].parent, b->view->nodes[i].func) & (count - 1);

        while (slots[at] != 0) {
            at = (at + 1) & (count - 1);
        }
        slots[at] = i;
    }
    free(b->slots);
    b->slots = slots;
    b->slot_count = count;
    return ASY_OK;
}

static asy_status
grow_nodes(builder *b)
{
    uint32_t cap = b->cap == 0 ? 512 : 2 * b->cap;
    asy_view_node *nodes;
    uint64_t *cost;

    if (cap > (1u << 30)) {
        return ASY_ELIMIT;
    }
    nodes = realloc(b->view->nodes, cap * sizeof *nodes);
    if (nodes == NULL) {
        return ASY_ENOMEM;
    }
    b->view->nodes = nodes;
    cost = realloc(b->cost_ps, cap * sizeof *cost);
    if (cost == NULL) {
        return ASY_ENOMEM;
    }
    b->cost_ps = cost;
    b->cap = cap;
    return ASY_OK;
}

static asy_status
add_node(builder *b, uint32_t parent, uint32_t func, uint32_t *out)
{
    asy_view *v = b->view;

    if (v->node_count == b->cap) {
        asy_status st = grow_nodes(b);

        if (st != ASY_OK) {
            return st;
        }
    }
    v->nodes[v->node_count] = (asy_view_node){.parent = parent, .func = func};
    b->cost_ps[v->node_count] = 0;
    *out = v->node_count++;
    return ASY_OK;
}

static asy_status
child_of(builder *b, uint32_t parent, uint32_t func, uint32_t *out)
{
    asy_status st;
    uint32_t at;

    if (b->view->node_count >= b->slot_count / 2) {
        st = grow_slots(b);
        if (st != ASY_OK) {
            return st;
        }
    }
    at = hash_pair(b, parent, func) & (b->slot_count - 1);
    for (; b->slots[at] != 0; at = (at + 1) & (b->slot_count - 1)) {
        const asy_view_node *n = &b->view->nodes[b->slots[at]];

        if (n->parent == parent && n->func == func) {
            *out = b->slots[at];
            return ASY_OK;
        }
    }
    st = add_node(b, parent, func, out);
    if (st == ASY_OK) {
        b->slots[at] = *out;
    }
    return st;
}

static void
mark_kind(asy_view_node *to, uint32_t kind)
{
    to->kind = (kind & 0xffu) | ((to->kind | kind) & ~0xffu);
}

static void
add_counts(asy_view_node *to, const asy_profile_node *from)
{
    bool inherited = (from->kind & ASY_NODE_F_INHERITED) != 0 && from->calls < from->open;

    mark_kind(to, from->kind);
    to->open += from->open;
    to->begun_open += inherited ? (uint32_t)from->calls : from->open;
    to->calls += from->calls;
    to->resumes += from->resumes;
    to->unwinds += from->unwinds;
    to->self_ns += from->self_ns;
    to->wait_ns += from->wait_ns < from->self_ns ? from->wait_ns : from->self_ns;
    to->suspended_ns += from->suspended_ns;
}

// Which labels asked for hold at this node? One whose key it does not set holds as it does at its parent.
static uint32_t
labels_on(const asy_profile *p, const asy_profile_node *n, const asy_view_select *s, uint32_t parent_on)
{
    const asy_profile_func *f = &p->funcs[n->func];
    uint32_t on = parent_on;

    if ((n->kind & 0xffu) != ASY_NODE_TAG) {
        return on;
    }
    for (uint32_t l = 0; l < s->label_count; l++) {
        for (uint32_t i = 0; i + 1 < f->label_count; i += 2) {
            if (strcmp(f->labels[i], s->labels[l].key) == 0) {
                bool same = strcmp(f->labels[i + 1], s->labels[l].value) == 0;

                on = same ? on | (1u << l) : on & ~(1u << l);
                break;
            }
        }
    }
    return on;
}

static asy_status
grow_places(builder *b, uint32_t count)
{
    place *places;

    if (count <= b->place_cap) {
        return ASY_OK;
    }
    places = calloc(count, sizeof *places); // of the thread before nothing is kept
    if (places == NULL) {
        return ASY_ENOMEM;
    }
    free(b->places);
    b->places = places;
    b->place_cap = count;
    return ASY_OK;
}

// A runtime that was initialised again runs the program's first piece once more: the agent has it below the first time (backend.c),
// which did not call it.
static bool
is_program_again(const builder *b, const asy_profile_thread *th, uint32_t i, uint32_t program)
{
    const asy_profile_node *n = &th->nodes[i];

    return program != 0 && n->parent == program && b->view->same[n->func] == b->view->same[th->nodes[program].func];
}

// Where a node goes: its parent's place decides, except at the program's first node.
static asy_status
place_node(builder *b, const asy_profile_thread *th, uint32_t i, uint32_t program)
{
    const asy_profile_node *n = &th->nodes[i];
    const place *up = &b->places[n->parent];
    place *here = &b->places[i];
    uint32_t parent = up->into;
    asy_view_part part = b->select->part;

    if (asy_cost_program_begins(th, i, program)) {
        parent = part == ASY_VIEW_PROGRAM ? 0 : part == ASY_VIEW_STARTUP ? ASY_VIEW_NONE : parent;
    }
    here->on = labels_on(b->view->profile, n, b->select, up->on);
    here->counts = here->on == b->all_on && parent != ASY_VIEW_NONE;
    here->into = ASY_VIEW_NONE;
    if (is_program_again(b, th, i, program)) {
        here->into = parent;
        return ASY_OK;
    }
    return parent == ASY_VIEW_NONE ? ASY_OK : child_of(b, parent, b->view->same[n->func], &here->into);
}

static void
place_root(builder *b, uint32_t program)
{
    bool left_out = b->select->part == ASY_VIEW_PROGRAM   ? program != 0
                    : b->select->part == ASY_VIEW_STARTUP ? program == 0
                                                          : false;

    b->places[0].on = 0;
    b->places[0].counts = b->all_on == 0 && !left_out;
    b->places[0].into = left_out ? ASY_VIEW_NONE : 0;
}

static void
take_counts(builder *b, const asy_profile_thread *th, uint32_t i, bool in_program)
{
    const asy_profile_process *proc = &b->view->profile->processes[th->process];
    const asy_profile_node *n = &th->nodes[i];
    const place *here = &b->places[i];
    const place *up = &b->places[n->parent];
    uint64_t in_ps, out_ps;

    asy_cost_of_node(proc, n, &in_ps, &out_ps);
    if (here->counts) {
        add_counts(&b->view->nodes[here->into], n);
        b->cost_ps[here->into] += in_ps;
    } else if (here->into != ASY_VIEW_NONE) {
        mark_kind(&b->view->nodes[here->into], n->kind);
    } else if (!in_program) {
        b->view->startup.calls += n->calls;
        b->view->startup.self_ns += n->self_ns;
        b->view->startup.wait_ns += n->wait_ns < n->self_ns ? n->wait_ns : n->self_ns;
        b->startup_ps += in_ps + out_ps;
    }
    if (up->counts) {
        b->cost_ps[up->into] += out_ps;
    }
}

static asy_status
merge_thread(builder *b, uint32_t thread)
{
    const asy_profile *p = b->view->profile;
    const asy_profile_thread *th = &p->threads[thread];
    uint32_t program = asy_cost_program_node(p, thread);
    asy_status st;

    if (th->node_count == 0) {
        return ASY_OK;
    }
    st = grow_places(b, th->node_count);
    if (st != ASY_OK) {
        return st;
    }
    place_root(b, program);
    take_counts(b, th, 0, program == 0);
    for (uint32_t i = 1; i < th->node_count && st == ASY_OK; i++) {
        st = place_node(b, th, i, program);
        if (st == ASY_OK) {
            take_counts(b, th, i, b->select->part == ASY_VIEW_STARTUP);
        }
    }
    return st;
}

// Our own cost ran: it comes off the running part, never off the waiting.
static uint64_t
take_off(uint64_t *self_ns, uint64_t wait_ns, uint64_t cost_ps, uint64_t *left_over_ns)
{
    uint64_t cost = (cost_ps + 500) / 1000;
    uint64_t running = *self_ns - wait_ns;
    uint64_t off = cost < running ? cost : running;

    *self_ns -= off;
    *left_over_ns += cost - off;
    return off;
}

static void
take_off_all(builder *b)
{
    asy_view *v = b->view;
    uint64_t ignored = 0;

    for (uint32_t i = 0; i < v->node_count; i++) {
        v->taken_off_ns += take_off(&v->nodes[i].self_ns, v->nodes[i].wait_ns, b->cost_ps[i], &v->uncertain_ns);
    }
    take_off(&v->startup.self_ns, v->startup.wait_ns, b->startup_ps, &ignored);
}

static void
sum_up(asy_view *v)
{
    for (uint32_t i = 0; i < v->node_count; i++) {
        v->nodes[i].total_ns = v->nodes[i].self_ns;
        v->nodes[i].total_wait_ns = v->nodes[i].wait_ns;
        v->nodes[i].first_child = 0;
        v->nodes[i].next = 0;
        v->nodes[i].owner = asy_view_kind(&v->nodes[i]) == ASY_NODE_TAG ? v->nodes[v->nodes[i].parent].owner : i;
    }
    for (uint32_t i = v->node_count - 1; i > 0; i--) {
        asy_view_node *n = &v->nodes[i];
        asy_view_node *up = &v->nodes[n->parent];

        up->total_ns += n->total_ns;
        up->total_wait_ns += n->total_wait_ns;
        n->next = up->first_child;
        up->first_child = i;
    }
}

static bool
thread_matches(const asy_profile *p, uint32_t thread, const asy_view_select *s)
{
    const asy_profile_thread *th = &p->threads[thread];
    char serial[24];
    char *at = serial + sizeof serial - 1;

    if ((s->pid != 0 && p->processes[th->process].pid != s->pid) || (s->one != 0 && s->one != thread + 1) ||
        (s->process != 0 && s->process != th->process + 1)) {
        return false;
    }
    if (s->thread == NULL || strcmp(th->name, s->thread) == 0) {
        return true;
    }
    *at = '\0';
    for (uint64_t n = th->serial; n != 0; n /= 10) {
        *--at = (char)('0' + n % 10);
    }
    return strcmp(at, s->thread) == 0;
}

// How many a row stands for: none where it is a later program of a process that has a row before.
static uint64_t
processes_of(const asy_profile *p, uint32_t process)
{
    const asy_profile_process *r = &p->processes[process];

    for (uint32_t i = 0; r->image > 0 && i < process; i++) {
        if (p->processes[i].pid == r->pid && p->processes[i].image < r->image) {
            return 0;
        }
    }
    return r->merged > 1 ? r->merged : 1;
}

static asy_status
merge_threads(builder *b, bool *process_seen)
{
    const asy_profile *p = b->view->profile;
    asy_status st = ASY_OK;

    for (uint32_t t = 0; t < p->thread_count && st == ASY_OK; t++) {
        const asy_profile_thread *th = &p->threads[t];

        if (!thread_matches(p, t, b->select)) {
            continue;
        }
        st = merge_thread(b, t);
        b->view->threads += th->merged > 1 ? th->merged : 1;
        b->view->overhead_ns += th->overhead_ns;
        b->view->processes += process_seen[th->process] ? 0 : processes_of(p, th->process);
        process_seen[th->process] = true;
    }
    return st;
}

asy_status
asy_view_make(const asy_profile *p, const asy_view_select *select, asy_view **out)
{
    builder b = {.select = select, .hash = asy_hash_key()};
    bool *process_seen = calloc((size_t)p->process_count + 1, 1);
    uint32_t root, *same = NULL;
    asy_status st = ASY_ENOMEM;

    *out = NULL;
    b.view = calloc(1, sizeof *b.view);
    if (b.view == NULL || process_seen == NULL) {
        goto done;
    }
    if (select->label_count > ASY_VIEW_LABELS) {
        st = ASY_ELIMIT;
        goto done;
    }
    b.all_on = select->label_count == 32 ? UINT32_MAX : (1u << select->label_count) - 1;
    b.view->profile = p;
    st = select->same != NULL ? ASY_OK : asy_same_make(p, &same);
    b.view->same = select->same != NULL ? (uint32_t *)(uintptr_t)select->same : same;
    if (st == ASY_OK) {
        st = add_node(&b, 0, ASY_VIEW_NONE, &root);
    }
    if (st == ASY_OK) {
        st = merge_threads(&b, process_seen);
    }
    if (st != ASY_OK) {
        goto done;
    }
    take_off_all(&b);
    sum_up(b.view);
    b.view->same = same;
    *out = b.view;
    b.view = NULL;
done:
    if (b.view != NULL) {
        b.view->same = same;
    }
    asy_view_free(b.view);
    free(process_seen);
    free(b.cost_ps);
    free(b.slots);
    free(b.places);
    return st;
}

void
asy_view_free(asy_view *v)
{
    if (v != NULL) {
        free(v->nodes);
        free(v->same);
        free(v);
    }
}

// ---- direct recursion laid flat ----

static void
fold_node(asy_view_node *to, const asy_view_node *from)
{
    mark_kind(to, from->kind);
    to->open += from->open;
    to->begun_open += from->begun_open;
    to->calls += from->calls;
    to->resumes += from->resumes;
    to->unwinds += from->unwinds;
    to->self_ns += from->self_ns;
    to->wait_ns += from->wait_ns;
    to->suspended_ns += from->suspended_ns;
}

static asy_status
collapse_nodes(builder *b, const asy_view *v)
{
    asy_status st = grow_places(b, v->node_count);

    for (uint32_t i = 0; i < v->node_count && st == ASY_OK; i++) {
        const asy_view_node *n = &v->nodes[i];
        uint32_t up = i == 0 ? 0 : b->places[n->parent].into;

        b->places[i].into = up;
        if (b->view->nodes[up].func != n->func) {
            st = child_of(b, up, n->func, &b->places[i].into);
        }
        if (st == ASY_OK) {
            fold_node(&b->view->nodes[b->places[i].into], n);
        }
    }
    return st;
}

asy_status
asy_view_collapse(const asy_view *v, asy_view **out)
{
    builder b = {.view = calloc(1, sizeof *b.view), .hash = asy_hash_key()};
    size_t same_bytes = ((size_t)v->profile->func_count + 1) * sizeof *v->same;
    uint32_t root;
    asy_status st = ASY_ENOMEM;

    *out = NULL;
    if (b.view == NULL) {
        return ASY_ENOMEM;
    }
    *b.view = *v;
    b.view->nodes = NULL;
    b.view->node_count = 0;
    b.view->same = malloc(same_bytes);
    if (b.view->same == NULL) {
        goto done;
    }
    memcpy(b.view->same, v->same, same_bytes);
    st = add_node(&b, 0, ASY_VIEW_NONE, &root);
    if (st == ASY_OK) {
        st = collapse_nodes(&b, v);
    }
    if (st != ASY_OK) {
        goto done;
    }
    sum_up(b.view);
    *out = b.view;
    b.view = NULL;
done:
    asy_view_free(b.view);
    free(b.cost_ps);
    free(b.slots);
    free(b.places);
    return st;
}
