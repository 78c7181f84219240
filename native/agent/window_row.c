// window_row.c: what one thread did in a window: its tree now less its tree then, without what did not change.
#include "agent/window.h"

#include <stdlib.h>
#include <string.h>

static asy_thread *
page_of(const asy_agent_thread *t)
{
    return t->tree.thread != NULL ? t->tree.thread : t->paused;
}

static asy_window_counts
counts_read(const asy_node *n)
{
    return (asy_window_counts){
        __atomic_load_n(&n->calls, __ATOMIC_RELAXED),      __atomic_load_n(&n->resumes, __ATOMIC_RELAXED),
        __atomic_load_n(&n->unwinds, __ATOMIC_RELAXED),    __atomic_load_n(&n->self_ticks, __ATOMIC_RELAXED),
        __atomic_load_n(&n->wait_ticks, __ATOMIC_RELAXED), __atomic_load_n(&n->suspended_ticks, __ATOMIC_RELAXED),
    };
}

// The time since the thread's last event belongs to the node on top; a long gap counts as waiting until that event comes.
// A paused thread has none.
static asy_window_counts
gap_counts(const asy_agent_thread *t, const asy_thread *page, uint64_t now)
{
    asy_window_counts gap = {0};

    if (t->tree.thread != NULL && t->epoch == asy_the_agent.epoch && now > page->last_ticks) {
        gap.self_ticks = now - page->last_ticks;
        gap.wait_ticks = gap.self_ticks > t->tree.gap ? gap.self_ticks : 0;
    }
    return gap;
}

static void
counts_add(asy_window_counts *to, const asy_window_counts *from)
{
    to->calls += from->calls;
    to->resumes += from->resumes;
    to->unwinds += from->unwinds;
    to->self_ticks += from->self_ticks;
    to->wait_ticks += from->wait_ticks;
    to->suspended_ticks += from->suspended_ticks;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; // what was taken for waiting may turn out to have been running
}

static asy_window_counts
counts_less(asy_window_counts a, const asy_window_counts *b)
{
    asy_window_counts d = {less(a.calls, b->calls),           less(a.resumes, b->resumes),
                           less(a.unwinds, b->unwinds),       less(a.self_ticks, b->self_ticks),
                           less(a.wait_ticks, b->wait_ticks), less(a.suspended_ticks, b->suspended_ticks)};

    d.wait_ticks = d.wait_ticks < d.self_ticks ? d.wait_ticks : d.self_ticks;
    return d;
}

static bool
counts_any(const asy_window_counts *n)
{
    return (n->calls | n->resumes | n->unwinds | n->self_ticks | n->suspended_ticks) != 0;
}

static void
base_read(asy_agent_thread *t, const uint32_t *places, uint32_t count, uint64_t now, asy_window_base *out)
{
    const asy_thread *page = page_of(t);
    asy_window_counts gap = gap_counts(t, page, now);

    for (uint32_t i = 0; i < count; i++) {
        if (places[i] != ASY_WINDOW_OUT) {
            out->nodes[places[i]] = counts_read(asy_tree_node(&t->tree, i));
        }
    }
    for (uint64_t d = 0; d < page->depth && t->tree.thread != NULL; d++) {
        uint32_t node = asy_tree_frame(&t->tree, d)->node;
        if (node >= count || places[node] == ASY_WINDOW_OUT) {
            continue;
        }
        out->open[places[node]] = 1;
        if (d + 1 == page->depth) {
            counts_add(&out->nodes[places[node]], &gap);
        }
    }
}

bool
asy_window_base_take(asy_agent_thread *t, uint32_t scope, uint64_t now, asy_window_base *out)
{
    asy_thread *page = page_of(t);
    uint32_t count = (uint32_t)__atomic_load_n(&page->node_count, __ATOMIC_ACQUIRE), inside;
    uint32_t *places = asy_window_scope_places(t, scope, count, &inside);
    bool mine = t == asy_thread_tls, done;

    *out = (asy_window_base){page->serial,
                             mine ? asy_clock_thread_cpu_ns() : page->cpu_read_ns,
                             page->overhead_ticks,
                             page->overhead_events,
                             inside,
                             malloc(inside * sizeof(*out->nodes)),
                             calloc(inside, 1)};
    done = places != NULL && out->nodes != NULL && out->open != NULL;
    if (done) {
        base_read(t, places, count, now, out);
    } else {
        free(out->nodes);
        free(out->open);
    }
    free(places);
    return done;
}

// The nodes that have a place, as they stand; `open` counts activations.
static void
nodes_read(asy_agent_thread *t, const uint32_t *places, uint32_t count, uint64_t now, asy_window_node *nodes)
{
    asy_thread *page = page_of(t);
    asy_window_counts gap = gap_counts(t, page, now);

    for (uint32_t i = 0; i < count; i++) {
        const asy_node *n = asy_tree_node(&t->tree, i);
        uint32_t parent = places[n->parent] != ASY_WINDOW_OUT ? places[n->parent] : 0;
        if (places[i] != ASY_WINDOW_OUT) {
            nodes[places[i]] = (asy_window_node){parent, n->func, n->kind & ~ASY_NODE_F_INHERITED, 0, counts_read(n)};
        }
    }
    for (uint64_t d = 0; d < page->depth && t->tree.thread != NULL; d++) {
        uint32_t node = asy_tree_frame(&t->tree, d)->node;
        if (node >= count || places[node] == ASY_WINDOW_OUT) {
            continue;
        }
        nodes[places[node]].open += d > 0;
        if (d + 1 == page->depth) {
            counts_add(&nodes[places[node]].n, &gap);
        }
    }
}

// What they gained.
static void
nodes_less(asy_window_node *nodes, uint32_t count, const asy_window_base *base)
{
    for (uint32_t i = 0; base != NULL && i < base->count && i < count; i++) {
        nodes[i].n = counts_less(nodes[i].n, &base->nodes[i]);
        if (base->open[i] && i != 0 && nodes[i].n.calls == 0) {
            nodes[i].kind |= ASY_NODE_F_INHERITED;
        }
    }
}

// Keep what gained something, and what it stands on. Ids become dense; a parent stays before its child.
static uint32_t
nodes_pack(asy_window_node *nodes, uint32_t *place, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = count; i-- > 0;) {
        place[i] = place[i] != 0 || i == 0 || counts_any(&nodes[i].n);
        if (place[i]) {
            place[nodes[i].parent] = 1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (place[i] != 0) {
            place[i] = kept;
            nodes[kept] = nodes[i];
            nodes[kept].parent = place[nodes[i].parent];
            // entered before the window, whatever is open now
            if (i != 0 && nodes[kept].n.calls == 0 && nodes[kept].n.resumes == 0 && nodes[kept].kind != ASY_NODE_TAG &&
                nodes[kept].kind != ASY_NODE_PHASE) {
                nodes[kept].kind |= ASY_NODE_F_INHERITED;
            }
            kept++;
        }
    }
    return kept;
}

static void
row_identity(asy_window_row *row, const asy_agent_thread *t, const asy_thread *page, const asy_window_base *base,
             uint64_t now)
{
    uint64_t cpu = t == asy_thread_tls     ? asy_clock_thread_cpu_ns()
                   : page->end_cpu_ns != 0 ? page->end_cpu_ns
                                           : page->cpu_read_ns;
    uint64_t from = base != NULL ? base->cpu_ns : page->start_cpu_ns;

    row->serial = page->serial;
    row->native_id = page->native_id;
    row->start_ticks = page->start_ticks;
    row->end_ticks = now;
    row->cpu_ns = cpu > from ? cpu - from : 0;
    row->flags = page->flags;
    row->merged = 1;
    row->overhead_ticks = less(page->overhead_ticks, base != NULL ? base->overhead_ticks : 0);
    row->overhead_events = less(page->overhead_events, base != NULL ? base->overhead_events : 0);
    row->name_bytes = page->name_bytes < ASY_NAME_BYTES ? (uint32_t)page->name_bytes : ASY_NAME_BYTES;
    memcpy(row->name, page->name, row->name_bytes);
}

asy_window_row *
asy_window_row_take(asy_agent_thread *t, uint32_t scope, const asy_window_base *base, uint64_t now, bool *failed)
{
    asy_thread *page = page_of(t);
    uint32_t count = (uint32_t)__atomic_load_n(&page->node_count, __ATOMIC_ACQUIRE), inside;
    uint32_t *places = asy_window_scope_places(t, scope, count, &inside);
    asy_window_row *row = calloc(1, sizeof(*row));
    uint32_t *packed = calloc(inside + 1, sizeof(*packed));
    asy_window_node *nodes = calloc(inside + 1, sizeof(*nodes)), *smaller;

    *failed = places == NULL || row == NULL || packed == NULL || nodes == NULL;
    if (!*failed) {
        nodes_read(t, places, count, now, nodes);
        nodes_less(nodes, inside, base);
        if (scope != 0) {
            nodes[0].n = (asy_window_counts){0};
        }
        row->count = nodes_pack(nodes, packed, inside);
        row_identity(row, t, page, base, now);
    }
    free(places);
    free(packed);
    if (*failed || row->count == 0 || (row->count == 1 && !counts_any(&nodes[0].n))) {
        free(row);
        free(nodes);
        return NULL;
    }
    smaller = realloc(nodes, row->count * sizeof(*nodes));
    row->nodes = smaller != NULL ? smaller : nodes;
    row->room = row->count;
    if (scope != 0) {
        row = asy_window_scope_row(row);
        *failed = row == NULL;
    }
    return row;
}

// ---- many threads in one row ----

static uint32_t
slot_of(const asy_window_row *row, uint32_t parent, uint32_t func, uint32_t kind)
{
    uint64_t h = (((uint64_t)parent << 32 | func) ^ ((uint64_t)kind << 57)) * 0x9E3779B97F4A7C15ull;
    uint32_t i = (uint32_t)(h >> 32) & row->slot_mask;

    while (row->slots[i] != 0) {
        const asy_window_node *n = &row->nodes[row->slots[i]];
        if (n->parent == parent && n->func == func && n->kind == kind) {
            break;
        }
        i = (i + 1) & row->slot_mask;
    }
    return i;
}

// Room for one more node and its slot. Node 0 is nobody's child, so that slot 0 means empty.
static bool
row_reserve(asy_window_row *row, uint32_t nodes)
{
    uint32_t room = row->room, slots = 64;

    while (room < nodes) {
        room = room < 64 ? 64 : room * 2;
    }
    if (room != row->room) {
        asy_window_node *bigger = realloc(row->nodes, room * sizeof(*bigger));
        if (bigger == NULL) {
            return false;
        }
        row->nodes = bigger;
        row->room = room;
    }
    while (slots < 2 * room) {
        slots *= 2;
    }
    if (row->slots == NULL || slots != row->slot_mask + 1) {
        uint32_t *fresh = calloc(slots, sizeof(*fresh));
        if (fresh == NULL) {
            return false;
        }
        free(row->slots);
        row->slots = fresh;
        row->slot_mask = slots - 1;
        for (uint32_t i = 1; i < row->count; i++) {
            row->slots[slot_of(row, row->nodes[i].parent, row->nodes[i].func, row->nodes[i].kind)] = i;
        }
    }
    return true;
}

static void
row_account(asy_window_row *into, const asy_window_row *from)
{
    into->start_ticks = from->start_ticks < into->start_ticks ? from->start_ticks : into->start_ticks;
    into->end_ticks = from->end_ticks > into->end_ticks ? from->end_ticks : into->end_ticks;
    into->cpu_ns += from->cpu_ns;
    into->merged += from->merged;
    into->overhead_ticks += from->overhead_ticks;
    into->overhead_events += from->overhead_events;
    into->native_id = into->serial = 0;
}

bool
asy_window_row_join(asy_window_row *into, const asy_window_row *from)
{
    uint32_t *place;

    place = calloc(from->count, sizeof(*place));
    if (place == NULL || !row_reserve(into, into->count + from->count)) {
        free(place);
        return false;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        const asy_window_node *n = &from->nodes[i];
        uint32_t slot;
        if (i == 0) {
            counts_add(&into->nodes[0].n, &n->n);
            continue;
        }
        slot = slot_of(into, place[n->parent], n->func, n->kind);
        if (into->slots[slot] == 0) {
            into->nodes[into->count] = (asy_window_node){place[n->parent], n->func, n->kind, 0, {0}};
            into->slots[slot] = into->count++;
        }
        place[i] = into->slots[slot];
        counts_add(&into->nodes[place[i]].n, &n->n);
        into->nodes[place[i]].open += n->open;
    }
    free(place);
    return true;
}

// from NULL: only make `into` one that others can be merged into. False: no memory, nothing was added.
bool
asy_window_row_merge(asy_window_row *into, const asy_window_row *from)
{
    if (from == NULL) {
        return row_reserve(into, into->count);
    }
    if (!asy_window_row_join(into, from)) {
        return false;
    }
    row_account(into, from);
    return true;
}

asy_window_row *
asy_window_row_copy(const asy_window_row *row)
{
    asy_window_row *copy = malloc(sizeof(*copy));

    if (copy == NULL) {
        return NULL;
    }
    *copy = *row;
    copy->next = NULL;
    copy->slots = NULL;
    copy->room = row->count;
    copy->nodes = malloc(row->count * sizeof(*copy->nodes));
    if (copy->nodes == NULL) {
        free(copy);
        return NULL;
    }
    memcpy(copy->nodes, row->nodes, row->count * sizeof(*copy->nodes));
    return copy;
}

void
asy_window_row_free(asy_window_row *row)
{
    free(row->nodes);
    free(row->slots);
    free(row);
}

void
asy_window_rows_free(asy_window_row *rows)
{
    while (rows != NULL) {
        asy_window_row *row = rows;

        rows = row->next;
        asy_window_row_free(row);
    }
}
