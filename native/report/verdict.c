// verdict.c: which function dominates, running or waiting, called by whom, for which label.
#include "report/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/tags.h"
#include "report/units.h"

#define TOO_SHORT_NS 1000000u // below this, chance decides
#define NAME_COLUMNS 60

static uint64_t
busy_ns(const asy_own *own)
{
    return asy_analysis_measure(own, ASY_MEASURE_BUSY);
}

static bool
exceeds(uint64_t ns, uint64_t wall_ns)
{
    return ns > wall_ns + wall_ns / 20;
}

// Running and waiting for something outside are ranked together where one comes after the other. Where threads do both at once,
// a program that mostly runs is judged by running, else by waiting. Idleness is the answer where there is next to nothing else.
asy_measure
asy_verdict_measure(const asy_analysis *a)
{
    const asy_own *sum = &a->sum;
    uint64_t wall_ns = asy_wall_ns(&a->wall);

    if (busy_ns(sum) < wall_ns / 20 && asy_analysis_measure(sum, ASY_MEASURE_IDLE) > wall_ns / 2) {
        return ASY_MEASURE_IDLE;
    }
    if (!exceeds(busy_ns(sum), wall_ns)) {
        return ASY_MEASURE_BUSY;
    }
    return sum->run_ns >= wall_ns / 2 || sum->run_ns * 2 >= busy_ns(sum) ? ASY_MEASURE_RUN : ASY_MEASURE_WAIT;
}

bool
asy_verdict_sets_aside(const asy_analysis *a, asy_measure by, const asy_row *r)
{
    return by != ASY_MEASURE_IDLE && r->func != ASY_VIEW_NONE && a->aside_ns[r->func] * 2 > r->self_ns;
}

// Does a function both run and wait, neither of them by the way?
static bool
is_mixed(const asy_own *own)
{
    uint64_t wait = own->wait_ns[ASY_WAIT_OUTSIDE];

    return wait * 5 > busy_ns(own) && wait * 5 < 4 * busy_ns(own);
}

// "build_lookup (lookup.py:31)", "the top level of job.py"
static char *
describe(const asy_analysis *a, uint32_t func)
{
    const asy_profile_func *f = &a->view->profile->funcs[func];
    char *name = asy_words_func(a->view->profile, func, NAME_COLUMNS);
    char *place = asy_text_fit(a->origin[func].place, NAME_COLUMNS, ASY_CUT_START);
    char *out = NULL;
    int n = -1;

    if (name != NULL && place != NULL && strcmp(f->name, "<module>") == 0) {
        n = asprintf(&out, "the top level of %s", place);
    } else if (name != NULL && place != NULL) {
        n = f->line > 0 ? asprintf(&out, "%s (%s:%u)", name, place, f->line) : asprintf(&out, "%s (%s)", name, place);
    }
    free(name);
    free(place);
    return n < 0 ? NULL : out;
}

// What a function waits for most, among waits of the kind asked for.
static const char *
main_wait(const asy_analysis *a, uint32_t func, asy_measure by)
{
    asy_wait_sum sums[32];
    uint32_t count = 0, best = 0;

    for (uint32_t i = 1; i < a->view->node_count; i++) {
        const asy_view_node *n = &a->view->nodes[i];
        const char *name = a->origin[n->func].wait;
        bool counts = by == ASY_MEASURE_IDLE || a->wait_kind[i] == ASY_WAIT_OUTSIDE;
        uint32_t at = 0;

        if (a->anchor[i] != func || n->wait_ns == 0 || !counts) {
            continue;
        }
        while (at < count && strcmp(sums[at].name, name) != 0) {
            at++;
        }
        if (at == count && count < sizeof sums / sizeof *sums) {
            sums[count++] = (asy_wait_sum){.name = name};
        }
        if (at < count) {
            sums[at].ns += n->wait_ns;
            best = sums[at].ns > sums[best].ns ? at : best;
        }
    }
    return count == 0 ? "" : sums[best].name;
}

// "running", "waiting (sleep)". The caller frees; NULL without memory.
static char *
describe_state(const asy_analysis *a, uint32_t func, asy_measure by)
{
    const asy_own *own = &a->own[func];
    uint64_t wait = own->wait_ns[ASY_WAIT_OUTSIDE];
    char *what = asy_text_fit(main_wait(a, func, by), 30, ASY_CUT_END);
    char *out = NULL;
    int n = -1;

    if (what == NULL) {
        return NULL;
    }
    if (by == ASY_MEASURE_IDLE) {
        n = asprintf(&out, "waiting for other threads or for work (%s)", what);
    } else if (by == ASY_MEASURE_BUSY && is_mixed(own)) {
        n = asprintf(&out, "%s running, %s waiting (%s)", asy_units_time(own->run_ns).s, asy_units_time(wait).s, what);
    } else if (by == ASY_MEASURE_WAIT || (by == ASY_MEASURE_BUSY && wait > own->run_ns)) {
        n = asprintf(&out, "waiting (%s)", what);
    } else {
        n = asprintf(&out, "running");
    }
    free(what);
    return n < 0 ? NULL : out;
}

static asy_status
add_calls(const asy_analysis *a, uint32_t func, asy_words *head)
{
    uint64_t calls = a->own[func].calls;
    asy_caller caller;
    char *from = NULL;
    asy_status st = asy_analysis_caller(a, func, &caller);

    if (st != ASY_OK || calls == 0 || (calls == 1 && strcmp(a->view->profile->funcs[func].name, "<module>") == 0)) {
        return st;
    }
    if (caller.func != ASY_VIEW_NONE && caller.calls * 20 >= caller.all * 19) {
        from = asy_words_func(a->view->profile, caller.func, NAME_COLUMNS);
    }
    if (from == NULL) {
        asy_words_add(head, "%s %s", asy_units_count(calls).s, calls == 1 ? "call" : "calls");
    } else {
        const char *how = calls == 1 ? "from" : caller.calls == caller.all ? "all from" : "nearly all from";

        asy_words_add(head, "%s %s, %s %s", asy_units_count(calls).s, calls == 1 ? "call" : "calls", how, from);
    }
    free(from);
    return ASY_OK;
}

// ---- labels ----

typedef struct {
    uint64_t ns;
    uint32_t value; // 0 = without
} share;

static int
by_size(const void *x, const void *y)
{
    const share *a = x, *b = y;

    return a->ns != b->ns ? (a->ns < b->ns) - (a->ns > b->ns) : (a->value > b->value) - (a->value < b->value);
}

// How many of the largest shares make up 90 % of `sum`; 0 = too many, or the label says nothing.
static uint32_t
few(const share *shares, uint32_t count, uint64_t sum)
{
    uint64_t part = 0;

    for (uint32_t k = 0; k < 3 && k + 1 < count; k++) {
        if (shares[k].value == 0) {
            return 0;
        }
        part += shares[k].ns;
        // One value with three quarters, or a few of many with nine tenths.
        if ((k == 0 && part * 4 >= sum * 3) || (part * 10 >= sum * 9 && count >= 3 * (k + 1))) {
            return k + 1;
        }
    }
    return 0;
}

static void
add_few(const asy_tags *t, const share *shares, uint32_t k, uint32_t count, uint64_t sum, asy_words *head)
{
    uint64_t part = 0;
    char *key = asy_text_fit(t->key, 30, ASY_CUT_END);
    char *text[3] = {NULL, NULL, NULL};
    bool failed = key == NULL;

    for (uint32_t i = 0; i < k; i++) {
        part += shares[i].ns;
        text[i] = asy_text_fit(t->values[shares[i].value - 1], 30, ASY_CUT_END);
        failed = failed || text[i] == NULL;
    }
    if (failed) {
        head->failed = true;
    } else if (k == 1) {
        asy_words_add(head, "%s of it for %s=%s", asy_units_percent(part, sum).s, key, text[0]);
    } else {
        asy_words_add(head, "%s of it for %s=%s, %s%s%s (%u of %u)", asy_units_percent(part, sum).s, key, text[0],
                      text[1], k == 3 ? ", " : "", k == 3 ? text[2] : "", k, count);
    }
    free(key);
    for (uint32_t i = 0; i < k; i++) {
        free(text[i]);
    }
}

static uint64_t
node_ns(const asy_analysis *a, uint32_t node, asy_measure by)
{
    return by == ASY_MEASURE_IDLE ? a->view->nodes[node].self_ns : asy_analysis_busy_ns(a, node);
}

// Try one label: true if it said something.
static asy_status
try_label(const asy_analysis *a, uint32_t func, asy_measure by, const char *key, asy_words *head, bool *said)
{
    asy_tags t;
    share *shares;
    uint64_t sum = 0;
    uint32_t k;
    asy_status st = asy_tags_make(a->view, key, &t);

    if (st != ASY_OK) {
        return st;
    }
    shares = calloc((size_t)t.value_count + 1, sizeof *shares);
    if (shares == NULL) {
        asy_tags_clear(&t);
        return ASY_ENOMEM;
    }
    for (uint32_t i = 0; i <= t.value_count; i++) {
        shares[i].value = i;
    }
    for (uint32_t i = 1; i < a->view->node_count; i++) {
        if (a->anchor[i] == func) {
            shares[t.of_node[i]].ns += node_ns(a, i, by);
            sum += node_ns(a, i, by);
        }
    }
    qsort(shares, (size_t)t.value_count + 1, sizeof *shares, by_size);
    k = few(shares, t.value_count + 1, sum);
    if (k > 0 && t.value_count > 1) {
        add_few(&t, shares, k, t.value_count, sum, head);
        *said = true;
    }
    free(shares);
    asy_tags_clear(&t);
    return ASY_OK;
}

static asy_status
add_labels(const asy_analysis *a, uint32_t func, asy_measure by, asy_words *head)
{
    const char **keys;
    uint32_t count;
    bool said = false;
    asy_status st = asy_tags_keys(a->view, &keys, &count);

    for (uint32_t i = 0; st == ASY_OK && i < count && i < 8 && !said; i++) {
        st = try_label(a, func, by, keys[i], head, &said);
    }
    free(keys);
    return st;
}

// ---- what it is made of ----

// "its own code", "imports", "time.sleep", "asyncio.runners.run". The caller frees; NULL without memory.
static char *
name_piece(const asy_analysis *a, uint32_t piece, uint32_t func)
{
    const asy_profile_func *f = &a->view->profile->funcs[piece];
    const char *place = a->origin[piece].place;
    size_t stem = strlen(place), init = strlen("/__init__");
    char *joined, *out;

    if (piece == func) {
        return strdup("its own code");
    }
    if (strcmp(f->name, "_find_and_load") == 0 && a->origin[piece].importing) {
        return strdup("imports");
    }
    if (f->kind != ASY_NODE_PY || a->origin[piece].project || stem < 4 || strcmp(place + stem - 3, ".py") != 0) {
        return asy_words_full(a->view->profile, piece, NAME_COLUMNS);
    }
    stem -= 3;
    if (stem > init && strncmp(place + stem - init, "/__init__", init) == 0) {
        stem -= init;
    }
    for (size_t i = stem; place[0] == '/' && i-- > 0;) {
        if (place[i] == '/') { // outside of the directories that name modules: the last part only
            place += i + 1;
            stem -= i + 1;
        }
    }
    if (asprintf(&joined, "%.*s.%s", (int)stem, place, f->name) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < stem; i++) {
        joined[i] = joined[i] == '/' ? '.' : joined[i];
    }
    out = asy_text_fit(joined, NAME_COLUMNS, ASY_CUT_START);
    free(joined);
    return out;
}

static void
add_piece(const asy_analysis *a, const asy_piece *p, uint32_t func, asy_words *made_of)
{
    uint64_t ns = p->run_ns + p->wait_ns;
    char *name = name_piece(a, p->func, func);

    if (name == NULL) {
        made_of->failed = true;
    } else {
        asy_words_add(made_of, "%s %s%s", asy_units_time(ns).s, name, p->wait_ns * 2 > ns ? " (waiting)" : "");
    }
    free(name);
}

static asy_status
add_pieces(const asy_analysis *a, uint32_t func, asy_words *made_of)
{
    asy_piece *pieces;
    uint32_t count;
    asy_status st = asy_analysis_pieces(a, func, &pieces, &count);

    if (st == ASY_OK && count > 0 && (count > 1 || pieces[0].func != func)) {
        uint64_t sum = busy_ns(&a->own[func]);
        uint64_t first = pieces[0].run_ns + pieces[0].wait_ns;

        // Its own code and next to nothing else needs no list.
        for (uint32_t i = 0; (pieces[0].func != func || first * 50 < sum * 49) && i < count && i < 4; i++) {
            if (i == 0 || (pieces[i].run_ns + pieces[i].wait_ns) * 200 >= sum) {
                add_piece(a, &pieces[i], func, made_of);
            }
        }
    }
    free(pieces);
    return st;
}

// ---- what was awaited ----

// Suspended time by the function whose own time it is, without that of the coroutines below it, which were awaited.
static asy_status
sum_suspended(const asy_analysis *a, uint64_t **by_func)
{
    uint64_t *below = calloc(a->view->node_count, sizeof *below);

    *by_func = calloc((size_t)a->view->profile->func_count + 1, sizeof **by_func);
    if (below == NULL || *by_func == NULL) {
        free(below);
        return ASY_ENOMEM;
    }
    for (uint32_t i = a->view->node_count - 1; i > 0; i--) {
        const asy_view_node *n = &a->view->nodes[i];
        uint64_t all = n->suspended_ns > below[i] ? n->suspended_ns : below[i];

        if (a->anchor[i] != ASY_VIEW_NONE) {
            (*by_func)[a->anchor[i]] += all - below[i];
        }
        below[n->parent] += all;
    }
    free(below);
    return ASY_OK;
}

// A program that was idle for most of its time while coroutines were suspended: which one.
static asy_status
add_awaited(const asy_analysis *a, uint64_t wall_ns, asy_words *head)
{
    uint64_t idle = asy_analysis_measure(&a->sum, ASY_MEASURE_IDLE);
    uint64_t *by_func = NULL;
    uint32_t best = 0;
    char *what;
    asy_status st = ASY_OK;

    if (idle < wall_ns / 2 || a->view->profile->func_count == 0) {
        return ASY_OK;
    }
    st = sum_suspended(a, &by_func);
    for (uint32_t f = 1; st == ASY_OK && f < a->view->profile->func_count; f++) {
        best = by_func[f] > by_func[best] ? f : best;
    }
    if (st == ASY_OK && by_func[best] >= wall_ns / 4) {
        what = describe(a, best);
        head->failed = head->failed || what == NULL;
        asy_words_add(head, "idle for %s, and %s awaited for %s", asy_units_time(idle).s, what == NULL ? "" : what,
                      asy_units_time(by_func[best]).s);
        free(what);
    }
    free(by_func);
    return st;
}

// ---- the sentence ----

// What percentages are of: "6.41 s", "the 3.60 s that it ran". The caller frees; NULL without memory.
static char *
describe_base(const asy_verdict *v)
{
    char *out = NULL;
    int n = asprintf(&out, "%s%s%s", v->did[0] != '\0' ? "the " : "", asy_units_time(v->base_ns).s, v->did);

    return n < 0 ? NULL : out;
}

static void
add_nobody(const asy_analysis *a, const asy_verdict *v, const uint32_t *top, uint32_t count, asy_words *head)
{
    char *base = describe_base(v);

    for (uint32_t i = 0; i < count && i < 3; i++) {
        asy_number part = asy_units_percent(asy_analysis_measure(&a->own[top[i]], v->by), v->base_ns);
        char *what = describe(a, top[i]);

        if (what == NULL || base == NULL) {
            head->failed = true;
        } else if (i == 0) {
            asy_words_add(head, "no function dominates; of %s, %s is %s", base, part.s, what);
        } else {
            asy_words_add(head, "%s %s", part.s, what);
        }
        free(what);
    }
    free(base);
}

static asy_status
add_dominant(const asy_analysis *a, const asy_verdict *v, asy_words *head, asy_words *made_of)
{
    char *what = describe(a, v->func);
    char *state = describe_state(a, v->func, v->by);
    asy_status st = what == NULL || state == NULL ? ASY_ENOMEM : ASY_OK;

    if (st == ASY_OK) {
        uint64_t ns = asy_analysis_measure(&a->own[v->func], v->by);
        char *base = describe_base(v);

        asy_words_add(head, "%s of %s is %s, %s", asy_units_percent(ns, v->base_ns).s, base == NULL ? "" : base, what,
                      state);
        head->failed = head->failed || base == NULL;
        free(base);
        st = add_calls(a, v->func, head);
    }
    if (st == ASY_OK) {
        st = add_labels(a, v->func, v->by, head);
    }
    if (st == ASY_OK && v->by != ASY_MEASURE_IDLE) {
        st = add_pieces(a, v->func, made_of);
    }
    free(what);
    free(state);
    return st;
}

// " that it ran", " that it waited", " that it ran or waited"
static const char *
describe_doing(const asy_analysis *a, asy_measure by)
{
    uint64_t wait = a->sum.wait_ns[ASY_WAIT_OUTSIDE];

    if (by == ASY_MEASURE_RUN || (by == ASY_MEASURE_BUSY && wait * 20 < a->sum.run_ns)) {
        return " that it ran";
    }
    return by == ASY_MEASURE_BUSY && a->sum.run_ns * 20 >= wait ? " that it ran or waited" : " that it waited";
}

// Percentages are of the wall time; where the program was idle for most of it, or its threads did more at once than fits into it,
// of the time that they ran, waited or both.
static void
choose_base(const asy_analysis *a, uint64_t wall_ns, asy_verdict *v)
{
    uint64_t measured = asy_analysis_measure(&a->sum, v->by);
    bool idle = v->by != ASY_MEASURE_IDLE && busy_ns(&a->sum) < wall_ns / 2;
    bool part = idle || exceeds(measured, wall_ns);

    v->base_ns = part ? measured : wall_ns;
    v->did = part ? describe_doing(a, v->by) : "";
}

asy_status
asy_verdict_make(const asy_analysis *a, asy_verdict *out, asy_words *head, asy_words *made_of)
{
    uint64_t wall_ns = asy_wall_ns(&a->wall);
    uint32_t top[4];
    uint32_t count;
    asy_status st = ASY_OK;

    *out = (asy_verdict){.func = ASY_VIEW_NONE, .by = asy_verdict_measure(a), .did = ""};
    count = asy_analysis_top(a, out->by, top, 3);
    choose_base(a, wall_ns, out);
    if (wall_ns < TOO_SHORT_NS) {
        asy_words_add(head, "the program took %s: too short to say where it went", asy_units_time(wall_ns).s);
    } else if (count == 0) {
        asy_words_add(head, "the program took %s; no function has a part in it", asy_units_time(wall_ns).s);
    } else if (asy_analysis_measure(&a->own[top[0]], out->by) * 4 < out->base_ns) {
        add_nobody(a, out, top, count, head);
    } else {
        out->func = top[0];
        st = add_dominant(a, out, head, made_of);
    }
    if (st == ASY_OK && count > 0) {
        st = add_awaited(a, wall_ns, head);
    }
    return st != ASY_OK ? st : head->failed || made_of->failed ? ASY_ENOMEM : ASY_OK;
}
