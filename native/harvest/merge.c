// merge.c: many short threads in one row: trees laid over each other by (parent, function, kind).
// Rows are told apart by name, its numbers generalised. The number of merged nodes is limited; beyond that, calls are
// folded as core/tree.c does: each stays with its function.
#include "harvest/model.h"

#include <stdlib.h>
#include <string.h>

#define FLAT_MAX (1u << 18)   // flat nodes beyond merged_limit
#define FOLD_STEPS_MAX 10000u // ancestors that are looked at; without a match among them, the flat node is taken

asy_write_counts
asy_merge_counts(const asy_harvest *h, const asy_model_node *n)
{
    return (asy_write_counts){
        .calls = n->calls,
        .resumes = n->resumes,
        .unwinds = n->unwinds,
        .self_ns = asy_clock_span_ns(&h->scale, n->self_ticks),
        .wait_ns = asy_clock_span_ns(&h->scale, n->wait_ticks < n->self_ticks ? n->wait_ticks : n->self_ticks),
        .suspended_ns = asy_clock_span_ns(&h->scale, n->suspended_ticks),
        .open = n->open,
    };
}

void
asy_merge_free(asy_model_merged *m)
{
    if (m != NULL) {
        asy_map_clear(&m->index);
        free(m->nodes);
        free(m->changed);
        free(m);
    }
}

static asy_status
append(asy_harvest *h, asy_model_merged *m, uint32_t parent, uint32_t func, uint32_t kind, uint32_t *id)
{
    if (m->node_count == m->node_room) {
        uint32_t room = m->node_room == 0 ? 64 : m->node_room * 2;
        asy_model_node *nodes = realloc(m->nodes, room * sizeof(*nodes));
        uint8_t *changed;

        if (nodes == NULL) {
            return ASY_ENOMEM;
        }
        m->nodes = nodes;
        changed = realloc(m->changed, room);
        if (changed == NULL) {
            return ASY_ENOMEM;
        }
        m->changed = changed;
        m->node_room = room;
    }
    m->nodes[m->node_count] = (asy_model_node){.parent = parent, .func = func, .kind = kind};
    m->changed[m->node_count] = 1;
    *id = m->node_count++;
    h->merged_nodes++;
    return ASY_OK;
}

// The row of a name; made if it is new and there is room, else that of the others.
static asy_status
row_for(asy_harvest *h, asy_model_process *p, const asy_text *name, asy_model_merged **out)
{
    char text[ASY_NAME_BYTES];
    uint32_t len = asy_names_merged(name->bytes, name->len, text);
    asy_model_merged *m;
    asy_status st;
    uint32_t i, root;

    for (i = 0; i < ASY_NAMES_MERGED && p->merged[i] != NULL; i++) {
        m = p->merged[i];
        if (m->row.name.len == len && memcmp(m->name, text, len) == 0) {
            *out = m;
            return ASY_OK;
        }
    }
    if (i == ASY_NAMES_MERGED && p->merged[i] != NULL) {
        *out = p->merged[i];
        return ASY_OK;
    }
    if (i == ASY_NAMES_MERGED) {
        len = sizeof(ASY_NAMES_OTHERS) - 1;
        memcpy(text, ASY_NAMES_OTHERS, len);
    }
    m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return ASY_ENOMEM;
    }
    st = append(h, m, 0, ASY_NONE, ASY_NODE_ROOT, &root);
    if (st != ASY_OK) {
        asy_merge_free(m);
        return st;
    }
    memcpy(m->name, text, len);
    m->row = (asy_write_thread){
        .id = ASY_NONE, .process = p->id, .start_ns = UINT64_MAX, .ended = 1, .name = {m->name, len}};
    p->merged[i] = m;
    *out = m;
    return ASY_OK;
}

static void
add_row(asy_model_merged *m, const asy_write_thread *t)
{
    asy_write_thread *r = &m->row;

    r->start_ns = t->start_ns < r->start_ns ? t->start_ns : r->start_ns;
    r->end_ns = t->end_ns > r->end_ns ? t->end_ns : r->end_ns;
    r->cpu_ns += t->cpu_ns;
    r->flags |= t->flags & ~(uint64_t)ASY_THREAD_F_MAIN;
    r->overhead_ns += t->overhead_ns;
    r->overhead_events += t->overhead_events;
    r->ended &= t->ended;
    r->merged++;
    m->row_changed = true;
}

static void
add_counts(asy_model_node *to, const asy_model_node *from)
{
    to->calls += from->calls;
    to->resumes += from->resumes;
    to->unwinds += from->unwinds;
    to->self_ticks += from->self_ticks;
    to->wait_ticks += from->wait_ticks < from->self_ticks ? from->wait_ticks : from->self_ticks;
    to->suspended_ticks += from->suspended_ticks;
    to->open += from->open;
}

// A key is 26 bits of parent, 6 of kind, 32 of function; never 0, because no node but the root is of kind ROOT.
static uint64_t
key_of(uint32_t parent, uint32_t func, uint32_t kind)
{
    uint64_t bits = (kind & 15u) | (kind & ASY_NODE_F_INHERITED ? 16u : 0) | (kind & ASY_NODE_F_FOLDED ? 32u : 0);

    return (uint64_t)parent << 38 | bits << 32 | func;
}

// The node of a pair; made while there are fewer than `limit`, else the root.
static asy_status
node_within(asy_harvest *h, asy_model_merged *m, uint64_t limit, uint32_t parent, uint32_t func, uint32_t kind,
            uint32_t *id)
{
    uint64_t key = key_of(parent, func, kind);
    uint64_t known = 0;
    asy_status st;

    if (asy_map_get(&m->index, key, &known) || h->merged_nodes >= limit) {
        *id = (uint32_t)known;
        return ASY_OK;
    }
    st = append(h, m, parent, func, kind, id);
    return st == ASY_OK ? asy_map_put(&m->index, key, *id) : st;
}

// The nearest ancestor of the same function, else its flat node; the root where there is no room even for that.
static asy_status
fold(asy_harvest *h, asy_model_merged *m, uint32_t parent, const asy_model_node *n, uint32_t *id)
{
    uint32_t at = parent;
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < FOLD_STEPS_MAX && at != 0 && m->nodes[at].func != n->func; i++) {
        at = m->nodes[at].parent;
    }
    if (at != 0 && m->nodes[at].func == n->func) {
        *id = at;
    } else {
        st = node_within(h, m, (uint64_t)h->merged_limit + FLAT_MAX, 0, n->func, n->kind | ASY_NODE_F_FOLDED, id);
    }
    *(*id != 0 ? &h->merged_folds : &h->merged_lost) += n->calls;
    return st;
}

static asy_status
node_for(asy_harvest *h, asy_model_merged *m, uint32_t parent, const asy_model_node *n, uint32_t *id)
{
    asy_status st = node_within(h, m, h->merged_limit, parent, n->func, n->kind, id);

    return st == ASY_OK && *id == 0 ? fold(h, m, parent, n, id) : st;
}

static asy_status
place_nodes(asy_harvest *h, asy_model_process *to, const asy_model_thread *t, const asy_text *name, uint32_t *place,
            asy_model_merged **m)
{
    asy_status st = row_for(h, to, name, m);

    for (uint32_t id = 1; id < t->node_count && st == ASY_OK; id++) {
        st = node_for(h, *m, place[t->nodes[id].parent], &t->nodes[id], &place[id]);
    }
    return st;
}

// The main thread of a process in a group: the program begins at the same place in all of them, or its row is another one.
static asy_status
place_main(asy_harvest *h, asy_model_process *group, const asy_model_thread *t, uint32_t *place, asy_model_merged **m)
{
    static const asy_text apart = {"MainThread, other programs", 26};
    uint64_t program = asy_word_load(&h->arena->procs[t->process->slot].program_node);
    asy_status st = place_nodes(h, group, t, &t->row.name, place, m);

    if (st != ASY_OK || program == 0 || program >= t->node_count) {
        return st;
    }
    if (group->main == NULL) {
        group->main = *m;
        group->row.program_node = place[program];
    } else if (group->main != *m || group->row.program_node != place[program]) {
        place[0] = 0;
        st = place_nodes(h, group, t, &apart, place, m);
    }
    return st;
}

asy_status
asy_merge_thread(asy_harvest *h, asy_model_thread *t)
{
    uint32_t *place = calloc(t->node_count, sizeof(*place)); // the thread's node → the row's
    bool grouped = t->process->id == ASY_NONE;
    asy_model_merged *m = NULL;
    asy_status st;

    if (place == NULL) {
        return ASY_ENOMEM;
    }
    st = grouped ? asy_group_find(h, t->process) : ASY_OK;
    if (st == ASY_OK && grouped && (t->row.flags & ASY_THREAD_F_MAIN) != 0) {
        st = place_main(h, t->process->group, t, place, &m);
    } else if (st == ASY_OK) {
        st = place_nodes(h, grouped ? t->process->group : t->process, t, &t->row.name, place, &m);
    }
    for (uint32_t id = 0; id < t->node_count && st == ASY_OK; id++) { // nothing fails from here on
        add_counts(&m->nodes[place[id]], &t->nodes[id]);
        m->changed[place[id]] = 1;
    }
    if (st == ASY_OK) {
        add_row(m, &t->row);
    }
    free(place);
    return st;
}

static asy_status
write_row(asy_harvest *h, asy_model_merged *m)
{
    asy_status st;

    if (!m->row_changed) {
        return ASY_OK;
    }
    if (m->row.id == ASY_NONE) {
        m->row.id = h->next_thread++; // now, so that rows come in the order of their ids
    }
    st = asy_write_thread_row(h->writer, &m->row);
    m->row_changed = false;
    for (; m->defined < m->node_count && st == ASY_OK; m->defined++) {
        const asy_model_node *n = &m->nodes[m->defined];

        st = asy_write_node(h->writer, m->row.id, m->defined, n->parent, n->func, n->kind);
    }
    for (uint32_t i = 0; i < m->node_count && st == ASY_OK; i++) {
        if (m->changed[i]) {
            asy_write_counts c = asy_merge_counts(h, &m->nodes[i]);

            st = asy_write_node_counts(h->writer, m->row.id, i, &c);
            m->changed[i] = 0;
        }
    }
    return st;
}

asy_status
asy_merge_write(asy_harvest *h, asy_model_process *p)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i <= ASY_NAMES_MERGED && st == ASY_OK; i++) {
        if (p->merged[i] != NULL && p->merged[i]->row.merged > 0) {
            st = write_row(h, p->merged[i]);
        }
    }
    return st;
}
