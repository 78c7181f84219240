// tree.c: what is rare in a call tree: new nodes, folding, the far ends of the stack, events out of order.
// Nodes are indices into parts of 512; the first part and the first part of the stack lie in the THREAD chunk.
#include "core/tree.h"

#include <string.h>

#define SLOTS_FIRST 1024u
#define SLOTS_KEPT 65536u // of an earlier measurement: more are given back
#define SLOTS_ANY 12u     // sixteenths of the table that any pair may fill
#define SLOTS_FLAT 15u    // the rest is kept for flat nodes
#define FLAT_NODES 65536u // that have room beyond the cap on paths
#define PATHS_MAX (ASY_NODE_PARTS * ASY_NODE_PART - FLAT_NODES)
#define RESERVE 128u      // nodes of the last part that are kept for flat nodes when no chunk can be had
#define OVERHEAD_GAPS 5u  // a slow path that took longer than so many gaps was interrupted: the rest is not ours
#define RETRY_EVERY 4096u // wanted nodes between two tries for a chunk
#define TAGS_KEPT 8u      // open tags that a frame can leave behind
#define FOLDED 1u         // asy_tree_slot.spare: the pair has no node of its own
#define NO_NODE UINT32_MAX

static uint32_t
slot_hash(uint32_t parent, uint32_t func)
{
    uint64_t h = ((uint64_t)parent << 32 | func) * 0x9E3779B97F4A7C15ULL;

    return (uint32_t)(h >> 32);
}

// The slot of a pair, or the empty one where it belongs. The table is never full.
static asy_tree_slot *
slot_find(asy_tree_slot *slots, uint32_t mask, uint32_t parent, uint32_t func)
{
    uint32_t i = slot_hash(parent, func) & mask;

    while (slots[i].node != 0 || slots[i].spare == FOLDED) {
        if (slots[i].parent == parent && slots[i].func == func) {
            break;
        }
        i = (i + 1) & mask;
    }
    return &slots[i];
}

// What was refused is asked for again only now and then: asking is slow. *refused counts since then, 0 = was not refused.
static bool
ask_again(uint32_t *refused)
{
    return *refused == 0 || (*refused)++ % RETRY_EVERY == 0;
}

// Room for one more pair: true. Doubles at half full; where no memory can be had it goes on to `most` sixteenths.
static bool
slots_grow(asy_tree *t, uint32_t most)
{
    uint32_t size = t->slot_mask + 1;
    asy_tree_slot *bigger = NULL;

    if (t->slot_used < size / 2) {
        return true;
    }
    if (ask_again(&t->slots_refused)) {
        bigger = t->store.alloc(t->store.ctx, (size_t)size * 2 * sizeof(asy_tree_slot));
        t->slots_refused = bigger == NULL ? 1 : 0;
    }
    if (bigger == NULL) {
        return t->slot_used < size / 16 * most;
    }
    for (uint32_t i = 0; i < size; i++) {
        asy_tree_slot *s = &t->slots[i];
        if (s->node != 0 || s->spare == FOLDED) {
            *slot_find(bigger, size * 2 - 1, s->parent, s->func) = *s;
        }
    }
    t->store.release(t->store.ctx, t->slots, (size_t)size * sizeof(asy_tree_slot));
    t->slots = bigger;
    t->slot_mask = size * 2 - 1;
    return true;
}

// Read the thread's CPU clock. Returns when that was done.
static uint64_t
cpu_read(const asy_tree_store *store, uint64_t now, uint64_t *cpu_ns)
{
    uint64_t end;

    *cpu_ns = store->cpu_ns(store->ctx);
    end = store->ticks(store->ctx);
    return end > now ? end : now;
}

asy_status
asy_tree_begin(asy_tree *t, void *chunk, const asy_tree_store *store, uint64_t gap, uint32_t node_max, uint64_t now)
{
    uint8_t *bytes = chunk;
    asy_thread *th = chunk;

    memset(t, 0, sizeof(*t));
    t->slots = store->alloc(store->ctx, SLOTS_FIRST * sizeof(asy_tree_slot));
    if (t->slots == NULL) {
        return ASY_ENOMEM;
    }
    memset(th, 0, sizeof(*th));
    t->store = *store;
    t->slot_mask = SLOTS_FIRST - 1;
    t->gap = gap;
    t->node_max = node_max < PATHS_MAX ? node_max : PATHS_MAX;
    t->part[0] = (asy_node *)(void *)(bytes + ASY_THREAD_NODES_OFF);
    t->stack[0] = (asy_frame *)(void *)(bytes + ASY_THREAD_STACK_OFF);
    t->part[0][0] = (asy_node){.kind = ASY_NODE_ROOT};
    t->stack[0][0] = (asy_frame){0};
    th->node_count = 1;
    th->depth = 1;
    th->start_ticks = now;
    th->last_ticks = now;
    th->cpu_read_ticks = cpu_read(store, now, &th->cpu_read_ns);
    th->start_cpu_ns = th->cpu_read_ns;
    t->thread = th;
    asy_tree_settle(t);
    return ASY_OK;
}

void
asy_tree_end(asy_tree *t)
{
    if (t->slots != NULL) {
        t->store.release(t->store.ctx, t->slots, ((size_t)t->slot_mask + 1) * sizeof(asy_tree_slot));
    }
    asy_tree_forget_all(t);
    t->slots = NULL;
    t->thread = NULL;
}

// ---- nodes ----

// True if node ids up to and including `id` have memory.
static bool
part_ready(asy_tree *t, uint32_t id)
{
    uint32_t p = id / ASY_NODE_PART;
    uint32_t ordinal = (p - 1) / 2;
    asy_node *chunk;

    if (p >= ASY_NODE_PARTS) {
        return false;
    }
    if (t->part[p] != NULL) {
        return true;
    }
    if (!ask_again(&t->nodes_refused)) {
        return false;
    }
    chunk = t->store.chunk(t->store.ctx, ASY_KIND_NODES, ordinal);
    if (chunk == NULL) {
        t->nodes_refused = 1;
        return false;
    }
    t->nodes_refused = 0;
    t->part[2 * ordinal + 1] = chunk;
    if (2 * ordinal + 2 < ASY_NODE_PARTS) {
        t->part[2 * ordinal + 2] = chunk + ASY_NODE_PART;
    }
    return true;
}

static uint32_t
node_append(asy_tree *t, uint32_t id, uint32_t parent, uint32_t func, uint32_t kind)
{
    *asy_tree_node(t, id) = (asy_node){.parent = parent, .func = func, .kind = kind};
    __atomic_store_n(&t->thread->node_count, (uint64_t)id + 1, __ATOMIC_RELEASE);
    return id;
}

// A node of its own for the pair, or 0: the cap is reached, or memory for the next ones is not to be had.
static uint32_t
node_make(asy_tree *t, uint32_t parent, uint32_t func, uint32_t kind)
{
    uint32_t id = (uint32_t)t->thread->node_count;

    if (id >= t->node_max || !part_ready(t, id + RESERVE)) {
        return 0;
    }
    return node_append(t, id, parent, func, kind);
}

// A flat node: below the root, from the reserve. 0: not even that.
static uint32_t
node_make_flat(asy_tree *t, uint32_t func, uint32_t kind)
{
    uint32_t id = (uint32_t)t->thread->node_count;

    if (!part_ready(t, id)) {
        return 0;
    }
    return node_append(t, id, 0, func, kind | ASY_NODE_F_FOLDED);
}

// The flat node of a function, else the root.
static uint32_t
fold_flat(asy_tree *t, uint32_t func, uint32_t kind)
{
    asy_tree_slot *s = slot_find(t->slots, t->slot_mask, 0, func);
    uint32_t node;

    if (s->node != 0) {
        return s->node;
    }
    if (!slots_grow(t, SLOTS_FLAT)) {
        return 0;
    }
    node = node_make_flat(t, func, kind);
    if (node != 0) {
        s = slot_find(t->slots, t->slot_mask, 0, func);
        *s = (asy_tree_slot){0, func, node, 0};
        t->slot_used++;
    }
    return node;
}

// The nearest ancestor of the same function, else its flat node. The pair is remembered, for the walk is as long as the stack is
// deep; when as many pairs are remembered as there may be nodes, new ones go to the flat node without a walk.
static uint32_t
node_fold(asy_tree *t, uint32_t parent, uint32_t func, uint32_t kind)
{
    uint32_t node = parent;

    if (t->folds_kept >= t->node_max) {
        return fold_flat(t, func, kind);
    }
    while (node != 0 && asy_tree_node(t, node)->func != func) {
        node = asy_tree_node(t, node)->parent;
    }
    node = node != 0 ? node : fold_flat(t, func, kind);
    if (parent != 0 && node != 0 && slots_grow(t, SLOTS_ANY)) {
        *slot_find(t->slots, t->slot_mask, parent, func) = (asy_tree_slot){parent, func, node, FOLDED};
        t->slot_used++;
        t->folds_kept++;
    }
    return node;
}

static uint32_t
child_folded(asy_tree *t, uint32_t node)
{
    t->store.lose(t->store.ctx, node == 0 ? ASY_LOSS_EVENTS : ASY_LOSS_FOLDS, 1);
    return node;
}

uint32_t
asy_tree_child_slow(asy_tree *t, uint32_t parent, uint32_t func, uint32_t kind, bool *made)
{
    asy_tree_slot *s = slot_find(t->slots, t->slot_mask, parent, func);
    uint32_t node = s->node;

    if (s->spare == FOLDED) {
        return child_folded(t, node);
    }
    if (node != 0) {
        asy_tree_node(t, parent)->last_child = node;
        return node;
    }
    node = slots_grow(t, SLOTS_ANY) ? node_make(t, parent, func, kind) : 0;
    if (node != 0) {
        *slot_find(t->slots, t->slot_mask, parent, func) = (asy_tree_slot){parent, func, node, 0};
        t->slot_used++;
        asy_tree_node(t, parent)->last_child = node;
        *made = true;
        return node;
    }
    return child_folded(t, node_fold(t, parent, func, kind));
}

// ---- time ----

// Both clocks are compared from one reading's end to the next one's, so that what a reading takes is no waiting.
uint64_t
asy_tree_gap(asy_tree *t, asy_node *node, uint64_t gap, uint64_t now)
{
    asy_thread *th = t->thread;
    uint64_t cpu, end = cpu_read(&t->store, now, &cpu);
    uint64_t gap_ns = t->store.ticks_to_ns(t->store.ctx, gap);
    uint64_t since_ns = t->store.ticks_to_ns(t->store.ctx, end - th->cpu_read_ticks);
    uint64_t used = cpu - th->cpu_read_ns;
    uint64_t ran_before = since_ns > gap_ns ? since_ns - gap_ns : 0; // short gaps count as running
    uint64_t ran = used > ran_before ? used - ran_before : 0;

    if (ran < gap_ns) {
        asy_word_add(&node->wait_ticks, t->store.ns_to_ticks(t->store.ctx, gap_ns - ran));
    }
    asy_word_store(&th->cpu_read_ns, cpu);
    asy_word_store(&th->cpu_read_ticks, end);
    return asy_tree_overhead(t, now, end);
}

uint64_t
asy_tree_overhead(asy_tree *t, uint64_t from, uint64_t to)
{
    uint64_t most = t->gap * OVERHEAD_GAPS;
    uint64_t ours = to - from < most ? to - from : most;

    asy_word_add(&t->thread->overhead_ticks, ours);
    asy_word_add(&t->thread->overhead_events, 1);
    return from + ours;
}

// ---- the stack ----

// True if frames of part `p` have memory.
static bool
stack_ready(asy_tree *t, uint64_t p)
{
    uint32_t ordinal = (uint32_t)(p - 1) / 4;
    asy_frame *chunk;

    if (p >= ASY_STACK_PARTS) {
        return false;
    }
    if (t->stack[p] != NULL) {
        return true;
    }
    if (!ask_again(&t->stack_refused)) {
        return false;
    }
    chunk = t->store.chunk(t->store.ctx, ASY_KIND_STACK, ordinal);
    t->stack_refused = chunk == NULL ? 1 : 0;
    for (uint32_t i = 0; chunk != NULL && i < 4 && 4 * ordinal + 1 + i < ASY_STACK_PARTS; i++) {
        t->stack[4 * ordinal + 1 + i] = chunk + (size_t)i * ASY_STACK_PART;
    }
    return chunk != NULL;
}

void
asy_tree_push_slow(asy_tree *t, uint64_t token, uint32_t node, uint32_t kind)
{
    asy_thread *th = t->thread;
    uint64_t d = th->depth;

    if (th->overflow != 0 || !stack_ready(t, d / ASY_STACK_PART)) {
        asy_word_add(&th->overflow, 1);
        t->store.lose(t->store.ctx, ASY_LOSS_DEPTH, 1);
        return;
    }
    asy_tree_frame_set(asy_tree_frame(t, d), (asy_frame){token, node, kind});
    __atomic_store_n(&th->depth, d + 1, __ATOMIC_RELEASE);
    asy_tree_settle(t);
}

uint64_t
asy_tree_find(const asy_tree *t, uint64_t token)
{
    for (uint64_t d = t->thread->depth - 1; d > 0; d--) {
        if (asy_tree_frame(t, d)->token == token) {
            return d;
        }
    }
    return 0;
}

static void
depth_set(asy_tree *t, uint64_t depth)
{
    __atomic_store_n(&t->thread->depth, depth, __ATOMIC_RELEASE);
    asy_tree_settle(t);
}

// Frames above `depth` that nobody ended. Inherited tags end with what they stand on. A frame's own go on without it (those of an
// ExitStack outlive enter_context): they go to `kept`, outermost first; the rest is counted.
static uint32_t
frames_drop(asy_tree *t, uint64_t depth, asy_frame kept[TAGS_KEPT])
{
    bool barrier = (asy_tree_frame(t, depth)->kind & ASY_FRAME_BARRIER) != 0;
    uint64_t dropped = 0, tags = 0;
    uint32_t count = 0;

    for (uint64_t d = depth + 1; d < t->thread->depth; d++) {
        const asy_frame *f = asy_tree_frame(t, d);
        if (f->kind == ASY_NODE_TAG && !barrier && count < TAGS_KEPT) {
            kept[count++] = *f;
        } else if (f->kind != ASY_FRAME_TAG_INHERITED) {
            tags += f->kind == ASY_NODE_TAG;
            dropped += f->kind != ASY_NODE_TAG;
        }
    }
    if (dropped != 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_RESYNCS, dropped);
    }
    if (tags != 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_TAGS, tags);
    }
    return count;
}

bool
asy_tree_leave_slow(asy_tree *t, uint64_t token, uint32_t *ended)
{
    asy_thread *th = t->thread;
    asy_frame kept[TAGS_KEPT];
    uint32_t count;
    uint64_t d;

    if (th->overflow != 0) { // beyond what we keep: taken to be in order
        asy_word_store(&th->overflow, th->overflow - 1);
        return true;
    }
    d = asy_tree_find(t, token);
    if (d == 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_UNMATCHED, 1);
        return false;
    }
    count = frames_drop(t, d, kept);
    if (ended != NULL) {
        *ended = asy_tree_frame(t, d)->node;
    }
    depth_set(t, d);
    for (uint32_t i = 0; i < count; i++) {
        bool made = false;
        uint32_t node = asy_tree_child(t, asy_tree_node(t, kept[i].node)->func, ASY_NODE_TAG, &made);
        asy_tree_push(t, kept[i].token, node, ASY_NODE_TAG);
    }
    return true;
}

void
asy_tree_resume(asy_tree *t, uint32_t node, uint64_t token, uint32_t kind, uint64_t suspended, uint64_t now)
{
    asy_node *n = asy_tree_node(t, node);

    asy_tree_charge(t, now);
    asy_word_add(&n->resumes, 1);
    asy_word_add(&n->suspended_ticks, suspended);
    asy_tree_push(t, token, node, kind);
}

bool
asy_tree_unwind(asy_tree *t, uint64_t token, uint64_t now)
{
    uint32_t ended = NO_NODE;

    asy_tree_charge(t, now);
    if (!asy_tree_leave_slow(t, token, &ended)) {
        return false;
    }
    if (ended != NO_NODE) { // beyond what we keep it is not known
        asy_word_add(&asy_tree_node(t, ended)->unwinds, 1);
    }
    return true;
}

bool
asy_tree_yield(asy_tree *t, uint64_t token, asy_frame *tags, uint32_t max, uint32_t *count, uint64_t now)
{
    uint64_t d, top = t->thread->depth;

    *count = 0;
    asy_tree_charge(t, now);
    if (t->thread->overflow == 0) {
        d = asy_tree_find(t, token);
        while (d != 0 && top > d + 1 && asy_tree_frame(t, top - 1)->kind == ASY_NODE_TAG) {
            top--;
        }
        for (uint64_t i = top; d != 0 && i < t->thread->depth; i++) {
            if (*count < max) {
                tags[(*count)++] = *asy_tree_frame(t, i);
            } else {
                t->store.lose(t->store.ctx, ASY_LOSS_TAGS, 1);
            }
        }
        depth_set(t, top);
    }
    return asy_tree_leave_slow(t, token, NULL);
}

void
asy_tree_tag_in(asy_tree *t, uint32_t func, uint64_t token, uint64_t now)
{
    bool made = false;
    uint32_t node = asy_tree_child(t, func, ASY_NODE_TAG, &made);

    asy_tree_enter(t, node, token, ASY_NODE_TAG, now);
}

bool
asy_tree_tag_out(asy_tree *t, uint64_t token, uint64_t now)
{
    uint64_t d;

    asy_tree_charge(t, now);
    d = asy_tree_find(t, token);
    if (d == 0 && t->thread->overflow != 0) { // it began beyond what we keep
        return asy_tree_leave_slow(t, token, NULL);
    }
    if (d == 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_TAGS, 1);
        return false;
    }
    for (; d + 1 < t->thread->depth; d++) {
        asy_tree_frame_set(asy_tree_frame(t, d), *asy_tree_frame(t, d + 1));
    }
    depth_set(t, d);
    return true;
}

void
asy_tree_tag_inherit(asy_tree *t, uint32_t func, uint64_t token, uint64_t now)
{
    asy_thread *th = t->thread;
    bool made = false;
    uint32_t node;

    asy_tree_charge(t, now);
    if (th->overflow != 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_TAGS, 1);
        return;
    }
    node = asy_tree_child(t, func, ASY_NODE_TAG, &made);
    asy_tree_push(t, token, node, ASY_FRAME_TAG_INHERITED);
    if (th->overflow != 0) { // no end of a call would take it off again
        t->store.lose(t->store.ctx, ASY_LOSS_TAGS, 1);
        asy_word_store(&th->overflow, 0);
    }
}

void
asy_tree_inherit(asy_tree *t, uint32_t func, uint32_t kind, uint64_t token)
{
    bool made = false;
    uint32_t node = asy_tree_child(t, func, kind | ASY_NODE_F_INHERITED, &made);

    asy_tree_push(t, token, node, kind | ASY_NODE_F_INHERITED);
}

void
asy_tree_rebase(asy_tree *t, uint32_t func, uint32_t kind, uint64_t now)
{
    bool made = false;

    asy_tree_bottom(t, asy_tree_child_slow(t, 0, func, kind, &made), now);
}

void
asy_tree_bottom(asy_tree *t, uint32_t node, uint64_t now)
{
    asy_tree_charge(t, now);
    asy_tree_frame_set(asy_tree_frame(t, 0), (asy_frame){.node = node});
    asy_tree_settle(t);
}

void
asy_tree_restart(asy_tree *t, uint64_t now)
{
    asy_thread *th = t->thread;
    uint64_t cpu, end = cpu_read(&t->store, now, &cpu);

    asy_word_store(&th->overflow, 0);
    asy_word_store(&th->last_ticks, end);
    asy_word_store(&th->cpu_read_ticks, end);
    asy_word_store(&th->cpu_read_ns, cpu);
    depth_set(t, 1);
    asy_tree_forget_all(t);
    t->context_now = 0;
}

void
asy_tree_renew(asy_tree *t)
{
    asy_thread *th = t->thread;

    if (t->slot_used > SLOTS_KEPT) {
        asy_tree_slot *fewer = t->store.alloc(t->store.ctx, SLOTS_FIRST * sizeof(asy_tree_slot));
        if (fewer != NULL) {
            t->store.release(t->store.ctx, t->slots, ((size_t)t->slot_mask + 1) * sizeof(asy_tree_slot));
            t->slots = fewer;
            t->slot_mask = SLOTS_FIRST - 1;
            t->slot_used = 0;
        }
    }
    if (t->slot_used != 0) {
        memset(t->slots, 0, ((size_t)t->slot_mask + 1) * sizeof(asy_tree_slot));
    }
    t->slot_used = t->folds_kept = t->fresh_node = 0;
    *asy_tree_node(t, 0) = (asy_node){.kind = ASY_NODE_ROOT};
    __atomic_store_n(&th->node_count, 1, __ATOMIC_RELEASE);
    asy_tree_frame_set(asy_tree_frame(t, 0), (asy_frame){0});
    asy_tree_settle(t);
}
