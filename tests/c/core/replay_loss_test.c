// replay_loss_test.c: what a call tree makes of events that do not pair up, and of memory that cannot be had.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay_expect.h"

// ---- events without a partner ----

static void
ends_of_calls_that_were_not_seen_to_begin_are_counted_and_change_nothing(void **state)
{
    (void)state;
    replay_expect("+5 RETURN f\n"
                  "+5 UNWIND f\n"
                  "+5 C_RETURN f\n"
                  "+5 START main\n"
                  "+5 YIELD gen@1\n" // began before us
                  "+9 RESUME gen@1\n"
                  "+1 RETURN gen@1\n"
                  "+1 RETURN main\n",
                  "root self=20\n"
                  "  main calls=1 self=15\n"
                  "    gen resumes=1 self=1 suspended=9\n"
                  "losses: unmatched=4\n");
}

static void
missing_return_from_c_is_made_up_for_by_the_caller_s_return(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 START f\n"
                  "+1 CALL f len\n"
                  "+9 RETURN f\n"
                  "+1 START g\n"
                  "+1 RETURN g\n"
                  "+1 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=3\n"
                  "    f calls=1 self=1\n"
                  "      len (c) calls=1 self=9\n"
                  "    g calls=1 self=1\n"
                  "losses: resyncs=1\n");
}

static void
exception_that_skips_several_calls_drops_each_and_counts_one_unwind(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 START f\n"
                  "+1 CALL f map\n"
                  "+1 START g\n"
                  "+1 UNWIND f\n"
                  "+1 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=2\n"
                  "    f calls=1 self=1 unwinds=1\n"
                  "      map (c) calls=1 self=1\n"
                  "        g calls=1 self=1\n"
                  "losses: resyncs=2\n");
}

static void
tag_that_is_still_open_when_its_function_returns_goes_on_below_the_caller(void **state)
{
    (void)state;
    replay_expect("+1 START main\n"
                  "+1 START f\n"
                  "+1 TAG_IN a@1\n"
                  "+1 RETURN f\n"
                  "+1 TAG_OUT a@1\n"
                  "+1 RETURN main\n",
                  "root self=1\n"
                  "  main calls=1 self=2\n"
                  "    f calls=1 self=1\n"
                  "      a (tag) calls=1 self=1\n"
                  "    a (tag) self=1\n");
}

static void
fourth_tag_of_a_suspended_generator_is_lost_and_counted(void **state)
{
    (void)state;
    replay_expect("+1 START gen@1\n"
                  "+1 TAG_IN a@1\n"
                  "+1 TAG_IN b@2\n"
                  "+1 TAG_IN c@3\n"
                  "+1 TAG_IN d@4\n"
                  "+1 YIELD gen@1\n"
                  "+1 RESUME gen@1\n"
                  "+1 TAG_OUT d@4\n"
                  "+1 TAG_OUT c@3\n"
                  "+1 TAG_OUT b@2\n"
                  "+1 TAG_OUT a@1\n"
                  "+1 RETURN gen@1\n",
                  "root self=2\n"
                  "  gen calls=1 resumes=1 self=2 suspended=1\n"
                  "    a (tag) calls=1 self=2\n"
                  "      b (tag) calls=1 self=2\n"
                  "        c (tag) calls=1 self=3\n"
                  "          d (tag) calls=1 self=1\n"
                  "losses: tags=2\n");
}

// Eight suspensions fit one set; the ninth drives the oldest out.
static void
suspension_beyond_the_table_forgets_the_oldest_and_counts_it(void **state)
{
    replay_world world = {.suspend_sets = 1};

    (void)state;
    replay_expect_in(&world,
                     "+1 START gen@1\n+1 YIELD gen@1\n+1 START gen@2\n+1 YIELD gen@2\n"
                     "+1 START gen@3\n+1 YIELD gen@3\n+1 START gen@4\n+1 YIELD gen@4\n"
                     "+1 START gen@5\n+1 YIELD gen@5\n+1 START gen@6\n+1 YIELD gen@6\n"
                     "+1 START gen@7\n+1 YIELD gen@7\n+1 START gen@8\n+1 YIELD gen@8\n"
                     "+1 START late@9\n+1 YIELD late@9\n"
                     "+1 RESUME gen@1\n+1 RETURN gen@1\n"    // forgotten
                     "+1 RESUME gen@2\n+1 RETURN gen@2\n"    // 17 ticks
                     "+1 RESUME late@9\n+1 RETURN late@9\n", // 5 ticks
                     "root self=12\n"
                     "  gen calls=8 resumes=2 self=10 suspended=17\n"
                     "  late calls=1 resumes=1 self=2 suspended=5\n"
                     "losses: suspensions=1\n");
}

static void
greenlets_beyond_the_limit_are_counted_and_the_rest_goes_on(void **state)
{
    replay *r = replay_new(NULL);

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    for (uint64_t id = 1; id <= ASY_CONTEXT_MAX + 10; id++) {
        replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = id, .ran = 1});
        replay_event_feed(r, &(replay_event){.kind = EV_START, .func = 1, .ran = 1});
    }
    assert_int_equal(r->losses[ASY_LOSS_CONTEXTS], 10);
    assert_null(replay_check(r));
    replay_free(r);
}

// ---- the cap ----

static void
recursion_folds_into_the_nearest_ancestor_of_the_same_function(void **state)
{
    replay_world world = {.node_max = 4}; // root, main, f, g

    (void)state;
    replay_expect_in(&world,
                     "+1 START main\n"
                     "+1 START f\n"
                     "+1 START g\n"
                     "+2 START f\n" // folds into f
                     "+3 START g\n" // is below it
                     "+4 RETURN g\n"
                     "+5 UNWIND f\n"
                     "+6 RETURN g\n"
                     "+7 RETURN f\n"
                     "+8 RETURN main\n",
                     "root self=1\n"
                     "  main calls=1 self=9\n"
                     "    f calls=2 self=16 unwinds=1\n"
                     "      g calls=2 self=12\n"
                     "losses: folds=1\n");
}

static void
new_functions_fold_into_flat_nodes_below_the_root(void **state)
{
    replay_world world = {.node_max = 3}; // root, main, f

    (void)state;
    replay_expect_in(&world,
                     "+1 START main\n"
                     "+1 START f\n"
                     "+1 START h\n"
                     "+5 RETURN h\n"
                     "+1 RETURN f\n"
                     "+1 START h\n"
                     "+6 START f\n" // h is flat: its f is not main's
                     "+7 RETURN f\n"
                     "+1 RETURN h\n"
                     "+1 RETURN main\n",
                     "root self=1\n"
                     "  main calls=1 self=3\n"
                     "    f calls=1 self=2\n"
                     "  h folded calls=2 self=12\n"
                     "  f folded calls=1 self=7\n"
                     "losses: folds=3\n");
}

typedef struct {
    uint64_t calls, resumes, self, unwinds;
} totals;

static totals
totals_of(const replay *r, uint32_t func)
{
    totals sum = {0};

    for (uint32_t i = 0; i < r->tree.thread->node_count; i++) {
        const asy_node *n = asy_tree_node(&r->tree, i);
        if (n->func == func) {
            sum.calls += n->calls;
            sum.resumes += n->resumes;
            sum.self += n->self_ticks;
            sum.unwinds += n->unwinds;
        }
    }
    return sum;
}

// Calls of a made-up program: wide, deep, recursive; the same for each run.
static void
wander(replay *r, uint32_t steps)
{
    uint32_t stack[64], depth = 0;
    uint64_t seed = 42;

    for (uint32_t i = 0; i < steps; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        if (depth < 60 && (depth == 0 || (seed >> 33) % 100 < 55)) {
            stack[depth] = 1 + (uint32_t)(seed >> 40) % 20;
            replay_event_feed(r, &(replay_event){.kind = EV_START, .func = stack[depth++], .ran = 1 + i % 7});
        } else {
            replay_kind kind = (seed >> 50) % 9 == 0 ? EV_UNWIND : EV_RETURN;
            replay_event_feed(r, &(replay_event){.kind = kind, .func = stack[--depth], .ran = 1 + i % 5});
        }
    }
}

static void
name_twenty(replay *r)
{
    char name[16];

    for (int i = 1; i <= 20; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        replay_name(&r->names, name, ASY_NODE_PY);
    }
}

static void
check_folded(const replay_world *world, int loss)
{
    replay *whole = replay_new(NULL), *folded = replay_new(world);

    name_twenty(whole);
    name_twenty(folded);
    wander(whole, 60000);
    wander(folded, 60000);
    assert_null(replay_check(folded));
    assert_true(folded->losses[loss] > 0);
    assert_true(folded->tree.thread->node_count < whole->tree.thread->node_count);
    assert_true(folded->tree.slot_used <= 2 * (uint64_t)folded->tree.node_max + 20); // what is remembered is bounded
    for (uint32_t f = 1; f <= 20; f++) {
        totals a = totals_of(whole, f), b = totals_of(folded, f);
        assert_memory_equal(&a, &b, sizeof(a));
    }
    assert_int_equal(whole->losses[ASY_LOSS_FOLDS], 0);
    replay_free(whole);
    replay_free(folded);
}

static void
folding_keeps_calls_and_self_time_of_each_function_exact(void **state)
{
    (void)state;
    for (uint32_t max = 2; max < 3000; max = max * 2 + 1) {
        check_folded(&(replay_world){.node_max = max}, ASY_LOSS_FOLDS);
    }
}

static void
arena_exhausted_midway_keeps_calls_and_self_time_of_each_function_exact(void **state)
{
    (void)state;
    check_folded(&(replay_world){.chunks_max = UINT32_MAX}, ASY_LOSS_FOLDS);
    for (uint32_t chunks = 1; chunks < 8; chunks++) {
        check_folded(&(replay_world){.chunks_max = chunks}, ASY_LOSS_CHUNKS);
    }
}

static void
exhausted_arena_is_asked_again_only_now_and_then(void **state)
{
    replay *r = replay_new(&(replay_world){.chunks_max = UINT32_MAX});
    uint64_t before;

    (void)state;
    name_twenty(r);
    wander(r, 60000);
    assert_true(r->losses[ASY_LOSS_CHUNKS] < 60);
    for (uint32_t i = 0; i < ASY_STACK_PART + 10; i++) { // to the end of the stack, and to and fro there
        replay_event_feed(r, &(replay_event){.kind = EV_START, .func = 1, .ran = 1});
    }
    before = r->losses[ASY_LOSS_CHUNKS];
    while (r->tree.thread->overflow > 0) {
        replay_event_feed(r, &(replay_event){.kind = EV_RETURN, .func = 1, .ran = 1});
    }
    for (uint32_t i = 0; i < 10000; i++) {
        replay_event_feed(r, &(replay_event){.kind = EV_START, .func = 1, .ran = 1});
        replay_event_feed(r, &(replay_event){.kind = EV_RETURN, .func = 1, .ran = 1});
    }
    assert_true(r->losses[ASY_LOSS_CHUNKS] - before < 10);
    assert_null(replay_check(r));
    replay_free(r);
}

// Without even a flat node, calls are the root's, and counted as lost there.
static void
what_has_no_node_at_all_is_counted_at_the_root(void **state)
{
    replay *r = replay_new(&(replay_world){.chunks_max = UINT32_MAX});
    uint64_t at_root;
    char name[16];

    (void)state;
    for (uint32_t f = 1; f < REPLAY_NAMES_MAX; f++) {
        snprintf(name, sizeof(name), "f%u", f);
        replay_name(&r->names, name, ASY_NODE_PY);
        replay_event_feed(r, &(replay_event){.kind = EV_START, .func = f, .ran = 1});
        replay_event_feed(r, &(replay_event){.kind = EV_UNWIND, .func = f, .ran = 2});
    }
    at_root = asy_tree_node(&r->tree, 0)->calls;
    assert_int_equal(at_root, REPLAY_NAMES_MAX - 1 - (ASY_NODE_PART - 1));
    assert_int_equal(asy_tree_node(&r->tree, 0)->unwinds, at_root);
    assert_int_equal(r->losses[ASY_LOSS_EVENTS], at_root);
    assert_null(replay_check(r));
    replay_free(r);
}

// However many paths there are, functions that come after them have nodes.
static void
new_functions_beyond_the_largest_tree_are_counted(void **state)
{
    replay *r = replay_new(&(replay_world){.node_max = UINT32_MAX});
    asy_tree *t = &r->tree;
    uint64_t nodes = 0;
    bool made;

    (void)state;
    while (nodes != t->thread->node_count) { // to the cap
        nodes = t->thread->node_count;
        asy_tree_enter(t, asy_tree_child(t, 1, ASY_NODE_PY, &made), 16, ASY_NODE_PY, ++r->now);
    }
    assert_true(nodes > 900000);
    while (t->thread->depth + t->thread->overflow > 1) {
        asy_tree_leave(t, 16, ++r->now);
    }
    for (uint32_t func = 2; func < 5000; func++) {
        uint32_t node = asy_tree_child(t, func, ASY_NODE_PY, &made);
        asy_tree_enter(t, node, 32, ASY_NODE_PY, ++r->now);
        asy_tree_leave(t, 32, ++r->now);
        assert_int_equal(asy_tree_node(t, node)->func, func);
        assert_int_equal(asy_tree_node(t, node)->calls, 1);
    }
    assert_int_equal(r->losses[ASY_LOSS_EVENTS], 0);
    replay_free(r);
}

// ---- the stack's end ----

static void
recurse(replay *r, replay_kind kind, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        replay_event_feed(r, &(replay_event){.kind = kind, .func = 1, .ran = 1});
    }
}

static void
recursion_a_hundred_thousand_deep_is_exact(void **state)
{
    replay *r = replay_new(NULL);

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    recurse(r, EV_START, 100000);
    assert_int_equal(r->tree.thread->depth, 100001);
    recurse(r, EV_RETURN, 100000);
    for (uint32_t i = 1; i <= 100000; i++) {
        const asy_node *n = asy_tree_node(&r->tree, i);
        assert_int_equal(n->calls, 1);
        assert_int_equal(n->parent, i - 1);
        assert_int_equal(n->self_ticks, i == 100000 ? 1 : 2);
    }
    assert_int_equal(r->tree.thread->depth, 1);
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        assert_int_equal(r->losses[i], 0);
    }
    assert_null(replay_check(r));
    replay_free(r);
}

static void
calls_beyond_the_deepest_stack_are_counted_and_come_back_in_order(void **state)
{
    const uint64_t kept = (uint64_t)ASY_STACK_PARTS * ASY_STACK_PART - 1, beyond = 5000;
    replay *r = replay_new(&(replay_world){.node_max = 1000});

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    recurse(r, EV_START, kept + beyond);
    assert_int_equal(r->losses[ASY_LOSS_DEPTH], beyond);
    recurse(r, EV_UNWIND, beyond);
    assert_int_equal(r->tree.thread->overflow, 0);
    assert_int_equal(r->tree.thread->depth, kept + 1);
    recurse(r, EV_RETURN, kept);
    assert_int_equal(r->tree.thread->depth, 1);
    assert_int_equal(totals_of(r, 1).calls, kept + beyond);
    assert_int_equal(r->losses[ASY_LOSS_UNMATCHED] + r->losses[ASY_LOSS_RESYNCS], 0);
    assert_null(replay_check(r));
    replay_free(r);
}

static void
stack_without_memory_counts_depth_and_comes_back_in_order(void **state)
{
    replay *r = replay_new(&(replay_world){.chunks_max = 1, .node_max = 10});

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    recurse(r, EV_START, 20000);
    assert_int_equal(r->losses[ASY_LOSS_DEPTH], 20000 - (5 * ASY_STACK_PART - 1));
    recurse(r, EV_RETURN, 20000);
    assert_int_equal(r->tree.thread->depth, 1);
    assert_int_equal(totals_of(r, 1).calls, 20000);
    assert_int_equal(r->losses[ASY_LOSS_UNMATCHED], 0);
    assert_null(replay_check(r));
    replay_free(r);
}

// A tag that was opened on the kept part of the stack ends there, though deeper calls are running.
static void
tag_ended_from_beyond_the_deepest_stack_is_the_right_one(void **state)
{
    replay *r = replay_new(&(replay_world){.chunks_max = UINT32_MAX});
    uint32_t tag;

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    tag = replay_name(&r->names, "t", ASY_NODE_TAG);
    replay_event_feed(r, &(replay_event){.kind = EV_TAG_IN, .func = tag, .id = 1, .ran = 1});
    recurse(r, EV_START, 2000);
    assert_true(r->tree.thread->overflow > 0);
    replay_event_feed(r, &(replay_event){.kind = EV_TAG_IN, .func = tag, .id = 2, .ran = 1});
    replay_event_feed(r, &(replay_event){.kind = EV_TAG_OUT, .func = tag, .id = 2, .ran = 1});
    replay_event_feed(r, &(replay_event){.kind = EV_TAG_OUT, .func = tag, .id = 1, .ran = 1});
    recurse(r, EV_RETURN, 2000);
    assert_int_equal(r->tree.thread->depth, 1);
    assert_int_equal(r->tree.thread->overflow, 0);
    assert_int_equal(r->losses[ASY_LOSS_UNMATCHED] + r->losses[ASY_LOSS_TAGS], 0);
    replay_free(r);
}

// What overflowed belongs to the greenlet that is left: the other one's calls end by their own events.
static void
switch_beyond_the_deepest_stack_does_not_disturb_the_other_greenlet(void **state)
{
    replay *r = replay_new(&(replay_world){.chunks_max = UINT32_MAX});

    (void)state;
    replay_name(&r->names, "f", ASY_NODE_PY);
    recurse(r, EV_START, 1100);
    replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = 7, .ran = 1});
    recurse(r, EV_START, 10);
    assert_int_equal(r->tree.thread->depth, 11);
    recurse(r, EV_RETURN, 10);
    assert_int_equal(r->tree.thread->depth, 1);
    assert_int_equal(r->losses[ASY_LOSS_CONTEXTS], 1);
    replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = 0, .ran = 1});
    assert_int_equal(r->tree.thread->depth, ASY_STACK_PART);
    assert_null(replay_check(r));
    replay_free(r);
}

// ---- memory ----

// Each of the first allocations of private memory fails in turn: all but the very first only lose detail.
static void
failing_allocations_never_lose_calls_or_time(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        for (uint32_t n = 1; n <= 12; n++) {
            replay *r = replay_new(&(replay_world){.fail_alloc = n, .fail_after = after != 0});
            if (n == 1) {
                assert_null(r);
                continue;
            }
            name_twenty(r);
            wander(r, 20000);
            for (uint64_t id = 0; id < 20; id++) {
                replay_event_feed(r, &(replay_event){.kind = EV_SWITCH, .id = id % 5, .ran = 1});
                replay_event_feed(r, &(replay_event){.kind = EV_START, .func = 1, .ran = 1});
            }
            assert_true(r->allocs >= n);
            assert_true(after == 0 || r->losses[ASY_LOSS_CONTEXTS] > 0);
            assert_null(replay_check(r));
            asy_tree_end(&r->tree);
            assert_int_equal(r->live, 0);
            replay_free(r);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_of_calls_that_were_not_seen_to_begin_are_counted_and_change_nothing),
        cmocka_unit_test(missing_return_from_c_is_made_up_for_by_the_caller_s_return),
        cmocka_unit_test(exception_that_skips_several_calls_drops_each_and_counts_one_unwind),
        cmocka_unit_test(tag_that_is_still_open_when_its_function_returns_goes_on_below_the_caller),
        cmocka_unit_test(fourth_tag_of_a_suspended_generator_is_lost_and_counted),
        cmocka_unit_test(suspension_beyond_the_table_forgets_the_oldest_and_counts_it),
        cmocka_unit_test(greenlets_beyond_the_limit_are_counted_and_the_rest_goes_on),
        cmocka_unit_test(recursion_folds_into_the_nearest_ancestor_of_the_same_function),
        cmocka_unit_test(new_functions_fold_into_flat_nodes_below_the_root),
        cmocka_unit_test(folding_keeps_calls_and_self_time_of_each_function_exact),
        cmocka_unit_test(arena_exhausted_midway_keeps_calls_and_self_time_of_each_function_exact),
        cmocka_unit_test(exhausted_arena_is_asked_again_only_now_and_then),
        cmocka_unit_test(what_has_no_node_at_all_is_counted_at_the_root),
        cmocka_unit_test(new_functions_beyond_the_largest_tree_are_counted),
        cmocka_unit_test(recursion_a_hundred_thousand_deep_is_exact),
        cmocka_unit_test(calls_beyond_the_deepest_stack_are_counted_and_come_back_in_order),
        cmocka_unit_test(stack_without_memory_counts_depth_and_comes_back_in_order),
        cmocka_unit_test(tag_ended_from_beyond_the_deepest_stack_is_the_right_one),
        cmocka_unit_test(switch_beyond_the_deepest_stack_does_not_disturb_the_other_greenlet),
        cmocka_unit_test(failing_allocations_never_lose_calls_or_time),
    };

    return cmocka_run_group_tests_name("replay losses", tests, NULL, NULL);
}
