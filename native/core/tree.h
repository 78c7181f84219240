// tree.h: calls and time per call path of one thread.
// Writes straight into a THREAD chunk and the NODES and STACK chunks after it (arena.h); what only the writer needs (part
// addresses, the hash of children) is in asy_tree, which is private memory.
// Not thread-safe: each thread owns one tree. Time comes in as a parameter, so a replay decides it.
//
// Accounting: between two events the node on top of the stack owns the time: one stamp an event, `self += now - last`.
// Total time is derived offline (self plus descendants), so recursion and folding need no care here.
// Gaps above `gap` ticks ask the thread's CPU clock how much of them ran (asy_tree_gap).
#ifndef ASY_CORE_TREE_H
#define ASY_CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

#define ASY_CONTEXT_MAX 4096u // greenlets whose stacks are kept aside, per thread

typedef struct {
    uint32_t parent, func, node, spare; // node 0 = empty (the root is nobody's child)
} asy_tree_slot;

typedef struct asy_tree_context asy_tree_context;

// Where a tree gets its memory from. All return NULL or an error where there is none; the tree folds then.
typedef struct {
    void *ctx;
    void *(*chunk)(void *ctx, uint32_t kind, uint32_t ordinal); // 64 KiB: NODES or STACK, published by the callee
    void *(*alloc)(void *ctx, size_t bytes);                    // zeroed private memory, page granular
    void (*release)(void *ctx, void *p, size_t bytes);
    void (*lose)(void *ctx, int which, uint64_t n);     // ASY_LOSS_*
    uint64_t (*cpu_ns)(void *ctx);                      // CPU clock of this thread
    uint64_t (*ticks)(void *ctx);                       // the clock, for the tree's own slow paths
    uint64_t (*ticks_to_ns)(void *ctx, uint64_t ticks); // rough is enough: for the gap rule
    uint64_t (*ns_to_ticks)(void *ctx, uint64_t ns);
} asy_tree_store;

typedef struct {
    asy_thread *thread; // NULL: not measuring (also in a fork child: the tree lies in MADV_WIPEONFORK memory)
    asy_node *top;      // the node of the top frame: an address, so that hot paths need not look it up
    uint64_t gap;       // ticks
    uint32_t node_max;
    uint32_t fresh_node;  // where a new greenlet's stack begins: the root, or the program's first node
    asy_tree_slot *slots; // open addressing, power of two
    uint32_t slot_mask, slot_used;
    asy_tree_store store;
    asy_tree_context *contexts; // greenlets put aside, ASY_CONTEXT_MAX × 2 rows, NULL until the first switch
    uint32_t context_used;
    uint32_t folds_kept; // pairs that are remembered as folded
    uint32_t nodes_refused, stack_refused,
        slots_refused; // wanted in vain since memory was last refused; 0 = it was not
    uint64_t context_now;
    asy_frame *spare_frames; // owned: a buffer for the next switch, `spare_bytes` long; NULL = none
    size_t spare_bytes;
    asy_node *part[ASY_NODE_PARTS];
    asy_frame *stack[ASY_STACK_PARTS];
} asy_tree;

// Begin at `now` in a THREAD chunk (`chunk`, zeroed page 0 is the callee's work; identity fields are the caller's to fill afterwards).
// Frame 0 and the root node exist on return; node_count is 1. Errors: ASY_ENOMEM (no private memory).
asy_status asy_tree_begin(asy_tree *t, void *chunk, const asy_tree_store *store, uint64_t gap, uint32_t node_max,
                          uint64_t now);
// Release private memory. The chunk stays as it is.
void asy_tree_end(asy_tree *t);

static inline asy_node *
asy_tree_node(const asy_tree *t, uint32_t id)
{
    return &t->part[id / ASY_NODE_PART][id % ASY_NODE_PART];
}

static inline asy_frame *
asy_tree_frame(const asy_tree *t, uint64_t depth)
{
    return &t->stack[depth / ASY_STACK_PART][depth % ASY_STACK_PART];
}

static inline void
asy_word_store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void
asy_word_add(uint64_t *p, uint64_t v) // one writer: a load and a store, no locked instruction
{
    asy_word_store(p, *p + v);
}

// The node of `func` below the node on top; made if it is new, or folded (see docs/semantics.md). Never fails: the last resort
// is the root. *made tells the caller that a node was new (a good moment for slow things).
uint32_t asy_tree_child_slow(asy_tree *t, uint32_t parent, uint32_t func, uint32_t kind, bool *made);

static inline uint32_t
asy_tree_top(const asy_tree *t)
{
    return asy_tree_frame(t, t->thread->depth - 1)->node;
}

// To be called when the depth or the top frame has changed otherwise than by a push.
static inline void
asy_tree_settle(asy_tree *t)
{
    t->top = asy_tree_node(t, asy_tree_top(t));
}

// Hot: every call. Two loads and a compare when the callee is the one that this node called last.
static inline uint32_t
asy_tree_child(asy_tree *t, uint32_t func, uint32_t kind, bool *made)
{
    uint32_t last = t->top->last_child;

    if (last != 0 && asy_tree_node(t, last)->func == func) {
        return last;
    }
    return asy_tree_child_slow(t, asy_tree_top(t), func, kind, made);
}

// The rule for long gaps: charge `node` with the part of `gap` ticks before `now` that the thread did not run.
// Its own time is charged to nobody. Returns the new "last" stamp.
uint64_t asy_tree_gap(asy_tree *t, asy_node *node, uint64_t gap, uint64_t now);

static inline void
asy_tree_charge(asy_tree *t, uint64_t now)
{
    asy_thread *th = t->thread;
    asy_node *node = t->top;
    uint64_t delta = now - th->last_ticks;

    if ((int64_t)delta < 0) {
        return; // clocks of two cores may differ by a few ticks; time does not run back
    }
    asy_word_add(&node->self_ticks, delta);
    if (delta > t->gap) {
        now = asy_tree_gap(t, node, delta, now);
    }
    asy_word_store(&th->last_ticks, now);
}

// The node is read by the harvester while the frame is on the stack.
static inline void
asy_tree_frame_set(asy_frame *f, asy_frame v)
{
    f->token = v.token;
    f->kind = v.kind;
    __atomic_store_n(&f->node, v.node, __ATOMIC_RELAXED);
}

// A slow path of ours ran between these stamps: charged to nobody, as far as it was ours. Returns the new "last" stamp.
uint64_t asy_tree_overhead(asy_tree *t, uint64_t from, uint64_t to);

void asy_tree_push_slow(asy_tree *t, uint64_t token, uint32_t node, uint32_t kind);

static inline void
asy_tree_push(asy_tree *t, uint64_t token, uint32_t node, uint32_t kind)
{
    asy_thread *th = t->thread;
    uint64_t d = th->depth;

    if (__builtin_expect(d % ASY_STACK_PART == 0 || th->overflow != 0, 0)) {
        asy_tree_push_slow(t, token, node, kind);
        return;
    }
    asy_tree_frame_set(asy_tree_frame(t, d), (asy_frame){token, node, kind});
    __atomic_store_n(&th->depth, d + 1, __ATOMIC_RELEASE);
    t->top = asy_tree_node(t, node);
}

// Hot: a call begins. `node` is from asy_tree_child; take `now` after that.
static inline void
asy_tree_enter(asy_tree *t, uint32_t node, uint64_t token, uint32_t kind, uint64_t now)
{
    asy_tree_charge(t, now);
    asy_word_add(&asy_tree_node(t, node)->calls, 1);
    asy_tree_push(t, token, node, kind);
}

// A suspended call goes on (kind has ASY_NODE_PY); `suspended` ticks, 0 if not known.
void asy_tree_resume(asy_tree *t, uint32_t node, uint64_t token, uint32_t kind, uint64_t suspended, uint64_t now);

// The end of a call that is not on top: drops what lies above it (counted), but for open tags, which stay; or tells that it is not on the stack (counted).
// *ended, where not NULL, is the node that was left.
bool asy_tree_leave_slow(asy_tree *t, uint64_t token, uint32_t *ended);

// Does this token end the call on top? (Not while deeper calls have overflowed.)
static inline bool
asy_tree_on_top(const asy_tree *t, uint64_t token)
{
    return asy_tree_frame(t, t->thread->depth - 1)->token == token && t->thread->overflow == 0;
}

// Hot: the call on top ends. Only where asy_tree_on_top said so.
static inline void
asy_tree_leave_top(asy_tree *t, uint64_t now)
{
    asy_thread *th = t->thread;
    uint64_t depth = th->depth - 1;
    uint32_t below = asy_tree_frame(t, depth - 1)->node;

    asy_tree_charge(t, now);
    __atomic_store_n(&th->depth, depth, __ATOMIC_RELEASE);
    t->top = asy_tree_node(t, below);
}

// Hot: a call ends, or is suspended. Take `now` first of all. False: this call was never seen to begin (counted).
static inline bool
asy_tree_leave(asy_tree *t, uint64_t token, uint64_t now)
{
    if (__builtin_expect(asy_tree_on_top(t, token), 1)) {
        asy_tree_leave_top(t, now);
        return true;
    }
    asy_tree_charge(t, now);
    return asy_tree_leave_slow(t, token, NULL);
}

// As asy_tree_leave, by an exception.
bool asy_tree_unwind(asy_tree *t, uint64_t token, uint64_t now);

// A generator or coroutine is suspended. Tags that were opened inside it and are still open leave the stack with it: at most `max` of
// them go to `tags`, outermost first, *count says how many; the rest is counted as lost.
bool asy_tree_yield(asy_tree *t, uint64_t token, asy_frame *tags, uint32_t max, uint32_t *count, uint64_t now);

// assay.tag(...) begins and ends. A tag that is not on top ends in the middle of the stack: what lies above stays.
void asy_tree_tag_in(asy_tree *t, uint32_t func, uint64_t token, uint64_t now);
bool asy_tree_tag_out(asy_tree *t, uint64_t token, uint64_t now);

// A tag that the running context inherited stands on the stack, without a call, until what it stands on ends: no loss is counted then.
// A stack that overflows goes without (counted).
void asy_tree_tag_inherit(asy_tree *t, uint32_t func, uint64_t token, uint64_t now);
#define ASY_FRAME_BARRIER 0x400u    // of a frame's kind: tags that were opened above it do not outlive it
#define ASY_FRAME_CALL_ENDED 0x800u // of an inherited frame's: the C call that it was in has ended
#define ASY_FRAME_DELEGATES 0x1000u // of a generator's: something was thrown past it, and it has not gone on itself
#define ASY_FRAME_TAG_INHERITED (ASY_NODE_TAG | ASY_NODE_F_INHERITED)

// Depth of the topmost frame with this token, 0 if there is none. Walks the stack.
uint64_t asy_tree_find(const asy_tree *t, uint64_t token);

// Was open when measuring began: on the stack, without a call.
void asy_tree_inherit(asy_tree *t, uint32_t func, uint32_t kind, uint64_t token);

// What happens outside of any call is charged to this node from now on.
void asy_tree_bottom(asy_tree *t, uint32_t node, uint64_t now);
// …to the node of (root, func).
void asy_tree_rebase(asy_tree *t, uint32_t func, uint32_t kind, uint64_t now);

// Measuring goes on after a pause: an empty stack, that of context 0, and the time between is nobody's.
void asy_tree_restart(asy_tree *t, uint64_t now);
// After a restart: without the nodes of before. Only where no reader knows them. Takes time in proportion to them.
void asy_tree_renew(asy_tree *t);

// Greenlets: put the stack of the running context aside under its id and go on with that of `to` (empty if never seen).
// Context 0 is the thread's first. Errors: ASY_ELIMIT (counted; the stack starts empty).
asy_status asy_tree_switch(asy_tree *t, uint64_t to, uint64_t now);
// False: a switch to it starts with an empty stack.
bool asy_tree_knows(asy_tree *t, uint64_t context);
// A context that will not come back.
void asy_tree_forget(asy_tree *t, uint64_t context);
// All contexts that do not run, and their memory.
void asy_tree_forget_all(asy_tree *t);

#endif
