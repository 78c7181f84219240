// tree.c: what is rare in a call tree: new nodes, folding, the far ends of the stack, events out of order.
// Nodes are indices into parts of 512; the first part and the first part of the stack lie in the THREAD chunk.
#include "core/tree.h"

#include <string.h>

#define SLOTS_FIRST 1024u
#define RESERVE 128u        // nodes of the last part that are kept for flat nodes when no chunk can be had
#define RETRY_EVERY 4096u   // wanted nodes between two tries for a chunk
#define FOLDED 1u           // asy_tree_slot.spare: the pair has no node of its own

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

// Room for one more pair: true. Doubles at half full; goes on to 7/8 where no memory can be had.
static bool
slots_grow(asy_tree *t)
{
    uint32_t size = t->slot_mask + 1;
    asy_tree_slot *bigger;

    if (t->slot_used < size / 2) {
        return true;
    }
    bigger = t->store.alloc(t->store.ctx, (size_t)size * 2 * sizeof(asy_tree_slot));
    if (bigger == NULL) {
        return t->slot_used < size / 8 * 7;
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
    t->node_max = node_max < ASY_NODE_PARTS * ASY_NODE_PART ? node_max : ASY_NODE_PARTS * ASY_NODE_PART;
    t->part[0] = (asy_node *)(void *)(bytes + ASY_THREAD_NODES_OFF);
    t->stack[0] = (asy_frame *)(void *)(bytes + ASY_THREAD_STACK_OFF);
    t->part[0][0] = (asy_node){.kind = ASY_NODE_ROOT};
    t->stack[0][0] = (asy_frame){0};
    th->node_count = 1;
    th->depth = 1;
    th->start_ticks = now;
    th->last_ticks = now;
    th->cpu_read_ticks = now;
    th->cpu_read_ns = store->cpu_ns(store->ctx);
    th->start_cpu_ns = th->cpu_read_ns;
    t->thread = th;
    asy_tree_settle(t);
    return ASY_OK;
}

static void contexts_release(asy_tree *t);

void
asy_tree_end(asy_tree *t)
{
    if (t->slots != NULL) {
        t->store.release(t->store.ctx, t->slots, ((size_t)t->slot_mask + 1) * sizeof(asy_tree_slot));
    }
    contexts_release(t);
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
    if (t->refused != 0 && t->refused++ % RETRY_EVERY != 0) {
        return false;
    }
    chunk = t->store.chunk(t->store.ctx, ASY_KIND_NODES, ordinal);
    if (chunk == NULL) {
        t->refused = 1;
        return false;
    }
    t->refused = 0;
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

// The nearest ancestor of the same function, else a flat node, else the root.
static uint32_t
node_fold(asy_tree *t, uint32_t parent, uint32_t func, uint32_t kind)
{
    asy_tree_slot *s;
    uint32_t node;

    for (uint32_t n = parent; n != 0; n = asy_tree_node(t, n)->parent) {
        if (asy_tree_node(t, n)->func == func) {
            return n;
        }
    }
    s = slot_find(t->slots, t->slot_mask, 0, func);
    if (s->node != 0) {
        return s->node;
    }
    if (!slots_grow(t)) {
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
    bool room;

    if (s->spare == FOLDED) {
        return child_folded(t, node);
    }
    if (node != 0) {
        asy_tree_node(t, parent)->last_child = node;
        return node;
    }
    room = slots_grow(t);
    node = room ? node_make(t, parent, func, kind) : 0;
    if (node != 0) {
        *slot_find(t->slots, t->slot_mask, parent, func) = (asy_tree_slot){parent, func, node, 0};
        t->slot_used++;
        asy_tree_node(t, parent)->last_child = node;
        *made = true;
        return node;
    }
    node = node_fold(t, parent, func, kind);
    if (parent != 0 && node != 0 && slots_grow(t)) {
        *slot_find(t->slots, t->slot_mask, parent, func) = (asy_tree_slot){parent, func, node, FOLDED};
        t->slot_used++;
    }
    return child_folded(t, node);
}

// ---- time ----

uint64_t
asy_tree_gap(asy_tree *t, asy_node *node, uint64_t gap, uint64_t now)
{
    asy_thread *th = t->thread;
    uint64_t cpu = t->store.cpu_ns(t->store.ctx);
    uint64_t gap_ns = t->store.ticks_to_ns(t->store.ctx, gap);
    uint64_t since_ns = t->store.ticks_to_ns(t->store.ctx, now - th->cpu_read_ticks);
    uint64_t used = cpu - th->cpu_read_ns;
    uint64_t ran_before = since_ns > gap_ns ? since_ns - gap_ns : 0; // short gaps count as running
    uint64_t ran = used > ran_before ? used - ran_before : 0;
    uint64_t end = t->store.ticks(t->store.ctx);

    if (ran < gap_ns) {
        asy_word_add(&node->wait_ticks, t->store.ns_to_ticks(t->store.ctx, gap_ns - ran));
    }
    if (end < now) {
        end = now;
    }
    asy_word_store(&th->cpu_read_ns, cpu);
    asy_word_store(&th->cpu_read_ticks, end);
    asy_word_add(&th->overhead_ticks, end - now);
    asy_word_add(&th->overhead_events, 1);
    return end;
}

// ---- the stack ----

void
asy_tree_push_slow(asy_tree *t, uint64_t token, uint32_t node, uint32_t kind)
{
    asy_thread *th = t->thread;
    uint64_t d = th->depth;
    uint64_t p = d / ASY_STACK_PART;

    if (th->overflow == 0 && p < ASY_STACK_PARTS && t->stack[p] == NULL) {
        uint32_t ordinal = (uint32_t)(p - 1) / 4;
        asy_frame *chunk = t->store.chunk(t->store.ctx, ASY_KIND_STACK, ordinal);
        for (uint32_t i = 0; chunk != NULL && i < 4 && 4 * ordinal + 1 + i < ASY_STACK_PARTS; i++) {
            t->stack[4 * ordinal + 1 + i] = chunk + (size_t)i * ASY_STACK_PART;
        }
    }
    if (th->overflow != 0 || p >= ASY_STACK_PARTS || t->stack[p] == NULL) {
        asy_word_add(&th->overflow, 1);
        t->store.lose(t->store.ctx, ASY_LOSS_DEPTH, 1);
        return;
    }
    *asy_tree_frame(t, d) = (asy_frame){token, node, kind};
    __atomic_store_n(&th->depth, d + 1, __ATOMIC_RELEASE);
    asy_tree_settle(t);
}

// Depth of the topmost frame with this token, 0 if there is none.
static uint64_t
frame_find(const asy_tree *t, uint64_t token)
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

bool
asy_tree_leave_slow(asy_tree *t, uint64_t token, uint32_t *ended)
{
    asy_thread *th = t->thread;
    uint64_t d;

    if (th->overflow != 0) { // beyond what we keep: taken to be in order
        asy_word_store(&th->overflow, th->overflow - 1);
        return true;
    }
    d = frame_find(t, token);
    if (d == 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_UNMATCHED, 1);
        return false;
    }
    if (d + 1 < th->depth) {
        t->store.lose(t->store.ctx, ASY_LOSS_RESYNCS, th->depth - 1 - d);
    }
    if (ended != NULL) {
        *ended = asy_tree_frame(t, d)->node;
    }
    depth_set(t, d);
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
    uint32_t ended = 0;

    asy_tree_charge(t, now);
    if (!asy_tree_leave_slow(t, token, &ended)) {
        return false;
    }
    if (ended != 0) {
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
        d = frame_find(t, token);
        while (d != 0 && top > d + 1 && asy_tree_frame(t, top - 1)->kind == ASY_NODE_TAG) {
            top--;
        }
        for (uint64_t i = top; d != 0 && i < t->thread->depth; i++) {
            if (*count < max) {
                tags[(*count)++] = *asy_tree_frame(t, i);
            }
            else {
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
    if (t->thread->overflow != 0) {
        return asy_tree_leave_slow(t, token, NULL);
    }
    d = frame_find(t, token);
    if (d == 0) {
        t->store.lose(t->store.ctx, ASY_LOSS_TAGS, 1);
        return false;
    }
    for (; d + 1 < t->thread->depth; d++) {
        *asy_tree_frame(t, d) = *asy_tree_frame(t, d + 1);
    }
    depth_set(t, d);
    return true;
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

    asy_tree_charge(t, now);
    asy_tree_frame(t, 0)->node = asy_tree_child_slow(t, 0, func, kind, &made);
    asy_tree_settle(t);
}

void
asy_tree_restart(asy_tree *t, uint64_t now)
{
    asy_word_store(&t->thread->overflow, 0);
    asy_word_store(&t->thread->last_ticks, now);
    asy_word_store(&t->thread->cpu_read_ticks, now);
    asy_word_store(&t->thread->cpu_read_ns, t->store.cpu_ns(t->store.ctx));
    depth_set(t, 1);
}

// ---- greenlets ----

struct asy_tree_context {
    uint64_t id;       // 0 with frames NULL: free; 0 with frames: the thread's first context
    asy_frame *frames; // owned, `bytes` of private memory; NULL = free row
    size_t bytes;
    uint64_t depth;
};

#define CONTEXT_ROWS (ASY_CONTEXT_MAX * 2u)

static asy_tree_context *
context_find(asy_tree *t, uint64_t id)
{
    uint32_t i = slot_hash((uint32_t)(id >> 32), (uint32_t)id) % CONTEXT_ROWS;

    while (t->contexts[i].frames != NULL && t->contexts[i].id != id) {
        i = (i + 1) % CONTEXT_ROWS;
    }
    return &t->contexts[i];
}

static void
contexts_release(asy_tree *t)
{
    for (uint32_t i = 0; t->contexts != NULL && i < CONTEXT_ROWS; i++) {
        if (t->contexts[i].frames != NULL) {
            t->store.release(t->store.ctx, t->contexts[i].frames, t->contexts[i].bytes);
        }
    }
    if (t->contexts != NULL) {
        t->store.release(t->store.ctx, t->contexts, CONTEXT_ROWS * sizeof(asy_tree_context));
    }
    t->contexts = NULL;
}

// Take a row out; rows after it that hashed before it move up.
static void
context_remove(asy_tree *t, asy_tree_context *row)
{
    uint32_t hole = (uint32_t)(row - t->contexts);

    t->store.release(t->store.ctx, row->frames, row->bytes);
    t->contexts[hole] = (asy_tree_context){0};
    t->context_used--;
    for (uint32_t i = (hole + 1) % CONTEXT_ROWS; t->contexts[i].frames != NULL; i = (i + 1) % CONTEXT_ROWS) {
        asy_tree_context moved = t->contexts[i];
        t->contexts[i] = (asy_tree_context){0};
        *context_find(t, moved.id) = moved;
    }
}

// Put the running stack aside. False: no memory, or too many.
static bool
context_save(asy_tree *t)
{
    uint64_t depth = t->thread->depth;
    size_t bytes = depth * sizeof(asy_frame);
    asy_tree_context *row;
    asy_frame *frames;

    if (t->contexts == NULL) {
        t->contexts = t->store.alloc(t->store.ctx, CONTEXT_ROWS * sizeof(asy_tree_context));
    }
    if (t->contexts == NULL || t->context_used >= ASY_CONTEXT_MAX) {
        return false;
    }
    frames = t->store.alloc(t->store.ctx, bytes);
    if (frames == NULL) {
        return false;
    }
    for (uint64_t d = 0; d < depth; d++) {
        frames[d] = *asy_tree_frame(t, d);
    }
    row = context_find(t, t->context_now);
    *row = (asy_tree_context){t->context_now, frames, bytes, depth};
    t->context_used++;
    return true;
}

asy_status
asy_tree_switch(asy_tree *t, uint64_t to, uint64_t now)
{
    asy_tree_context *row;
    asy_status st = ASY_OK;

    asy_tree_charge(t, now);
    if (to == t->context_now) {
        return ASY_OK;
    }
    if (!context_save(t)) {
        t->store.lose(t->store.ctx, ASY_LOSS_CONTEXTS, 1);
        st = ASY_ELIMIT;
    }
    if (t->thread->overflow != 0) { // frames beyond what we keep belong to the old stack
        t->store.lose(t->store.ctx, ASY_LOSS_CONTEXTS, 1);
        asy_word_store(&t->thread->overflow, 0);
    }
    t->context_now = to;
    depth_set(t, 1);
    row = t->contexts != NULL ? context_find(t, to) : NULL;
    if (row == NULL || row->frames == NULL) {
        asy_tree_frame(t, 0)->node = t->fresh_node;
        asy_tree_settle(t);
        return st;
    }
    *asy_tree_frame(t, 0) = row->frames[0];
    asy_tree_settle(t);
    for (uint64_t d = 1; d < row->depth; d++) {
        asy_tree_push(t, row->frames[d].token, row->frames[d].node, row->frames[d].kind);
    }
    context_remove(t, row);
    return st;
}

void
asy_tree_forget(asy_tree *t, uint64_t context)
{
    asy_tree_context *row = t->contexts != NULL ? context_find(t, context) : NULL;

    if (row != NULL && row->frames != NULL) {
        context_remove(t, row);
    }
}
