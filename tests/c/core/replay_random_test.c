// replay_random_test.c: seeded random programs, the real tree against the model, and against failing memory.
// A seed that fails is printed: `replay_random_test SEED` runs it alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay_model.h"

#define FUNCS 6u
#define C_FUNCS 3u
#define TAGS 3u
#define GREENLETS 4u
#define GENERATORS 48u
#define DEPTH_MAX 24u
#define GAP 20u
#define TAG_INHERITED 99u // an open_call's kind

// A program that runs: what is open in each greenlet, and which generators wait.
typedef struct {
    uint32_t kind; // ASY_NODE_PY, _C or _TAG
    uint32_t func, caller;
    uint64_t id; // of the generator (0: a plain function) or the tag
} open_call;

typedef struct {
    uint32_t depth;
    open_call call[DEPTH_MAX + 8];
} greenlet;

typedef struct {
    bool alive;
    uint32_t func;
    uint32_t tag_count;
    open_call tag[ASY_SUSPEND_TAGS];
} generator;

typedef struct {
    uint64_t seed;
    uint32_t sloppy; // of 1000 events, so many are lost on the way, and some are made up
    bool tags, switches;
    uint32_t now; // greenlet
    greenlet greenlets[GREENLETS];
    generator generators[GENERATORS];
    uint64_t next_tag;
} program;

static uint64_t
random_next(program *p, uint64_t below)
{
    p->seed ^= p->seed << 13;
    p->seed ^= p->seed >> 7;
    p->seed ^= p->seed << 17;
    return (p->seed >> 11) % below;
}

// Ids of functions: Python ones, then C ones, then tags.
static uint32_t
py_func(program *p)
{
    return 1 + (uint32_t)random_next(p, FUNCS);
}

static void
names_fill(replay_names *names)
{
    char name[16];

    names->count = 1;
    for (uint32_t i = 0; i < FUNCS + C_FUNCS + TAGS; i++) {
        uint32_t kind = i < FUNCS ? ASY_NODE_PY : i < FUNCS + C_FUNCS ? ASY_NODE_C : ASY_NODE_TAG;
        snprintf(name, sizeof(name), "%c%u", "pct"[i < FUNCS ? 0 : i < FUNCS + C_FUNCS ? 1 : 2], i);
        replay_name(names, name, kind);
    }
}

static void
open_push(program *p, open_call call)
{
    greenlet *g = &p->greenlets[p->now];

    g->call[g->depth++] = call;
}

// The innermost call that is not a tag; its index, -1 if there is none.
static int
innermost(const greenlet *g)
{
    int i = (int)g->depth - 1;

    while (i >= 0 && (g->call[i].kind == ASY_NODE_TAG || g->call[i].kind == TAG_INHERITED)) {
        i--;
    }
    return i;
}

static bool
begin_python(program *p, replay_event *e, bool is_generator)
{
    uint64_t id = 0;

    if (is_generator) {
        id = 1 + random_next(p, GENERATORS - 1);
        if (p->generators[id].alive) {
            return false;
        }
        p->generators[id] = (generator){.alive = true, .func = py_func(p)};
    }
    *e = (replay_event){.kind = EV_START, .func = is_generator ? p->generators[id].func : py_func(p), .id = id};
    open_push(p, (open_call){ASY_NODE_PY, e->func, 0, id});
    return true;
}

static bool
begin_c(program *p, replay_event *e)
{
    greenlet *g = &p->greenlets[p->now];
    int at = innermost(g);

    if (at < 0 || g->call[at].kind != ASY_NODE_PY) {
        return false; // C calling C raises no event
    }
    *e = (replay_event){
        .kind = EV_CALL, .func = 1 + FUNCS + (uint32_t)random_next(p, C_FUNCS), .caller = g->call[at].func};
    open_push(p, (open_call){ASY_NODE_C, e->func, e->caller, 0});
    return true;
}

static bool
resume_generator(program *p, replay_event *e)
{
    uint64_t id = 1 + random_next(p, GENERATORS - 1);
    generator *gen = &p->generators[id];

    if (!gen->alive || gen->func == 0) {
        return false;
    }
    for (uint32_t i = 0; i < GREENLETS; i++) { // not if it runs
        for (uint32_t d = 0; d < p->greenlets[i].depth; d++) {
            if (p->greenlets[i].call[d].kind == ASY_NODE_PY && p->greenlets[i].call[d].id == id) {
                return false;
            }
        }
    }
    *e = (replay_event){.kind = random_next(p, 8) == 0 ? EV_THROW : EV_RESUME, .func = gen->func, .id = id};
    open_push(p, (open_call){ASY_NODE_PY, gen->func, 0, id});
    for (uint32_t i = 0; i < gen->tag_count; i++) {
        open_push(p, gen->tag[i]);
    }
    gen->tag_count = 0;
    return true;
}

static bool
yield_generator(program *p, replay_event *e)
{
    greenlet *g = &p->greenlets[p->now];
    int at = innermost(g);
    uint32_t tags = (uint32_t)((int)g->depth - 1 - at);

    if (at < 0 || g->call[at].id == 0 || g->call[at].kind != ASY_NODE_PY || tags > ASY_SUSPEND_TAGS) {
        return false;
    }
    *e = (replay_event){.kind = EV_YIELD, .func = g->call[at].func, .id = g->call[at].id};
    p->generators[e->id].tag_count = tags;
    memcpy(p->generators[e->id].tag, &g->call[at + 1], tags * sizeof(open_call));
    g->depth = (uint32_t)at;
    return true;
}

static bool
end_call(program *p, replay_event *e)
{
    greenlet *g = &p->greenlets[p->now];
    bool raised = random_next(p, 5) == 0;
    open_call *call;
    uint32_t depth = g->depth;

    while (depth > 0 && g->call[depth - 1].kind == TAG_INHERITED) { // they end with what they stand on
        depth--;
    }
    if (depth == 0 || g->call[depth - 1].kind == ASY_NODE_TAG) {
        return false;
    }
    call = &g->call[depth - 1];
    *e = (replay_event){.func = call->func, .caller = call->caller, .id = call->id};
    if (call->kind == ASY_NODE_C) {
        e->kind = raised ? EV_C_RAISE : EV_C_RETURN;
    } else {
        e->kind = raised ? EV_UNWIND : EV_RETURN;
        p->generators[call->id].alive = false;
    }
    g->depth = depth - 1;
    return true;
}

// A context is entered by a C function: what it inherited stands above that.
static bool
inherit_tag(program *p, replay_event *e)
{
    greenlet *g = &p->greenlets[p->now];
    int at = (int)g->depth - 1;

    if (!p->tags || at < 0 || (g->call[at].kind != ASY_NODE_C && g->call[at].kind != TAG_INHERITED)) {
        return false;
    }
    *e = (replay_event){
        .kind = EV_TAG_INHERIT, .id = ++p->next_tag, .func = 1 + FUNCS + C_FUNCS + (uint32_t)random_next(p, TAGS)};
    open_push(p, (open_call){TAG_INHERITED, e->func, 0, e->id});
    return true;
}

static bool
begin_tag(program *p, replay_event *e)
{
    if (!p->tags) {
        return false;
    }
    *e = (replay_event){
        .kind = EV_TAG_IN, .id = ++p->next_tag, .func = 1 + FUNCS + C_FUNCS + (uint32_t)random_next(p, TAGS)};
    open_push(p, (open_call){ASY_NODE_TAG, e->func, 0, e->id});
    return true;
}

// Any tag of the innermost call, not only the last.
static bool
end_tag(program *p, replay_event *e)
{
    greenlet *g = &p->greenlets[p->now];
    int at = innermost(g);
    uint32_t tags = (uint32_t)((int)g->depth - 1 - at);
    uint32_t which;

    if (tags == 0) {
        return false;
    }
    which = (uint32_t)(at + 1) + (uint32_t)random_next(p, tags);
    if (g->call[which].kind == TAG_INHERITED) {
        return false;
    }
    *e = (replay_event){.kind = EV_TAG_OUT, .func = g->call[which].func, .id = g->call[which].id};
    g->depth--;
    memmove(&g->call[which], &g->call[which + 1], (g->depth - which) * sizeof(open_call));
    return true;
}

static bool
switch_greenlet(program *p, replay_event *e)
{
    if (!p->switches) {
        return false;
    }
    p->now = (uint32_t)random_next(p, GREENLETS);
    *e = (replay_event){.kind = EV_SWITCH, .id = p->now};
    return true;
}

static bool
event_try(program *p, replay_event *e)
{
    bool full = p->greenlets[p->now].depth >= DEPTH_MAX;

    switch (random_next(p, full ? 6 : 13)) {
    case 0:
    case 1: return end_call(p, e);
    case 2: return yield_generator(p, e);
    case 3: return end_tag(p, e);
    case 4: return random_next(p, 8) == 0 && switch_greenlet(p, e);
    case 5: return end_call(p, e);
    case 6:
    case 7: return begin_python(p, e, false);
    case 8: return begin_python(p, e, true);
    case 9: return begin_c(p, e);
    case 10: return resume_generator(p, e);
    case 11: return inherit_tag(p, e);
    default: return begin_tag(p, e);
    }
}

// Mostly short steps; sometimes a long one, run or waited.
static void
time_choose(program *p, replay_event *e)
{
    uint64_t dice = random_next(p, 100);

    e->ran = (int64_t)random_next(p, GAP / 2);
    if (dice < 5) {
        e->ran = (int64_t)random_next(p, 500);
    } else if (dice < 15) {
        e->waited = (int64_t)(GAP + 1 + random_next(p, 500));
    }
}

static replay_event
event_next(program *p)
{
    replay_event e;

    while (!event_try(p, &e)) {
    }
    time_choose(p, &e);
    return e;
}

// ---- the real tree and the model, side by side ----

static void
compare(const replay *r, const replay_model *m, uint64_t seed, uint32_t events)
{
    const char *problem = replay_check(r);
    char *real = replay_text(r);
    char *model = replay_model_text(m);
    char *losses = strstr(real, "overhead:");

    if (losses != NULL) {
        *losses = '\0';
    }
    if (problem != NULL || strcmp(real, model) != 0) {
        fail_msg("seed %llu, %u events: %s\nthe tree is\n%s\nand should be\n%s", (unsigned long long)seed, events,
                 problem != NULL ? problem : "", real, model);
    }
    free(real);
    free(model);
}

static void
side_by_side(uint64_t seed, uint32_t sloppy, uint32_t events)
{
    replay_world world = {.gap = GAP, .suspend_sets = 256};
    replay *r = replay_new(&world);
    replay_model *m;
    program p = {.seed = seed, .sloppy = sloppy, .tags = seed % 2 == 0, .switches = seed % 3 == 0};

    assert_non_null(r);
    names_fill(&r->names);
    m = replay_model_new(&r->names, GAP);
    for (uint32_t i = 1; i <= events; i++) {
        replay_event e = event_next(&p);
        if (random_next(&p, 1000) >= p.sloppy) {
            replay_event_feed(r, &e);
            replay_model_feed(m, &e);
        }
        if (i % 1000 == 0) {
            compare(r, m, seed, i);
        }
    }
    if (sloppy == 0) {
        for (int i = 0; i < ASY_LOSS_COUNT; i++) {
            assert_int_equal(r->losses[i], 0);
        }
    } else {
        assert_true(r->losses[ASY_LOSS_RESYNCS] > 0 && r->losses[ASY_LOSS_UNMATCHED] > 0);
    }
    replay_model_free(m);
    replay_free(r);
}

static void
random_programs_make_the_model_s_tree_and_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        side_by_side(seed * 0x9E3779B97F4A7C15u, 0, 4000);
    }
}

static void
random_programs_with_lost_events_make_the_model_s_tree_and_count_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        side_by_side(seed * 0xD1B54A32D192ED03u, 20, 3000);
    }
}

// ---- folding ----

typedef struct {
    uint64_t calls, resumes, self, wait, suspended, unwinds;
} totals;

static void
totals_add(const replay *r, totals *by_func)
{
    for (uint32_t i = 0; i < r->tree.thread->node_count; i++) {
        const asy_node *n = asy_tree_node(&r->tree, i);
        totals *t = &by_func[n->func];
        t->calls += n->calls;
        t->resumes += n->resumes;
        t->self += n->self_ticks;
        t->wait += n->wait_ticks;
        t->suspended += n->suspended_ticks;
        t->unwinds += n->unwinds;
    }
}

static void
fold(uint64_t seed, const replay_world *world)
{
    replay_world unbounded = {.gap = GAP, .suspend_sets = world->suspend_sets};
    replay *whole = replay_new(&unbounded), *folded = replay_new(world);
    program p = {.seed = seed, .tags = true, .switches = world->fail_alloc == 0};
    totals a[1 + FUNCS + C_FUNCS + TAGS] = {0}, b[1 + FUNCS + C_FUNCS + TAGS] = {0};

    names_fill(&whole->names);
    names_fill(&folded->names);
    for (uint32_t i = 0; i < 20000; i++) {
        replay_event e = event_next(&p);
        replay_event_feed(whole, &e);
        replay_event_feed(folded, &e);
    }
    totals_add(whole, a);
    totals_add(folded, b);
    assert_memory_equal(a, b, sizeof(a));
    assert_true(folded->losses[ASY_LOSS_FOLDS] + folded->losses[ASY_LOSS_EVENTS] > 0);
    assert_null(replay_check(folded));
    replay_free(whole);
    replay_free(folded);
}

static void
folded_random_programs_keep_every_total_of_every_function(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint64_t s = seed * 0x9E3779B97F4A7C15u;
        fold(s, &(replay_world){.gap = GAP, .suspend_sets = 256, .node_max = 1 + (uint32_t)(s % 200)});
        fold(s, &(replay_world){.gap = GAP, .suspend_sets = 256, .chunks_max = UINT32_MAX});
        fold(s, &(replay_world){.gap = GAP, .suspend_sets = 256, .fail_alloc = 2, .fail_after = true});
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_make_the_model_s_tree_and_lose_nothing),
        cmocka_unit_test(random_programs_with_lost_events_make_the_model_s_tree_and_count_it),
        cmocka_unit_test(folded_random_programs_keep_every_total_of_every_function),
    };

    return cmocka_run_group_tests_name("replay random", tests, NULL, NULL);
}
