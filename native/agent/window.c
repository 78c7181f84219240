// window.c: windows open and close.
#include "agent/window.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/backend.h"
#include "agent/engine.h"
#include "agent/session.h"
#include "core/names.h"

#define OWN_ROWS 256u // ended threads that keep a row of their own

static asy_thread *
page_of(const asy_agent_thread *t)
{
    return t->tree.thread != NULL ? t->tree.thread : t->paused;
}

static uint64_t
unix_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// A thread whose counts are of a measurement that is over, and that begins anew with its next event, has done nothing yet.
static bool
counts(const asy_window *w, const asy_agent_thread *t)
{
    const asy_thread *page = page_of(t);

    return page != NULL && t->epoch >= asy_the_agent.fresh_epoch && (w->thread == 0 || w->thread == page->serial);
}

// All its threads as they stand. With the lock held.
static asy_status
bases_take(asy_window *w, uint64_t now)
{
    uint32_t n = 0;

    for (const asy_agent_thread *t = asy_the_agent.threads; t != NULL; t = t->next) {
        n++;
    }
    w->bases = calloc(n + 1, sizeof(*w->bases));
    if (w->bases == NULL) {
        return ASY_ENOMEM;
    }
    for (asy_agent_thread *t = asy_the_agent.threads; t != NULL; t = t->next) {
        if (!counts(w, t)) {
            continue;
        }
        if (!asy_window_base_take(t, w->scope, now, &w->bases[w->base_count])) {
            return ASY_ENOMEM;
        }
        w->base_count++;
    }
    return ASY_OK;
}

static const asy_window_base *
base_find(const asy_window *w, uint64_t serial)
{
    for (uint32_t i = 0; i < w->base_count; i++) {
        if (w->bases[i].serial == serial) {
            return &w->bases[i];
        }
    }
    return NULL;
}

static void
losses_read(uint64_t out[ASY_LOSS_COUNT])
{
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        out[i] = __atomic_load_n(&asy_the_agent.proc->losses[i], __ATOMIC_RELAXED);
    }
}

// The calling thread is known, its time is charged up to now.
static asy_agent_thread *
self_charge(void)
{
    asy_agent_thread *t;

    asy_thread_try_again();
    t = asy_thread_get(ASY_FIRST_CALLS);
    if (t != NULL) {
        asy_tree_charge(&t->tree, asy_agent_ticks());
    }
    return t;
}

// What looking at the threads took is nobody's time.
static void
self_skip(asy_agent_thread *t)
{
    asy_thread *th = t->tree.thread;
    uint64_t now = asy_agent_ticks();

    if (now > th->last_ticks) {
        asy_word_add(&th->overhead_ticks, now - th->last_ticks);
        asy_word_add(&th->overhead_events, 1);
        asy_word_store(&th->last_ticks, now);
    }
}

// Nobody measured: nobody needs what was counted before, and what this window does not need is left out.
static asy_status
measure_first(asy_agent *a, const asy_window_wish *wish)
{
    asy_thread_pause_all(); // those that the calibration met have never paused
    pthread_mutex_lock(&a->lock);
    a->fresh_epoch = a->windows == NULL ? a->epoch + 1 : a->fresh_epoch;
    pthread_mutex_unlock(&a->lock);
    __atomic_store_n(&a->every_thread, wish->every_thread, __ATOMIC_RELAXED);
    a->c_calls = wish->c_calls || a->tag_follows != 0; // tags are followed by calls of Context.run
    return asy_session_measure(true);
}

// Events on, for what the window is of.
static asy_status
measure(asy_agent *a, const asy_window_wish *wish)
{
    bool more = a->standalone && wish->c_calls && !a->c_calls;

    if (!a->measuring) {
        return a->standalone ? measure_first(a, wish) : ASY_EGONE; // the program's own session is over
    }
    if (!asy_backend_kept() || more) { // open windows have missed something; this one shall not
        asy_session_measure(false);
        __atomic_store_n(&a->every_thread, 1, __ATOMIC_RELAXED); // who asked for it is not known any more
        a->c_calls = a->c_calls || more;
        return asy_session_measure(true);
    }
    if (wish->every_thread) {
        __atomic_store_n(&a->every_thread, 1, __ATOMIC_RELAXED);
    }
    return ASY_OK;
}

asy_status
asy_window_begin(const asy_window_wish *wish, asy_window **out)
{
    asy_agent *a = &asy_the_agent;
    asy_agent_thread *self;
    asy_window *w;
    asy_status st = asy_engine_need();

    *out = NULL;
    w = st == ASY_OK ? calloc(1, sizeof(*w)) : NULL;
    if (w == NULL) {
        return st == ASY_OK ? ASY_ENOMEM : st;
    }
    w->forks = a->forks;
    st = measure(a, wish);
    asy_thread_want();
    losses_read(w->losses); // before a look at this thread, whose hook may be another's
    self = st == ASY_OK ? self_charge() : NULL;
    if (st == ASY_OK && self == NULL) {
        st = ASY_ENOMEM;
    }
    if (st == ASY_OK && wish->only != NULL) {
        w->scope = asy_tag_func(self, wish->only);
        st = w->scope != 0 ? ASY_OK : ASY_ENOMEM;
    }
    if (st == ASY_OK) {
        w->thread = wish->every_thread ? 0 : self->tree.thread->serial;
        pthread_mutex_lock(&a->lock);
        st = bases_take(w, asy_agent_ticks());
        w->next = a->windows;
        a->windows = w;
        pthread_mutex_unlock(&a->lock);
        w->start_unix_ns = unix_ns();
        w->begin = asy_clock_take_pair(a->clock);
        self_skip(self);
    }
    if (st != ASY_OK) {
        asy_cpython_raised raised = asy_cpython_raised_take(); // a signal's handler may be the reason
        asy_window_end(w);
        asy_window_free(w);
        asy_cpython_raised_back(raised);
        return st;
    }
    *out = w;
    return ASY_OK;
}

static void
row_put(asy_window *w, asy_window_row *row)
{
    row->next = w->rows;
    w->rows = row;
    w->row_count++;
}

static void
rows_finish(asy_window *w)
{
    uint64_t now[ASY_LOSS_COUNT];

    for (asy_agent_thread *t = asy_the_agent.threads; t != NULL; t = t->next) {
        asy_thread *page = page_of(t);
        bool failed = false;
        asy_window_row *row =
            counts(w, t) ? asy_window_row_take(t, w->scope, base_find(w, page->serial), w->end.ticks, &failed) : NULL;
        w->lost_rows += failed;
        if (row != NULL) {
            row_put(w, row);
        }
    }
    losses_read(now);
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        w->losses[i] = now[i] - w->losses[i];
    }
    w->losses[ASY_LOSS_CHUNKS] += w->lost_rows;
}

static void
bases_free(asy_window *w)
{
    for (uint32_t i = 0; i < w->base_count; i++) {
        free(w->bases[i].nodes);
        free(w->bases[i].open);
    }
    free(w->bases);
    w->bases = NULL;
    w->base_count = 0;
}

static void
window_close(asy_window *w, bool rows)
{
    asy_agent *a = &asy_the_agent;
    asy_window **link;

    pthread_mutex_lock(&a->lock);
    for (link = &a->windows; *link != NULL && *link != w; link = &(*link)->next) {
    }
    if (*link != NULL) {
        *link = (*link)->next;
        if (rows) {
            rows_finish(w);
        }
    }
    pthread_mutex_unlock(&a->lock);
    bases_free(w);
    if (a->windows == NULL && a->standalone && a->measuring) {
        asy_session_measure(false);
    }
}

void
asy_window_end(asy_window *w)
{
    if (asy_engine_forked() || w->forks != asy_the_agent.forks) {
        w->lost = true;
        return;
    }
    asy_backend_look();
    self_charge();
    w->end = asy_clock_take_pair(asy_the_agent.clock);
    window_close(w, true);
}

void
asy_window_drop(asy_window *w)
{
    if (!asy_engine_forked() && w->forks == asy_the_agent.forks) {
        window_close(w, false);
    }
}

void
asy_window_free(asy_window *w)
{
    if (w == NULL) {
        return;
    }
    bases_free(w);
    asy_window_rows_free(w->rows);
    free(w);
}

static void
rows_put(asy_window_row **rows, asy_window_row *row)
{
    if (row != NULL) {
        row->next = *rows;
        *rows = row;
    }
}

bool
asy_window_look(asy_window *w, asy_window_row **rows)
{
    asy_agent *a = &asy_the_agent;
    bool failed = false;
    uint64_t now;

    *rows = NULL;
    if (asy_engine_forked() || w->forks != a->forks) {
        return true;
    }
    self_charge();
    now = asy_agent_ticks();
    pthread_mutex_lock(&a->lock);
    for (asy_agent_thread *t = a->threads; !failed && t != NULL; t = t->next) {
        if (counts(w, t)) {
            rows_put(rows, asy_window_row_take(t, w->scope, base_find(w, page_of(t)->serial), now, &failed));
        }
    }
    for (const asy_window_row *ended = w->rows; !failed && ended != NULL; ended = ended->next) {
        asy_window_row *copy = asy_window_row_copy(ended);

        failed = copy == NULL;
        rows_put(rows, copy);
    }
    pthread_mutex_unlock(&a->lock);
    if (failed) {
        asy_window_rows_free(*rows);
        *rows = NULL;
    }
    return !failed;
}

// ---- threads that end while windows are open ----

// The row of the merged threads of that name.
static asy_window_row *
row_named(const asy_window *w, const char *name, uint32_t bytes)
{
    for (asy_window_row *r = w->rows; r != NULL; r = r->next) {
        if (r->slots != NULL && r->name_bytes == bytes && memcmp(r->name, name, bytes) == 0) {
            return r;
        }
    }
    return NULL;
}

static void
row_rename(asy_window_row *row, const char *name)
{
    row->name_bytes = (uint32_t)strlen(name);
    memcpy(row->name, name, row->name_bytes);
}

static void
row_add(asy_window *w, asy_window_row *row)
{
    asy_window_row *like;

    if (w->row_count < OWN_ROWS) {
        row_put(w, row);
        return;
    }
    row->name_bytes = asy_names_merged(row->name, row->name_bytes, row->name);
    like = row_named(w, row->name, row->name_bytes);
    if (like == NULL && w->merged_count >= ASY_NAMES_MERGED) {
        row_rename(row, ASY_NAMES_OTHERS);
        like = row_named(w, row->name, row->name_bytes);
    }
    if (like == NULL && asy_window_row_merge(row, NULL)) {
        w->merged_count++;
        row_put(w, row);
        return;
    }
    w->lost_rows += like == NULL || !asy_window_row_merge(like, row);
    asy_window_row_free(row);
}

void
asy_window_thread_ends(asy_agent_thread *t)
{
    asy_thread *page = page_of(t);

    for (asy_window *w = asy_the_agent.windows; w != NULL; w = w->next) {
        bool failed = false;
        asy_window_row *row =
            counts(w, t) ? asy_window_row_take(t, w->scope, base_find(w, page->serial), page->end_ticks, &failed)
                         : NULL;
        w->lost_rows += failed;
        if (row != NULL) {
            row->ended = true;
            row_add(w, row);
        }
    }
}
