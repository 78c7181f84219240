// tree_greenlets.c: the stacks of greenlets that do not run, put aside in private memory, found by the greenlet's id.
// The running greenlet has no row.
#include "core/tree.h"

struct asy_tree_context {
    uint64_t id;       // 0 with frames NULL: free; 0 with frames: the thread's first context
    asy_frame *frames; // owned, `bytes` of private memory; NULL = free row
    size_t bytes;
    uint64_t depth;
};

#define CONTEXT_ROWS (ASY_CONTEXT_MAX * 2u)
#define SPARE_BYTES 4096u // buffers are multiples of this

static asy_tree_context *
context_find(asy_tree *t, uint64_t id)
{
    uint32_t i = (uint32_t)((id * 0x9E3779B97F4A7C15ULL) >> 32) % CONTEXT_ROWS;

    while (t->contexts[i].frames != NULL && t->contexts[i].id != id) {
        i = (i + 1) % CONTEXT_ROWS;
    }
    return &t->contexts[i];
}

// Give a buffer back, or keep the bigger one for the next switch: most switches then ask for no memory.
static void
frames_release(asy_tree *t, asy_frame *frames, size_t bytes)
{
    if (bytes > t->spare_bytes) {
        asy_frame *old = t->spare_frames;
        size_t old_bytes = t->spare_bytes;
        t->spare_frames = frames;
        t->spare_bytes = bytes;
        frames = old;
        bytes = old_bytes;
    }
    if (frames != NULL) {
        t->store.release(t->store.ctx, frames, bytes);
    }
}

// Room for `depth` frames; *bytes is its size. NULL: no memory.
static asy_frame *
frames_take(asy_tree *t, uint64_t depth, size_t *bytes)
{
    size_t wanted = (depth * sizeof(asy_frame) + SPARE_BYTES - 1) / SPARE_BYTES * SPARE_BYTES;
    asy_frame *frames = t->spare_frames;

    *bytes = t->spare_bytes;
    if (frames != NULL && t->spare_bytes >= wanted) {
        t->spare_frames = NULL;
        t->spare_bytes = 0;
        return frames;
    }
    *bytes = wanted;
    return t->store.alloc(t->store.ctx, wanted);
}

void
asy_tree_forget_all(asy_tree *t)
{
    for (uint32_t i = 0; t->contexts != NULL && i < CONTEXT_ROWS; i++) {
        if (t->contexts[i].frames != NULL) {
            t->store.release(t->store.ctx, t->contexts[i].frames, t->contexts[i].bytes);
        }
    }
    if (t->contexts != NULL) {
        t->store.release(t->store.ctx, t->contexts, CONTEXT_ROWS * sizeof(asy_tree_context));
    }
    if (t->spare_frames != NULL) {
        t->store.release(t->store.ctx, t->spare_frames, t->spare_bytes);
    }
    t->contexts = NULL;
    t->context_used = 0;
    t->spare_frames = NULL;
    t->spare_bytes = 0;
}

// Take a row out; rows after it that hashed before it move up.
static void
context_remove(asy_tree *t, asy_tree_context *row)
{
    uint32_t hole = (uint32_t)(row - t->contexts);

    frames_release(t, row->frames, row->bytes);
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
    size_t bytes;
    asy_tree_context *row;
    asy_frame *frames;

    if (t->contexts == NULL) {
        t->contexts = t->store.alloc(t->store.ctx, CONTEXT_ROWS * sizeof(asy_tree_context));
    }
    if (t->contexts == NULL || t->context_used >= ASY_CONTEXT_MAX) {
        return false;
    }
    frames = frames_take(t, depth, &bytes);
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
    if ((t->thread->depth > 1 || t->context_now == 0) &&
        !context_save(t)) { // a finished greenlet leaves an empty stack
        t->store.lose(t->store.ctx, ASY_LOSS_CONTEXTS, 1);
        st = ASY_ELIMIT;
    }
    if (t->thread->overflow != 0) { // frames beyond what we keep belong to the old stack
        t->store.lose(t->store.ctx, ASY_LOSS_CONTEXTS, 1);
        asy_word_store(&t->thread->overflow, 0);
    }
    t->context_now = to;
    __atomic_store_n(&t->thread->depth, 1, __ATOMIC_RELEASE);
    row = t->contexts != NULL ? context_find(t, to) : NULL;
    if (row == NULL || row->frames == NULL) {
        asy_tree_frame_set(asy_tree_frame(t, 0), (asy_frame){.node = t->fresh_node});
        asy_tree_settle(t);
        return st;
    }
    asy_tree_frame_set(asy_tree_frame(t, 0), row->frames[0]);
    asy_tree_settle(t);
    for (uint64_t d = 1; d < row->depth; d++) {
        asy_tree_push(t, row->frames[d].token, row->frames[d].node, row->frames[d].kind);
    }
    context_remove(t, row);
    return st;
}

bool
asy_tree_knows(asy_tree *t, uint64_t context)
{
    return context == t->context_now || (t->contexts != NULL && context_find(t, context)->frames != NULL);
}

void
asy_tree_forget(asy_tree *t, uint64_t context)
{
    asy_tree_context *row = t->contexts != NULL ? context_find(t, context) : NULL;

    if (row != NULL && row->frames != NULL) {
        context_remove(t, row);
    }
}
