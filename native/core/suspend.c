// suspend.c: the table of suspended frames.
// A row is filled before its key is stored with release; whoever wins the compare-and-swap of the key owns the row.
#include "core/suspend.h"

#include <string.h>

#define FILLING 1u

static asy_suspend_row *
set_of(const asy_suspend *s, uint64_t frame)
{
    uint64_t h = (frame >> 4) * 0x9E3779B97F4A7C15ULL;

    return &s->rows[((h >> 40) & (s->sets - 1)) * ASY_SUSPEND_WAYS];
}

static bool
row_claim(asy_suspend_row *row, uint64_t expected)
{
    return __atomic_compare_exchange_n(&row->frame, &expected, FILLING, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Read by whoever looks for the oldest row, its owner or not.
static uint64_t
ticks_of(const asy_suspend_row *row)
{
    return __atomic_load_n(&row->ticks, __ATOMIC_RELAXED);
}

// A row for this frame: its own stale one, a free one, or the oldest, which is then lost (*evicted).
static asy_suspend_row *
row_take(asy_suspend_row *set, uint64_t frame, bool *evicted)
{
    asy_suspend_row *oldest = NULL;

    for (uint32_t i = 0; i < ASY_SUSPEND_WAYS; i++) {
        if (__atomic_load_n(&set[i].frame, __ATOMIC_RELAXED) == frame && row_claim(&set[i], frame)) {
            return &set[i];
        }
    }
    for (uint32_t i = 0; i < ASY_SUSPEND_WAYS; i++) {
        uint64_t key = __atomic_load_n(&set[i].frame, __ATOMIC_RELAXED);
        if (key == 0 && row_claim(&set[i], 0)) {
            return &set[i];
        }
        if (key > FILLING && (oldest == NULL || ticks_of(&set[i]) < ticks_of(oldest))) {
            oldest = &set[i];
        }
    }
    *evicted = true;
    if (oldest != NULL) {
        uint64_t key = __atomic_load_n(&oldest->frame, __ATOMIC_RELAXED);
        if (key > FILLING && row_claim(oldest, key)) {
            return oldest;
        }
    }
    return NULL;
}

bool
asy_suspend_yield(asy_suspend *s, asy_tree *t, uint64_t token, uint64_t frame, uint64_t now)
{
    asy_frame tags[ASY_SUSPEND_TAGS];
    uint32_t count;
    bool evicted = false, seen = asy_tree_yield(t, token, tags, ASY_SUSPEND_TAGS, &count, now);
    asy_suspend_row *row = row_take(set_of(s, frame), frame, &evicted);

    if (evicted) {
        t->store.lose(t->store.ctx, ASY_LOSS_SUSPENSIONS, 1);
    }
    if (row == NULL) {
        return seen;
    }
    __atomic_store_n(&row->ticks, now, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < ASY_SUSPEND_TAGS; i++) {
        row->tags[i].token = i < count ? tags[i].token : 0;
        row->tags[i].func = i < count ? asy_tree_node(t, tags[i].node)->func : 0;
    }
    __atomic_store_n(&row->frame, frame, __ATOMIC_RELEASE);
    return seen;
}

void
asy_suspend_resume(asy_suspend *s, asy_tree *t, uint32_t node, uint64_t token, uint64_t frame, uint64_t now)
{
    asy_suspend_row *set = set_of(s, frame);
    asy_suspend_row row = {0};

    for (uint32_t i = 0; i < ASY_SUSPEND_WAYS; i++) {
        if (__atomic_load_n(&set[i].frame, __ATOMIC_ACQUIRE) == frame && row_claim(&set[i], frame)) {
            row.frame = frame; // the row's own word is still looked at by others
            row.ticks = ticks_of(&set[i]);
            memcpy(row.tags, set[i].tags, sizeof(row.tags));
            __atomic_store_n(&set[i].frame, 0, __ATOMIC_RELEASE);
            break;
        }
    }
    if (row.ticks < s->since) {
        row = (asy_suspend_row){0};
    }
    asy_tree_resume(t, node, token, ASY_NODE_PY, row.frame != 0 && now > row.ticks ? now - row.ticks : 0, now);
    for (uint32_t i = 0; i < ASY_SUSPEND_TAGS && row.tags[i].func != 0; i++) {
        bool made = false;
        uint32_t tag = asy_tree_child(t, row.tags[i].func, ASY_NODE_TAG, &made);
        asy_tree_push(t, row.tags[i].token, tag, ASY_NODE_TAG);
    }
}

bool
asy_suspend_has(const asy_suspend *s, uint64_t frame)
{
    const asy_suspend_row *set = set_of(s, frame);

    for (uint32_t i = 0; i < ASY_SUSPEND_WAYS; i++) {
        if (__atomic_load_n(&set[i].frame, __ATOMIC_ACQUIRE) == frame) {
            return ticks_of(&set[i]) >= s->since;
        }
    }
    return false;
}
