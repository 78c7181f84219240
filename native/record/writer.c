// writer.c: what happened in a session, buffered into blocks.
// Blocks are flushed in the order of their types, so that what a row refers to stands before it. A row that
// contradicts what was said before is refused (ASY_EINVAL) and leaves nothing behind: a reader accepts what this writes.
#include "record/writer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "record/buffer.h"
#include "record/columns.h"
#include "record/format.h"
#include "record/sink.h"
#include "record/text.h"
#include "record/varint.h"

#define ROWS_BYTES (256u << 10) // rows of one type are flushed when they are this many

struct asy_writer {
    asy_status status; // the first failure
    bool begun, ended;
    asy_sink sink;
    asy_buffer row;                   // the row being made
    asy_buffer raw;                   // the block of columns being made
    asy_buffer rows[ASY_BLOCK_TYPES]; // of the types without columns
    asy_columns nodes, counts;
    uint32_t process_count, thread_count, func_count;
    uint32_t *node_count; // owned: per thread
    size_t thread_cap;
};

asy_status
asy_writer_new(int fd, asy_writer **out)
{
    asy_writer *w = calloc(1, sizeof *w);
    asy_status st;

    *out = NULL;
    if (w == NULL) {
        return ASY_ENOMEM;
    }
    asy_columns_init(&w->nodes, ASY_NODES_COLUMNS, 5);
    asy_columns_init(&w->counts, ASY_COUNTS_COLUMNS, ASY_VARINT_BYTES);
    st = asy_sink_init(&w->sink, fd);
    if (st != ASY_OK) {
        asy_writer_free(w);
        return st;
    }
    *out = w;
    return ASY_OK;
}

void
asy_writer_free(asy_writer *w)
{
    if (w == NULL) {
        return;
    }
    asy_sink_free(&w->sink);
    asy_buffer_free(&w->row);
    asy_buffer_free(&w->raw);
    for (int i = 0; i < ASY_BLOCK_TYPES; i++) {
        asy_buffer_free(&w->rows[i]);
    }
    asy_columns_free(&w->nodes);
    asy_columns_free(&w->counts);
    free(w->node_count);
    free(w);
}

const void *
asy_writer_bytes(asy_writer *w, size_t *len)
{
    *len = w->sink.memory.len;
    return w->sink.memory.data;
}

asy_status
asy_writer_status(const asy_writer *w)
{
    return w->status;
}

void
asy_writer_outlive(asy_writer *w)
{
    asy_sink_outlive(&w->sink);
}

asy_status
asy_writer_file_status(const asy_writer *w)
{
    return w->sink.file_status;
}

// Remember the first failure.
static asy_status
failed(asy_writer *w, asy_status st)
{
    if (st != ASY_OK && w->status == ASY_OK) {
        w->status = st;
    }
    return st;
}

// What every call asks first.
static asy_status
ready(const asy_writer *w)
{
    return w->status != ASY_OK ? w->status : w->ended ? ASY_EINVAL : ASY_OK;
}

// ---- blocks ----

static asy_status
flush_rows(asy_writer *w, uint32_t type)
{
    asy_buffer *b = &w->rows[type];
    asy_status st = ASY_OK;

    if (b->len > 0) {
        st = asy_sink_write(&w->sink, type, b->data, b->len);
        b->len = 0;
    }
    return st;
}

static asy_status
flush_columns(asy_writer *w, uint32_t type, asy_columns *c)
{
    asy_status st;

    if (c->rows == 0) {
        return ASY_OK;
    }
    w->raw.len = 0;
    st = asy_columns_take(c, &w->raw);
    return st == ASY_OK ? asy_sink_write(&w->sink, type, w->raw.data, w->raw.len) : st;
}

// Everything buffered of the types up to `last`.
static asy_status
flush_to(asy_writer *w, uint32_t last)
{
    asy_status st = ASY_OK;

    for (uint32_t type = ASY_BLOCK_SESSION; type <= last && st == ASY_OK; type++) {
        if (type == ASY_BLOCK_NODES) {
            st = flush_columns(w, type, &w->nodes);
        } else if (type == ASY_BLOCK_COUNTS) {
            st = flush_columns(w, type, &w->counts);
        } else {
            st = flush_rows(w, type);
        }
    }
    return failed(w, st);
}

asy_status
asy_writer_flush(asy_writer *w)
{
    asy_status st = w->status != ASY_OK ? w->status : flush_to(w, ASY_BLOCK_LOSSES);

    if (st == ASY_OK) {
        asy_sink_mark(&w->sink);
    }
    return st;
}

// ---- rows ----

// Room in the row for `n` numbers and `text_bytes`, so that the puts below cannot fail.
static asy_status
begin_row(asy_writer *w, size_t n, size_t text_bytes)
{
    w->row.len = 0;
    return asy_buffer_reserve(&w->row, n * ASY_VARINT_BYTES + text_bytes);
}

static void
put(asy_writer *w, uint64_t v)
{
    w->row.len = (size_t)(asy_varint_put(w->row.data + w->row.len, v) - w->row.data);
}

static void
put_value(asy_writer *w, uint64_t v)
{
    put(w, v < ASY_FORMAT_VALUE_MAX ? v : ASY_FORMAT_VALUE_MAX);
}

static asy_text
text_of(const char *s)
{
    size_t n = s == NULL ? 0 : strlen(s);

    return (asy_text){n == 0 ? "" : s, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
}

// Bytes of a text in a row, its length apart.
static size_t
text_bytes(asy_text t)
{
    return t.len < ASY_FORMAT_TEXT_MAX ? t.len : ASY_FORMAT_TEXT_MAX;
}

static void
put_text(asy_writer *w, asy_text t, uint32_t max)
{
    uint32_t keep = asy_text_cut(t, max);
    uint32_t more = keep < t.len ? (uint32_t)(sizeof ASY_TEXT_ELLIPSIS - 1) : 0;
    asy_buffer *row = &w->row;

    put(w, keep + more);
    if (keep > 0) {
        memcpy(row->data + row->len, t.bytes, keep);
    }
    memcpy(row->data + row->len + keep, ASY_TEXT_ELLIPSIS, more);
    row->len += keep + more;
}

static void
put_losses(asy_writer *w, const uint64_t *losses)
{
    unsigned n = ASY_LOSS_COUNT;

    while (n > 0 && losses[n - 1] == 0) {
        n--;
    }
    put(w, n);
    for (unsigned i = 0; i < n; i++) {
        put_value(w, losses[i]);
    }
}

// The row goes to the block of its type.
static asy_status
end_row(asy_writer *w, uint32_t type)
{
    asy_buffer *b = &w->rows[type];
    asy_status st = asy_buffer_reserve(b, ASY_VARINT_BYTES + w->row.len);

    if (st != ASY_OK) {
        return failed(w, st);
    }
    b->len = (size_t)(asy_varint_put(b->data + b->len, w->row.len) - b->data);
    (void)asy_buffer_append(b, w->row.data, w->row.len); // reserved above
    return b->len >= ROWS_BYTES ? flush_to(w, type) : ASY_OK;
}

asy_status
asy_write_session_begin(asy_writer *w, const asy_write_session *s)
{
    asy_text texts[] = {text_of(s->command), text_of(s->directory), text_of(s->script), text_of(s->assay_version)};
    asy_status st = ready(w);

    if (st != ASY_OK || w->begun) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = begin_row(w, 5, text_bytes(texts[0]) + text_bytes(texts[1]) + text_bytes(texts[2]) + text_bytes(texts[3]));
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put(w, s->start_unix_ns);
    for (int i = 0; i < 4; i++) {
        put_text(w, texts[i], ASY_FORMAT_TEXT_MAX);
    }
    st = end_row(w, ASY_BLOCK_SESSION);
    w->begun = st == ASY_OK;
    return st == ASY_OK ? flush_to(w, ASY_BLOCK_SESSION) : st;
}

static void
put_process(asy_writer *w, const asy_write_process *p)
{
    put(w, p->id);
    put(w, p->pid);
    put(w, p->parent_pid);
    put(w, p->image);
    put_value(w, p->start_ns);
    put_value(w, p->end_ns);
    put(w, p->python_version);
    put(w, p->flags);
    put(w, (uint32_t)(p->main_thread + 1u)); // none is 0
    put(w, p->program_node);
    put_value(w, p->program_ns);
    put_value(w, p->program_end_ns);
    put(w, (unsigned)p->exited);
    put(w, asy_varint_zigzag(p->status));
    put_value(w, p->cost_py_in_ps);
    put_value(w, p->cost_py_out_ps);
    put_value(w, p->cost_c_in_ps);
    put_value(w, p->cost_c_out_ps);
    put_value(w, p->resident_bytes);
    put_losses(w, p->losses);
    put_text(w, p->executable, ASY_FORMAT_TEXT_MAX);
    put_text(w, p->cwd, ASY_FORMAT_TEXT_MAX);
    put_text(w, p->command, ASY_FORMAT_TEXT_MAX);
    if (p->merged > 1) {
        put_value(w, p->merged);
    }
}

asy_status
asy_write_process_row(asy_writer *w, const asy_write_process *p)
{
    asy_status st = ready(w);

    if (st != ASY_OK || p->id > w->process_count || p->exited < 0 || p->exited > 2) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = begin_row(w, 25 + ASY_LOSS_COUNT, text_bytes(p->executable) + text_bytes(p->cwd) + text_bytes(p->command));
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put_process(w, p);
    w->process_count += p->id == w->process_count;
    return end_row(w, ASY_BLOCK_PROCESSES);
}

// Room for a node count of one more thread.
static asy_status
more_threads(asy_writer *w)
{
    size_t cap = w->thread_cap == 0 ? 64 : w->thread_cap * 2;
    uint32_t *grown;

    if (w->thread_count < w->thread_cap) {
        return ASY_OK;
    }
    grown = realloc(w->node_count, cap * sizeof *grown);
    if (grown == NULL) {
        return ASY_ENOMEM;
    }
    w->node_count = grown;
    w->thread_cap = cap;
    return ASY_OK;
}

asy_status
asy_write_thread_row(asy_writer *w, const asy_write_thread *t)
{
    asy_status st = ready(w);

    if (st != ASY_OK || t->id > w->thread_count || t->process >= w->process_count) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = more_threads(w);
    if (st == ASY_OK) {
        st = begin_row(w, 13, text_bytes(t->name));
    }
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put(w, t->id);
    put(w, t->process);
    put(w, t->serial);
    put(w, t->native_id);
    put_value(w, t->start_ns);
    put_value(w, t->end_ns);
    put_value(w, t->cpu_ns);
    put(w, t->flags);
    put_value(w, t->merged);
    put(w, t->ended != 0);
    put_value(w, t->overhead_ns);
    put_value(w, t->overhead_events);
    put_text(w, t->name, ASY_FORMAT_TEXT_MAX);
    if (t->id == w->thread_count) {
        w->node_count[w->thread_count++] = 0;
    }
    return end_row(w, ASY_BLOCK_THREADS);
}

asy_status
asy_write_func(asy_writer *w, uint32_t id, const asy_symbol *head, const asy_text *strings)
{
    asy_status st = ready(w);

    if (st != ASY_OK || id != w->func_count || id == UINT32_MAX || head->count > ASY_SYMBOL_STRINGS ||
        head->kind == ASY_NODE_ROOT || head->kind >= ASY_NODE_KINDS ||
        (head->kind == ASY_NODE_TAG && head->count % 2 != 0)) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = begin_row(w, 5 + head->count, (size_t)head->count * ASY_SYMBOL_STRING_MAX);
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put(w, id);
    put(w, head->kind);
    put(w, head->flags);
    put(w, head->line);
    put(w, head->count);
    for (unsigned i = 0; i < head->count; i++) {
        put_text(w, strings[i], ASY_SYMBOL_STRING_MAX);
    }
    w->func_count++;
    return end_row(w, ASY_BLOCK_FUNCS);
}

asy_status
asy_write_note(asy_writer *w, const char *sentence)
{
    asy_text t = text_of(sentence);
    asy_status st = ready(w);

    if (st != ASY_OK) {
        return st;
    }
    st = begin_row(w, 1, text_bytes(t));
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put_text(w, t, ASY_FORMAT_TEXT_MAX);
    return end_row(w, ASY_BLOCK_NOTES);
}

asy_status
asy_write_losses(asy_writer *w, const uint64_t losses[ASY_LOSS_COUNT])
{
    asy_status st = ready(w);

    if (st != ASY_OK) {
        return st;
    }
    st = begin_row(w, 1 + ASY_LOSS_COUNT, 0);
    if (st != ASY_OK) {
        return failed(w, st);
    }
    put_losses(w, losses);
    w->rows[ASY_BLOCK_LOSSES].len = 0; // absolute: only the last one is wanted
    return end_row(w, ASY_BLOCK_LOSSES);
}

// ---- columns ----

// A row may be added to `c`: there is room, and a full block is on its way.
static asy_status
ready_columns(asy_writer *w, uint32_t type, asy_columns *c)
{
    asy_status st = c->rows < ASY_COLUMNS_ROWS ? ASY_OK : flush_to(w, type);

    return st == ASY_OK ? failed(w, asy_columns_room(c)) : st;
}

static bool
node_fits(const asy_writer *w, uint32_t thread, uint32_t node, uint32_t parent, uint32_t func, uint32_t kind)
{
    uint32_t base = kind & 0xFFu;

    if (thread >= w->thread_count || node != w->node_count[thread] || node == UINT32_MAX) {
        return false;
    }
    if (node == 0) {
        return parent == 0 && func == UINT32_MAX && base == ASY_NODE_ROOT;
    }
    return parent < node && func < w->func_count && base > ASY_NODE_ROOT && base < ASY_NODE_KINDS;
}

asy_status
asy_write_node(asy_writer *w, uint32_t thread, uint32_t node, uint32_t parent, uint32_t func, uint32_t kind)
{
    asy_columns *c = &w->nodes;
    asy_status st = ready(w);

    if (st != ASY_OK || !node_fits(w, thread, node, parent, func, kind)) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = ready_columns(w, ASY_BLOCK_NODES, c);
    if (st != ASY_OK) {
        return st;
    }
    asy_columns_begin_row(c, thread, node);
    asy_columns_put(c, 2, node - parent);
    asy_columns_put(c, 3, (uint32_t)(func + 1u)); // the root's is 0
    asy_columns_put(c, 4, kind);
    w->node_count[thread]++;
    return ASY_OK;
}

static uint64_t
at_most(uint64_t v, uint64_t max)
{
    return v < max ? v : max;
}

asy_status
asy_write_node_counts(asy_writer *w, uint32_t thread, uint32_t node, const asy_write_counts *c)
{
    asy_columns *to = &w->counts;
    asy_status st = ready(w);
    uint64_t self_ns = at_most(c->self_ns, ASY_FORMAT_VALUE_MAX);

    if (st != ASY_OK || thread >= w->thread_count || node >= w->node_count[thread]) {
        return st != ASY_OK ? st : ASY_EINVAL;
    }
    st = ready_columns(w, ASY_BLOCK_COUNTS, to);
    if (st != ASY_OK) {
        return st;
    }
    asy_columns_begin_row(to, thread, node);
    asy_columns_put(to, 2, at_most(c->calls, ASY_FORMAT_VALUE_MAX));
    asy_columns_put(to, 3, at_most(c->resumes, ASY_FORMAT_VALUE_MAX));
    asy_columns_put(to, 4, at_most(c->unwinds, ASY_FORMAT_VALUE_MAX));
    asy_columns_put(to, 5, self_ns);
    asy_columns_put(to, 6, at_most(c->wait_ns, self_ns)); // a torn snapshot may say more
    asy_columns_put(to, 7, at_most(c->suspended_ns, ASY_FORMAT_VALUE_MAX));
    asy_columns_put(to, 8, c->open);
    return ASY_OK;
}

asy_status
asy_write_session_end(asy_writer *w, uint64_t duration_ns)
{
    asy_status st = ready(w);

    if (st == ASY_OK) {
        st = asy_writer_flush(w);
    }
    if (st == ASY_OK) {
        st = failed(w, begin_row(w, 1, 0));
    }
    if (st != ASY_OK) {
        return st;
    }
    put_value(w, duration_ns);
    st = end_row(w, ASY_BLOCK_END);
    if (st == ASY_OK) {
        st = flush_to(w, ASY_BLOCK_END);
    }
    w->ended = st == ASY_OK;
    return st;
}
