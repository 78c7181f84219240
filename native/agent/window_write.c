// window_write.c: a window's rows as the bytes of a recording.
#include "agent/window.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"
#include "record/writer.h"

#define NONE UINT32_MAX

typedef struct {
    const asy_window *w;
    asy_writer *out;
    asy_clock_scale scale;
    uint32_t *ids; // owned: function of the process → function of the recording, NONE = not yet
    uint32_t known, next;
    const asy_text *labels; // borrowed: of the scope
    uint32_t label_count;
    char *command; // owned
} writing;

static uint64_t
span_ns(const writing *x, uint64_t ticks)
{
    return asy_clock_span_ns(&x->scale, ticks);
}

// Since the window began; 0 for what was before.
static uint64_t
moment_ns(const writing *x, uint64_t ticks)
{
    return ticks > x->w->begin.ticks ? span_ns(x, ticks - x->w->begin.ticks) : 0;
}

// 1/1024 tick → ps.
static uint64_t
cost_ps(const writing *x, uint64_t cost)
{
    return (uint64_t)((unsigned __int128)cost * x->scale.ns_num * 1000 / x->scale.ns_den / 1024);
}

// ---- the process ----

static asy_status
write_session(writing *x)
{
    char cwd[4096];
    asy_write_session s = {x->w->start_unix_ns, "", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "", "", ASY_VERSION};

    return asy_write_session_begin(x->out, &s);
}

// Arguments joined for people. Owned, or NULL.
static char *
join(const asy_text *strings, uint32_t count)
{
    size_t room = 1;
    char *text, *to;

    for (uint32_t i = 0; i < count; i++) {
        room += strings[i].len + 1u;
    }
    text = to = malloc(room);
    for (uint32_t i = 0; text != NULL && i < count; i++) {
        if (i > 0) {
            *to++ = ' ';
        }
        memcpy(to, strings[i].bytes, strings[i].len);
        to += strings[i].len;
    }
    if (text != NULL) {
        *to = 0;
    }
    return text;
}

static asy_status
write_process(writing *x, uint32_t main_thread)
{
    const asy_proc *from = asy_the_agent.proc;
    const asy_symbol *record = asy_log_process();
    asy_text strings[ASY_SYMBOL_STRINGS] = {{"", 0}, {"", 0}};
    asy_symbol head = {0};
    asy_write_process p = {
        .pid = from->pid,
        .parent_pid = (uint64_t)getppid(),
        .image = from->image,
        .end_ns = moment_ns(x, x->w->end.ticks),
        .python_version = from->python_version,
        .flags = from->flags,
        .main_thread = main_thread,
        .cost_py_in_ps = cost_ps(x, from->cost_py_in),
        .cost_py_out_ps = cost_ps(x, from->cost_py_out),
        .cost_c_in_ps = cost_ps(x, from->cost_c_in),
        .cost_c_out_ps = cost_ps(x, from->cost_c_out),
        .resident_bytes = from->resident_bytes,
    };

    if (record != NULL && asy_symbol_read(record, record->bytes, &head, strings) == ASY_OK && head.count > 2) {
        free(x->command);
        x->command = join(strings + 2, head.count - 2u);
    }
    p.executable = strings[0];
    p.cwd = strings[1];
    p.command = x->command != NULL ? (asy_text){x->command, (uint32_t)strlen(x->command)} : (asy_text){"", 0};
    memcpy(p.losses, x->w->losses, sizeof(p.losses));
    return asy_write_process_row(x->out, &p);
}

// ---- functions ----

static asy_status
write_nameless(writing *x, uint32_t id, uint32_t kind)
{
    asy_text strings[3] = {{"?", 1}, {"?", 1}, {"", 0}};
    asy_symbol head = {.bytes = asy_symbol_size(strings, 3), .kind = (uint16_t)(kind & 0xffu), .count = 3};

    if (head.kind == ASY_NODE_TAG) {
        head.count = 0;
    }
    return asy_write_func(x->out, id, &head, strings);
}

static asy_status
write_labels(writing *x, uint32_t id)
{
    asy_symbol head = {
        .bytes = asy_symbol_size(x->labels, x->label_count), .kind = ASY_NODE_TAG, .count = (uint16_t)x->label_count};

    return asy_write_func(x->out, id, &head, x->labels);
}

static asy_status
func_id(writing *x, const asy_window_node *n, uint32_t *id)
{
    asy_text strings[ASY_SYMBOL_STRINGS];
    asy_symbol head;
    const asy_symbol *record;

    if (n->func < x->known && x->ids[n->func] != NONE) {
        *id = x->ids[n->func];
        return ASY_OK;
    }
    *id = x->next++;
    if (n->func < x->known) {
        x->ids[n->func] = *id;
    }
    if (n->func == x->w->scope && x->label_count > 0) {
        return write_labels(x, *id);
    }
    record = asy_log_find(n->func);
    if (record == NULL || asy_symbol_read(record, record->bytes, &head, strings) != ASY_OK) {
        return write_nameless(x, *id, n->kind);
    }
    return asy_write_func(x->out, *id, &head, strings);
}

// ---- threads ----

static asy_status
write_nodes(writing *x, uint32_t thread, const asy_window_row *row)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < row->count && st == ASY_OK; i++) {
        const asy_window_node *n = &row->nodes[i];
        asy_write_counts c = {n->n.calls,
                              n->n.resumes,
                              n->n.unwinds,
                              span_ns(x, n->n.self_ticks),
                              span_ns(x, n->n.wait_ticks < n->n.self_ticks ? n->n.wait_ticks : n->n.self_ticks),
                              span_ns(x, n->n.suspended_ticks),
                              n->open};
        uint32_t func = NONE;
        if (i > 0) {
            st = func_id(x, n, &func);
        }
        if (st == ASY_OK) {
            st = asy_write_node(x->out, thread, i, n->parent, func, i > 0 ? n->kind : (uint32_t)ASY_NODE_ROOT);
        }
        if (st == ASY_OK) {
            st = asy_write_node_counts(x->out, thread, i, &c);
        }
    }
    return st;
}

static asy_status
write_row(writing *x, uint32_t id, const asy_window_row *row)
{
    asy_write_thread t = {
        .id = id,
        .serial = row->serial,
        .native_id = row->native_id,
        .start_ns = moment_ns(x, row->start_ticks),
        .end_ns = moment_ns(x, row->end_ticks),
        .cpu_ns = row->cpu_ns,
        .flags = row->flags,
        .merged = row->merged,
        .overhead_ns = span_ns(x, row->overhead_ticks),
        .overhead_events = row->overhead_events,
        .ended = row->ended,
        .name = {row->name, row->name_bytes},
    };
    asy_status st = asy_write_thread_row(x->out, &t);

    return st == ASY_OK ? write_nodes(x, id, row) : st;
}

static asy_status
write_all(writing *x)
{
    asy_status st = write_session(x);
    uint32_t id = 0, main_thread = NONE;

    for (const asy_window_row *row = x->w->rows; row != NULL; row = row->next, id++) {
        if ((row->flags & ASY_THREAD_F_MAIN) != 0) {
            main_thread = id;
        }
    }
    if (st == ASY_OK) {
        st = write_process(x, main_thread);
    }
    id = 0;
    for (const asy_window_row *row = x->w->rows; row != NULL && st == ASY_OK; row = row->next) {
        st = write_row(x, id++, row);
    }
    return st == ASY_OK ? asy_write_session_end(x->out, moment_ns(x, x->w->end.ticks)) : st;
}

asy_status
asy_window_write(const asy_window *w, const asy_text *labels, uint32_t label_count, void **bytes, size_t *len)
{
    const asy_agent *a = &asy_the_agent;
    writing x = {.w = w,
                 .labels = labels,
                 .label_count = label_count,
                 .known = (uint32_t)__atomic_load_n(&a->proc->next_func, __ATOMIC_ACQUIRE)};
    asy_status st;
    const void *made;

    *bytes = NULL;
    // from the engine's beginning: a window may be too short to tell how long a tick is
    x.scale = asy_clock_scale_make(a->clock, a->begin, w->end);
    x.ids = malloc(x.known * sizeof(*x.ids));
    st = x.ids != NULL ? asy_writer_new(-1, &x.out) : ASY_ENOMEM;
    if (st == ASY_OK) {
        memset(x.ids, 0xff, x.known * sizeof(*x.ids));
        st = write_all(&x);
    }
    if (st == ASY_OK) {
        made = asy_writer_bytes(x.out, len);
        *bytes = made != NULL ? malloc(*len) : NULL;
        st = *bytes != NULL ? ASY_OK : ASY_ENOMEM;
    }
    if (st == ASY_OK) {
        memcpy(*bytes, made, *len);
    }
    if (x.out != NULL) {
        asy_writer_free(x.out);
    }
    free(x.ids);
    free(x.command);
    return st;
}
