// replay.c: a call tree in a world that the test decides: clock, memory, functions.
// Identities are made up: a function's code is at CODE + 64 × id, a frame at FRAME + 64 × id, a tag's token is TAG + 64 × id.
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#define CODE 0x10000u
#define FRAME 0x4000000u
#define TAG 0x8000000u

// ---- the store ----

static void *
store_chunk(void *ctx, uint32_t kind, uint32_t ordinal)
{
    replay *r = ctx;
    uint32_t max = r->world.chunks_max == UINT32_MAX ? 0 : r->world.chunks_max;
    void *chunk;

    (void)kind;
    (void)ordinal;
    if (r->chunk_count >= REPLAY_CHUNKS_MAX || (r->world.chunks_max != 0 && r->chunk_count >= max)) {
        r->losses[ASY_LOSS_CHUNKS]++;
        return NULL;
    }
    chunk = malloc(ASY_CHUNK_BYTES);
    if (chunk == NULL) {
        return NULL;
    }
    memset(chunk, 0xA5, ASY_CHUNK_BYTES); // an arena's chunk is not cleared
    r->chunks[r->chunk_count++] = chunk;
    return chunk;
}

static void *
store_alloc(void *ctx, size_t bytes)
{
    replay *r = ctx;
    uint32_t n = ++r->allocs;

    if (r->world.fail_alloc != 0 && (n == r->world.fail_alloc || (r->world.fail_after && n > r->world.fail_alloc))) {
        return NULL;
    }
    r->live += (int64_t)bytes;
    return calloc(1, bytes);
}

static void
store_release(void *ctx, void *p, size_t bytes)
{
    replay *r = ctx;

    r->live -= (int64_t)bytes;
    free(p);
}

static void
store_lose(void *ctx, int which, uint64_t n)
{
    ((replay *)ctx)->losses[which] += n;
}

// Reading takes time: the value is that of its middle.
static uint64_t
store_cpu_ns(void *ctx)
{
    replay *r = ctx;
    uint64_t middle = r->cpu + r->world.read_ticks / 2;

    r->now += r->world.read_ticks;
    r->cpu += r->world.read_ticks;
    return middle / r->world.ticks_per_ns;
}

static uint64_t
store_ticks(void *ctx)
{
    return ((replay *)ctx)->now;
}

static uint64_t
store_ticks_to_ns(void *ctx, uint64_t ticks)
{
    return ticks / ((replay *)ctx)->world.ticks_per_ns;
}

static uint64_t
store_ns_to_ticks(void *ctx, uint64_t ns)
{
    return ns * ((replay *)ctx)->world.ticks_per_ns;
}

// ---- the life of a replay ----

static asy_tree_store
store_of(replay *r)
{
    return (asy_tree_store){.ctx = r,
                            .chunk = store_chunk,
                            .alloc = store_alloc,
                            .release = store_release,
                            .lose = store_lose,
                            .cpu_ns = store_cpu_ns,
                            .ticks = store_ticks,
                            .ticks_to_ns = store_ticks_to_ns,
                            .ns_to_ticks = store_ns_to_ticks};
}

static void
world_complete(replay_world *w)
{
    w->node_max = w->node_max != 0 ? w->node_max : 1000000;
    w->gap = w->gap != 0 ? w->gap : 1000000000;
    w->ticks_per_ns = w->ticks_per_ns != 0 ? w->ticks_per_ns : 1;
    w->suspend_sets = w->suspend_sets != 0 ? w->suspend_sets : 64;
}

replay *
replay_new(const replay_world *world)
{
    replay *r = calloc(1, sizeof(*r));
    asy_tree_store store;

    if (r == NULL) {
        return NULL;
    }
    r->world = world != NULL ? *world : (replay_world){0};
    world_complete(&r->world);
    r->names.count = 1; // function 0 is the root
    r->now = r->world.start;
    r->thread_chunk = aligned_alloc(4096, ASY_CHUNK_BYTES);
    r->suspend.sets = r->world.suspend_sets;
    r->suspend.rows = calloc((size_t)r->suspend.sets * ASY_SUSPEND_WAYS, sizeof(asy_suspend_row));
    store = store_of(r);
    if (r->thread_chunk == NULL || r->suspend.rows == NULL) {
        replay_free(r);
        return NULL;
    }
    memset(r->thread_chunk, 0xA5, ASY_CHUNK_BYTES);
    if (asy_tree_begin(&r->tree, r->thread_chunk, &store, r->world.gap, r->world.node_max, r->now) != ASY_OK) {
        replay_free(r);
        return NULL;
    }
    r->started = r->world.start;
    return r;
}

void
replay_free(replay *r)
{
    asy_tree_end(&r->tree);
    for (uint32_t i = 0; i < r->chunk_count; i++) {
        free(r->chunks[i]);
    }
    free(r->suspend.rows);
    free(r->thread_chunk);
    free(r);
}

// ---- events: what the agent does with each ----

static uint64_t
code_of(uint32_t func)
{
    return CODE + 64u * (uint64_t)func;
}

static void
begin_call(replay *r, const replay_event *e)
{
    bool made = false;
    bool c = e->kind == EV_CALL;
    uint32_t kind = r->names.kind[e->func];
    uint32_t node = asy_tree_child(&r->tree, e->func, kind, &made);

    r->entered++;
    asy_tree_enter(&r->tree, node, c ? code_of(e->caller) | 1 : code_of(e->func), kind, r->now);
}

static void
resume_call(replay *r, const replay_event *e)
{
    bool made = false;
    uint32_t node = asy_tree_child(&r->tree, e->func, ASY_NODE_PY, &made);

    asy_suspend_resume(&r->suspend, &r->tree, node, code_of(e->func), FRAME + 64 * e->id, r->now);
}

static void
clock_move(replay *r, const replay_event *e)
{
    r->now += (uint64_t)(e->ran + e->waited);
    r->ran += (uint64_t)e->ran;
    r->waited += (uint64_t)e->waited;
    r->cpu += e->ran > 0 ? (uint64_t)e->ran : 0;
}

void
replay_event_feed(replay *r, const replay_event *e)
{
    asy_tree *t = &r->tree;

    clock_move(r, e);
    switch (e->kind) {
    case EV_START:
    case EV_CALL: begin_call(r, e); break;
    case EV_RESUME:
    case EV_THROW: resume_call(r, e); break;
    case EV_YIELD: asy_suspend_yield(&r->suspend, t, code_of(e->func), FRAME + 64 * e->id, r->now); break;
    case EV_RETURN: asy_tree_leave(t, code_of(e->func), r->now); break;
    case EV_UNWIND: asy_tree_unwind(t, code_of(e->func), r->now); break;
    case EV_C_RETURN: asy_tree_leave(t, code_of(e->caller) | 1, r->now); break;
    case EV_C_RAISE: asy_tree_unwind(t, code_of(e->caller) | 1, r->now); break;
    case EV_TAG_IN:
        r->entered++;
        asy_tree_tag_in(t, e->func, TAG + 64 * e->id, r->now);
        break;
    case EV_TAG_OUT: asy_tree_tag_out(t, TAG + 64 * e->id, r->now); break;
    case EV_TAG_INHERIT: asy_tree_tag_inherit(t, e->func, TAG + 64 * e->id, r->now); break;
    case EV_SWITCH: asy_tree_switch(t, e->id, r->now); break;
    case EV_FORGET: asy_tree_forget(t, e->id); break;
    case EV_INHERIT: asy_tree_inherit(t, e->func, ASY_NODE_PY, code_of(e->func)); break;
    case EV_REBASE: asy_tree_rebase(t, e->func, ASY_NODE_PHASE, r->now); break;
    case EV_KINDS: break;
    }
}

const char *
replay_feed(replay *r, const char *script)
{
    const char *problem = NULL;
    const char *at = script;
    replay_event event;

    while (replay_parse(&at, &r->names, &event, &problem)) {
        replay_event_feed(r, &event);
    }
    return problem;
}

// ---- invariants ----

const char *
replay_check(const replay *r)
{
    const asy_thread *th = r->tree.thread;
    uint64_t self = 0, calls = 0;

    for (uint32_t i = 0; i < th->node_count; i++) {
        const asy_node *n = asy_tree_node(&r->tree, i);
        self += n->self_ticks;
        calls += n->calls;
        if (n->wait_ticks > n->self_ticks) {
            return "a node waited longer than it lasted";
        }
        if (i > 0 && n->parent >= i) {
            return "a node's parent does not precede it";
        }
    }
    if (self + th->overhead_ticks != th->last_ticks - r->started) {
        return "time of the nodes and overhead is not the time that passed";
    }
    if (calls != r->entered) {
        return "calls of the nodes are not the calls that began";
    }
    if (th->depth < 1 || asy_tree_frame(&r->tree, 0)->token != 0) {
        return "the bottom of the stack is damaged";
    }
    if (r->tree.top != asy_tree_node(&r->tree, asy_tree_top(&r->tree))) {
        return "the address of the top node is not that of the top frame's";
    }
    return NULL;
}
