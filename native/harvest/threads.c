// threads.c: nodes and counts of one thread, from its chunks to its model and to the writer.
// Limits of what is taken come from words that were read before the symbols were (asy_threads_mark), so that names are there
// before the nodes that use them. Nodes never exceed what the thread's chunks can hold.
#include "harvest/model.h"

#include <stdlib.h>
#include <string.h>

#define NODES_PER_CHUNK (2 * ASY_NODE_PART)
#define FRAMES_PER_CHUNK (4 * ASY_STACK_PART)
#define NS_MAX (1ull << 60) // 36 years: more is nonsense
#define COUNTED_MAX (1ull << 61)
#define COUNTED_NS_MAX (1ull << 61) // 26,000 days of threads
#define KIND_FLAGS (ASY_NODE_F_INHERITED | ASY_NODE_F_FOLDED)

// ---- which chunks ----

static asy_status
piece_add(asy_model_pieces *p, uint32_t ordinal, uint32_t chunk, bool *accepted)
{
    uint32_t i = p->count;

    while (i > 0 && p->at[i - 1].ordinal >= ordinal) {
        i--;
    }
    if (i < p->count && p->at[i].ordinal == ordinal) {
        return ASY_OK; // two of one number: the first stays
    }
    if (p->count == p->room) {
        uint32_t room = p->room == 0 ? 4 : p->room * 2;
        asy_model_piece *bigger = realloc(p->at, room * sizeof(*bigger));

        if (bigger == NULL) {
            return ASY_ENOMEM;
        }
        p->at = bigger;
        p->room = room;
    }
    memmove(p->at + i + 1, p->at + i, (p->count - i) * sizeof(*p->at));
    p->at[i] = (asy_model_piece){ordinal, chunk};
    p->count++;
    *accepted = true;
    return ASY_OK;
}

static asy_status
thread_new(asy_harvest *h, asy_model_process *p, uint64_t serial, asy_model_thread **out)
{
    asy_model_thread *t;
    asy_status st;

    if (h->thread_count == h->thread_room) {
        uint32_t room = h->thread_room == 0 ? 64 : h->thread_room * 2;
        asy_model_thread **bigger = (asy_model_thread **)realloc((void *)h->threads, room * sizeof(void *));

        if (bigger == NULL) {
            return ASY_ENOMEM;
        }
        h->threads = bigger;
        h->thread_room = room;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return ASY_ENOMEM;
    }
    st = asy_map_put(&p->threads, serial + 1, (uint64_t)(uintptr_t)t);
    if (st != ASY_OK) {
        free(t);
        return st;
    }
    t->process = p;
    t->serial = serial;
    t->place = h->thread_count;
    t->chunk = ASY_NONE;
    t->id = ASY_NONE;
    h->threads[h->thread_count++] = t;
    *out = t;
    return ASY_OK;
}

asy_status
asy_threads_link(asy_harvest *h, asy_model_process *p, uint64_t serial, uint32_t chunk, uint32_t kind, uint32_t ordinal,
                 bool *accepted)
{
    asy_model_thread *t;
    uint64_t known;
    asy_status st;

    if (kind == ASY_KIND_SYMS) {
        *accepted = true; // belongs to the process; its thread need not be known
        return ASY_OK;
    }
    if (asy_map_get(&p->threads, serial + 1, &known)) {
        t = (asy_model_thread *)(uintptr_t)known;
    } else {
        st = thread_new(h, p, serial, &t);
        if (st != ASY_OK) {
            return st;
        }
    }
    if (kind == ASY_KIND_THREAD) {
        *accepted = t->chunk == ASY_NONE;
        if (*accepted) {
            t->chunk = chunk;
            h->totals.threads_seen++;
        }
        return ASY_OK;
    }
    return piece_add(kind == ASY_KIND_NODES ? &t->node_pieces : &t->stack_pieces, ordinal, chunk, accepted);
}

// Chunk `k` of a kind, or NULL where one before it is missing.
static const uint8_t *
piece_data(asy_harvest *h, const asy_model_pieces *p, uint64_t k)
{
    return k < p->count && p->at[k].ordinal == k ? asy_arena_data(h->arena, p->at[k].chunk) : NULL;
}

const asy_thread *
asy_threads_page(asy_harvest *h, const asy_model_thread *t)
{
    return t->chunk == ASY_NONE ? NULL : asy_arena_data(h->arena, t->chunk);
}

static const asy_node *
node_at(asy_harvest *h, const asy_model_thread *t, uint32_t id)
{
    const uint8_t *data;

    if (id < ASY_NODE_PART) {
        data = (const uint8_t *)asy_threads_page(h, t);
        return data == NULL ? NULL : (const asy_node *)(const void *)(data + ASY_THREAD_NODES_OFF) + id;
    }
    data = piece_data(h, &t->node_pieces, (id - ASY_NODE_PART) / NODES_PER_CHUNK);
    return data == NULL ? NULL : (const asy_node *)(const void *)data + (id - ASY_NODE_PART) % NODES_PER_CHUNK;
}

const asy_frame *
asy_threads_frame(asy_harvest *h, const asy_model_thread *t, uint64_t depth)
{
    const uint8_t *data;

    if (depth < ASY_STACK_PART) {
        data = (const uint8_t *)asy_threads_page(h, t);
        return data == NULL ? NULL : (const asy_frame *)(const void *)(data + ASY_THREAD_STACK_OFF) + depth;
    }
    data = piece_data(h, &t->stack_pieces, (depth - ASY_STACK_PART) / FRAMES_PER_CHUNK);
    return data == NULL ? NULL : (const asy_frame *)(const void *)data + (depth - ASY_STACK_PART) % FRAMES_PER_CHUNK;
}

void
asy_threads_mark(asy_harvest *h, asy_model_thread *t, bool count)
{
    const asy_thread *page;

    if (t->chunk == ASY_NONE) {
        return;
    }
    if (!t->ended) {
        uint64_t state = __atomic_load_n(&h->arena->chunks[t->chunk].state, __ATOMIC_ACQUIRE);

        t->ended = (state & 0xff) == ASY_CHUNK_ENDED;
    }
    page = t->ended || count ? asy_threads_page(h, t) : NULL;
    if (page != NULL) {
        uint64_t n = __atomic_load_n(&page->node_count, __ATOMIC_ACQUIRE);
        uint64_t most = ASY_NODE_PART + (uint64_t)ASY_NODE_PART * (ASY_NODE_PARTS - 1);

        t->limit = n < most ? (uint32_t)n : (uint32_t)most;
    }
}

// ---- nodes ----

static asy_status
reserve_nodes(asy_model_thread *t, uint32_t want)
{
    uint32_t room = t->node_room == 0 ? 64 : t->node_room;
    asy_model_node *nodes;
    uint32_t *open;

    if (want <= t->node_room) {
        return ASY_OK;
    }
    while (room < want) {
        room *= 2;
    }
    nodes = realloc(t->nodes, room * sizeof(*nodes));
    if (nodes == NULL) {
        return ASY_ENOMEM;
    }
    t->nodes = nodes;
    open = realloc(t->open, room * sizeof(*open));
    if (open == NULL) {
        return ASY_ENOMEM;
    }
    t->open = open;
    memset(open + t->node_room, 0, (room - t->node_room) * sizeof(*open));
    t->node_room = room;
    return ASY_OK;
}

// A node's identity, checked; false where the writer wrote nonsense. `func` is still the process's.
static bool
read_identity(asy_harvest *h, const asy_model_thread *t, uint32_t id, asy_model_node *out)
{
    const asy_node *n = node_at(h, t, id);

    if (n == NULL) {
        return false;
    }
    *out = (asy_model_node){
        .parent = asy_word_load32(&n->parent),
        .func = asy_word_load32(&n->func),
        .kind = asy_word_load32(&n->kind),
    };
    if (id == 0) {
        *out = (asy_model_node){.func = ASY_NONE, .kind = ASY_NODE_ROOT};
        return true;
    }
    return out->parent < id && (out->kind & ~KIND_FLAGS) > ASY_NODE_ROOT && (out->kind & ~KIND_FLAGS) < ASY_NODE_KINDS;
}

// Take over nodes up to the limit. A node whose function has no name yet holds back the rest: until the next take, then it
// gets the name "?".
static asy_status
take_nodes(asy_harvest *h, asy_model_thread *t, bool last)
{
    asy_status st = reserve_nodes(t, t->limit < NODES_PER_CHUNK ? t->limit : t->node_count + 1);
    asy_model_node n;

    for (uint32_t id = t->node_count; id < t->limit && st == ASY_OK && !t->damaged; id++) {
        if (!read_identity(h, t, id, &n)) {
            t->damaged = true;
            h->totals.damaged_chunks++;
            break;
        }
        if (id > 0 && !asy_image_func(t->process->image, n.func, &n.func)) {
            if (!t->waited && !last) {
                t->waited = true;
                return ASY_OK;
            }
            st = asy_symbols_invent(h, t->process, n.func, &n.func);
        }
        if (st == ASY_OK) {
            st = reserve_nodes(t, id + 1);
        }
        if (st == ASY_OK) {
            t->nodes[id] = n;
            t->node_count = id + 1;
            h->totals.nodes++;
            t->waited = false;
        }
    }
    return st;
}

// ---- counts ----

static bool
same_counts(const asy_model_node *a, const asy_model_node *b)
{
    return memcmp(&a->open, &b->open, sizeof(*a) - offsetof(asy_model_node, open)) == 0;
}

// More than this no thread can have spent or counted: an event takes at least a tick.
static uint64_t
most_ticks(const asy_harvest *h)
{
    return 2 * (h->now.ticks - h->begin.ticks) + (1ull << 33);
}

// 128 bits: where a tick is less than an eighth of a ns, 64 do not hold the most.
static unsigned __int128
most_ticks_together(const asy_harvest *h)
{
    return (unsigned __int128)COUNTED_NS_MAX * h->scale.ns_den / h->scale.ns_num;
}

// Counts that can be: each within the session's length, all together within what a reader can add up.
static bool
plausible(asy_harvest *h, const asy_model_node *n, const asy_model_node *was)
{
    uint64_t most = most_ticks(h);
    uint64_t sum = h->counted + (n->calls + n->resumes + n->unwinds) - (was->calls + was->resumes + was->unwinds);
    unsigned __int128 ticks = h->counted_ticks + n->self_ticks - was->self_ticks;

    if (n->calls > most || n->resumes > most || n->unwinds > most || n->self_ticks > most || sum > COUNTED_MAX ||
        ticks > most_ticks_together(h)) {
        return false;
    }
    h->counted = sum;
    h->counted_ticks = ticks;
    return true;
}

// Read the counts of node `id` as they stand; true if they differ from what is known.
static bool
take_counts(asy_harvest *h, asy_model_thread *t, uint32_t id, const asy_model_node *extra)
{
    const asy_node *from = node_at(h, t, id);
    asy_model_node was = t->nodes[id];
    asy_model_node n = was;

    if (from != NULL) {
        n.calls = asy_word_load(&from->calls);
        n.resumes = asy_word_load(&from->resumes);
        n.unwinds = asy_word_load(&from->unwinds);
        n.self_ticks = asy_word_load(&from->self_ticks) + extra->self_ticks;
        n.wait_ticks = asy_word_load(&from->wait_ticks) + extra->wait_ticks;
        n.suspended_ticks = asy_word_load(&from->suspended_ticks);
        if (!plausible(h, &n, &was)) {
            h->totals.damaged_chunks += !t->lied;
            t->lied = true;
            n = was;
        }
    }
    n.open = t->open[id];
    t->open[id] = 0;
    t->nodes[id] = n;
    return !same_counts(&n, &was);
}

// ---- rows ----

static asy_write_thread
row_of(asy_harvest *h, asy_model_thread *t, const asy_thread *page, uint64_t until)
{
    uint64_t end = asy_word_load(&page->end_ticks);
    uint64_t cpu_from = asy_word_load(&page->start_cpu_ns);
    uint64_t cpu_to = asy_word_load(t->ended ? &page->end_cpu_ns : &page->cpu_read_ns);
    uint64_t seen = t->ended ? 0 : t->seen_cpu_ns; // by the kernel, perhaps later than by the thread
    uint64_t len = __atomic_load_n(&page->name_bytes, __ATOMIC_ACQUIRE);
    uint64_t overhead = asy_word_load(&page->overhead_ticks);

    cpu_to = seen > cpu_to ? seen : cpu_to;
    len = len < ASY_NAME_BYTES ? len : ASY_NAME_BYTES;
    memcpy(t->name, page->name, len);
    return (asy_write_thread){
        .id = t->id,
        .process = t->process->id,
        .serial = t->serial,
        .native_id = asy_word_load(&page->native_id),
        .start_ns = asy_harvest_ns(h, asy_word_load(&page->start_ticks)),
        .end_ns = asy_harvest_ns(h, t->ended && end != 0 ? end : until),
        .cpu_ns = cpu_to > cpu_from && cpu_to - cpu_from < NS_MAX ? cpu_to - cpu_from : 0,
        .flags = asy_word_load(&page->flags),
        .merged = 1,
        .overhead_ns = asy_clock_span_ns(&h->scale, overhead < most_ticks(h) ? overhead : 0),
        .overhead_events = asy_word_load(&page->overhead_events),
        .ended = t->ended,
        .name = {t->name, (uint32_t)len},
    };
}

static bool
wants_row(const asy_model_thread *t, bool last)
{
    uint32_t rows = t->process->rows;

    if (t->process->id == ASY_NONE) {
        return false; // the process is counted together with others
    }
    return rows < ASY_OWN_ROWS || (rows < ASY_LASTING_ROWS && !t->ended && (t->checkpoints >= 2 || last));
}

static asy_status
write_nodes(asy_harvest *h, asy_model_thread *t)
{
    asy_status st = ASY_OK;

    for (; t->defined < t->node_count && st == ASY_OK; t->defined++) {
        const asy_model_node *n = &t->nodes[t->defined];

        st = asy_write_node(h->writer, t->id, t->defined, n->parent, n->func, n->kind);
    }
    return st;
}

static asy_status
take_all_counts(asy_harvest *h, asy_model_thread *t, const asy_model_node *extra, uint32_t top)
{
    static const asy_model_node none = {0};
    uint32_t defined = t->defined;
    asy_status st = t->id == ASY_NONE ? ASY_OK : write_nodes(h, t);

    for (uint32_t id = 0; id < t->node_count; id++) {
        bool changed = take_counts(h, t, id, id == top ? extra : &none);

        if ((changed || id >= defined) && t->id != ASY_NONE && st == ASY_OK) {
            asy_write_counts c = asy_merge_counts(h, &t->nodes[id]);

            st = asy_write_node_counts(h->writer, t->id, id, &c);
        }
    }
    return st;
}

asy_status
asy_threads_take(asy_harvest *h, asy_model_thread *t, uint64_t until, bool last)
{
    asy_model_node extra = {0};
    const asy_thread *page = asy_threads_page(h, t);
    asy_write_thread row;
    asy_status st;
    uint32_t top;

    if (page == NULL) {
        return ASY_OK;
    }
    until = asy_process_until(h, t->process, until);
    t->checkpoints++;
    st = t->process->id == ASY_NONE ? asy_process_write(h, t->process) : ASY_OK;
    if (st != ASY_OK || (t->id == ASY_NONE && !last && !wants_row(t, last))) {
        return st; // merged when it ends
    }
    st = take_nodes(h, t, last);
    if (st != ASY_OK || t->node_count == 0) {
        return st;
    }
    if (st == ASY_OK && t->id == ASY_NONE && wants_row(t, last)) {
        t->id = h->next_thread++;
        t->process->rows++;
    }
    row = row_of(h, t, page, until);
    if (t->id != ASY_NONE && st == ASY_OK) {
        st = asy_write_thread_row(h->writer, &row);
    }
    t->row = row;
    if ((row.flags & ASY_THREAD_F_MAIN) != 0 && t->id != ASY_NONE) {
        t->process->main_serial = t->serial;
        t->process->main_id = t->id;
        t->process->main_nodes = t->node_count;
    }
    if (st == ASY_OK) {
        asy_open_take(h, t, until, &extra, &top);
        st = take_all_counts(h, t, &extra, top);
    }
    if (st == ASY_OK && last && t->id == ASY_NONE) {
        st = asy_merge_thread(h, t);
    }
    return st;
}

void
asy_threads_drop(asy_harvest *h, asy_model_thread *t)
{
    for (uint32_t i = 0; i < t->node_pieces.count; i++) {
        asy_directory_release(h, t->node_pieces.at[i].chunk);
    }
    for (uint32_t i = 0; i < t->stack_pieces.count; i++) {
        asy_directory_release(h, t->stack_pieces.at[i].chunk);
    }
    if (t->chunk != ASY_NONE) {
        asy_directory_release(h, t->chunk);
    }
    asy_map_remove(&t->process->threads, t->serial + 1);
    h->threads[t->place] = h->threads[--h->thread_count];
    h->threads[t->place]->place = t->place;
    asy_threads_free(t);
}

void
asy_threads_free(asy_model_thread *t)
{
    free(t->node_pieces.at);
    free(t->stack_pieces.at);
    free(t->nodes);
    free(t->open);
    free(t);
}
