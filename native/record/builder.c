// builder.c: events of a recording to the arrays of a profile.
// Memory is bounded by the rows that were read: see "Limits" in docs/format.md.
#include "record/builder.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS 4u // of an array that grows

// Room for one more row behind `count`; the array, moved perhaps. NULL: no memory, the array is as it was.
static void *
grown(void *array, uint32_t *cap, uint32_t count, size_t size)
{
    uint32_t more = *cap == 0 ? FIRST_ROWS : *cap * 2;
    void *to;

    if (count < *cap) {
        return array;
    }
    to = *cap <= UINT32_MAX / 2 ? realloc(array, more * size) : NULL;
    if (to != NULL) {
        *cap = more;
    }
    return to;
}

static asy_status
contradiction(asy_builder *b, const char *why)
{
    b->why = why;
    return ASY_ECORRUPT;
}

static asy_status
keep(asy_builder *b, asy_text t, const char **out)
{
    return asy_text_keep(&b->l->texts, t, out);
}

static asy_status
on_session(void *context, const asy_reader_session *s)
{
    asy_builder *b = context;
    asy_profile *p = &b->l->p;
    asy_status st;

    if (b->session) {
        return contradiction(b, "it begins twice");
    }
    b->session = true;
    p->start_unix_ns = s->start_unix_ns;
    st = keep(b, s->command, &p->command);
    st = st == ASY_OK ? keep(b, s->directory, &p->directory) : st;
    st = st == ASY_OK ? keep(b, s->script, &p->script) : st;
    return st == ASY_OK ? keep(b, s->assay_version, &p->assay_version) : st;
}

// The row of `id`: one that is there, or a new one, all zero.
static asy_status
process_row(asy_builder *b, uint32_t id, asy_profile_process **out)
{
    asy_profile *p = &b->l->p;
    asy_profile_process *rows;

    if (id > p->process_count) {
        return contradiction(b, "a process is missing before another");
    }
    if (id == p->process_count) {
        rows = grown(p->processes, &b->process_cap, p->process_count, sizeof *rows);
        if (rows == NULL) {
            return ASY_ENOMEM;
        }
        p->processes = rows;
        rows[p->process_count++] = (asy_profile_process){.executable = "", .command = "", .cwd = ""};
    }
    *out = &p->processes[id];
    return ASY_OK;
}

static asy_status
on_process(void *context, const asy_write_process *r)
{
    asy_builder *b = context;
    asy_profile_process *p;
    asy_status st = process_row(b, r->id, &p);

    if (st != ASY_OK) {
        return st;
    }
    *p = (asy_profile_process){
        .pid = r->pid,
        .parent_pid = r->parent_pid,
        .image = r->image,
        .merged = r->merged,
        .start_ns = r->start_ns,
        .end_ns = r->end_ns,
        .python_version = r->python_version,
        .flags = r->flags,
        .executable = p->executable,
        .command = p->command,
        .cwd = p->cwd,
        .main_thread = r->main_thread,
        .program_node = r->program_node,
        .program_ns = r->program_ns,
        .program_end_ns = r->program_end_ns,
        .exited = r->exited,
        .status = r->status,
        .cost_py_in_ps = r->cost_py_in_ps,
        .cost_py_out_ps = r->cost_py_out_ps,
        .cost_c_in_ps = r->cost_c_in_ps,
        .cost_c_out_ps = r->cost_c_out_ps,
        .resident_bytes = r->resident_bytes,
    };
    memcpy(p->losses, r->losses, sizeof p->losses);
    st = keep(b, r->executable, &p->executable);
    st = st == ASY_OK ? keep(b, r->command, &p->command) : st;
    return st == ASY_OK ? keep(b, r->cwd, &p->cwd) : st;
}

static asy_status
thread_row(asy_builder *b, uint32_t id, asy_profile_thread **out)
{
    asy_profile *p = &b->l->p;
    asy_profile_thread *rows;
    uint32_t *caps;

    if (id > p->thread_count) {
        return contradiction(b, "a thread is missing before another");
    }
    if (id == p->thread_count) {
        rows = grown(p->threads, &b->thread_cap, p->thread_count, sizeof *rows);
        p->threads = rows != NULL ? rows : p->threads;
        caps = grown(b->node_cap, &b->node_cap_cap, p->thread_count, sizeof *caps);
        b->node_cap = caps != NULL ? caps : b->node_cap;
        if (rows == NULL || caps == NULL) {
            return ASY_ENOMEM;
        }
        caps[p->thread_count] = 0;
        rows[p->thread_count++] = (asy_profile_thread){.name = ""};
    }
    *out = &p->threads[id];
    return ASY_OK;
}

static asy_status
on_thread(void *context, const asy_write_thread *r)
{
    asy_builder *b = context;
    asy_profile_thread *t;
    asy_status st;

    if (r->process >= b->l->p.process_count) {
        return contradiction(b, "a thread is of no process");
    }
    st = thread_row(b, r->id, &t);
    if (st != ASY_OK) {
        return st;
    }
    *t = (asy_profile_thread){
        .process = r->process,
        .serial = r->serial,
        .native_id = r->native_id,
        .name = t->name,
        .start_ns = r->start_ns,
        .end_ns = r->end_ns,
        .cpu_ns = r->cpu_ns,
        .flags = r->flags,
        .merged = r->merged,
        .ended = r->ended != 0,
        .overhead_ns = r->overhead_ns,
        .overhead_events = r->overhead_events,
        .node_count = t->node_count,
        .nodes = t->nodes,
    };
    return keep(b, r->name, &t->name);
}

// "customer=acme, day=3"
static asy_status
join_labels(asy_builder *b, const char *const *labels, uint32_t count, const char **out)
{
    size_t bytes = 1;
    char *text, *to;

    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(labels[i]) + 2;
    }
    text = to = asy_text_alloc(&b->l->texts, bytes);
    if (text == NULL) {
        return ASY_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        to = stpcpy(to, labels[i]);
        to = i % 2 == 0 ? stpcpy(to, "=") : i + 1 < count ? stpcpy(to, ", ") : to;
    }
    *to = '\0';
    *out = text;
    return ASY_OK;
}

static asy_status
read_tag(asy_builder *b, const asy_symbol *head, const asy_text *strings, asy_profile_func *f)
{
    const char **labels = (const char **)asy_text_alloc(&b->l->texts, head->count * sizeof *labels);

    if (labels == NULL) {
        return ASY_ENOMEM;
    }
    for (unsigned i = 0; i < head->count; i++) {
        asy_status st;

        labels[i] = NULL;
        st = keep(b, strings[i], &labels[i]);
        if (st != ASY_OK) {
            return st;
        }
    }
    f->label_count = head->count;
    f->labels = labels;
    return join_labels(b, labels, head->count, &f->name);
}

static asy_status
read_names(asy_builder *b, const asy_symbol *head, const asy_text *strings, asy_profile_func *f)
{
    bool python = head->kind == ASY_NODE_PY;
    unsigned name = python && head->count > 1 && strings[0].len == 0 ? 1 : 0; // no qualified name: the plain one
    asy_status st = head->count > name ? keep(b, strings[name], &f->name) : ASY_OK;

    if (st == ASY_OK && head->count > 2) {
        st = keep(b, strings[2], python ? &f->file : &f->module);
    }
    return st;
}

static asy_status
on_func(void *context, uint32_t id, const asy_symbol *head, const asy_text *strings)
{
    asy_builder *b = context;
    asy_profile *p = &b->l->p;
    asy_profile_func *rows;
    asy_profile_func *f;

    if (id != p->func_count) {
        return contradiction(b, id < p->func_count ? "a function is defined twice" : "a function is missing");
    }
    rows = grown(p->funcs, &b->func_cap, p->func_count, sizeof *rows);
    if (rows == NULL) {
        return ASY_ENOMEM;
    }
    p->funcs = rows;
    f = &rows[p->func_count++];
    *f = (asy_profile_func){
        .kind = head->kind, .flags = head->flags, .line = head->line, .name = "", .file = "", .module = ""};
    return head->kind == ASY_NODE_TAG ? read_tag(b, head, strings, f) : read_names(b, head, strings, f);
}

static asy_status
add_node(asy_builder *b, const asy_reader_node *n)
{
    asy_profile *p = &b->l->p;
    asy_profile_thread *t;
    asy_profile_node *rows;

    if (n->thread >= p->thread_count) {
        return contradiction(b, "a node is of no thread");
    }
    t = &p->threads[n->thread];
    if (n->node != t->node_count) {
        return contradiction(b,
                             n->node < t->node_count ? "a node is defined twice" : "a node is missing before another");
    }
    if (n->func >= p->func_count && n->node != 0) {
        return contradiction(b, "a node's function is not defined");
    }
    rows = grown(t->nodes, &b->node_cap[n->thread], t->node_count, sizeof *rows);
    if (rows == NULL) {
        return ASY_ENOMEM;
    }
    t->nodes = rows;
    rows[t->node_count++] = (asy_profile_node){.parent = n->parent, .func = n->func, .kind = n->kind};
    return ASY_OK;
}

static asy_status
on_nodes(void *context, const asy_reader_node *rows, size_t count)
{
    asy_status st = ASY_OK;

    for (size_t i = 0; i < count && st == ASY_OK; i++) {
        st = add_node(context, &rows[i]);
    }
    return st;
}

static asy_status
on_counts(void *context, const asy_reader_counts *rows, size_t count)
{
    asy_builder *b = context;
    asy_profile *p = &b->l->p;

    for (size_t i = 0; i < count; i++) {
        const asy_write_counts *c = &rows[i].counts;
        asy_profile_node *n;

        if (rows[i].thread >= p->thread_count || rows[i].node >= p->threads[rows[i].thread].node_count) {
            return contradiction(b, "something is counted that is not defined");
        }
        n = &p->threads[rows[i].thread].nodes[rows[i].node];
        n->open = c->open;
        n->calls = c->calls;
        n->resumes = c->resumes;
        n->unwinds = c->unwinds;
        n->self_ns = c->self_ns;
        n->wait_ns = c->wait_ns;
        n->suspended_ns = c->suspended_ns;
    }
    return ASY_OK;
}

static asy_status
on_note(void *context, asy_text sentence)
{
    asy_builder *b = context;
    asy_profile *p = &b->l->p;
    char **rows = (char **)grown((void *)p->notes, &b->note_cap, p->note_count, sizeof *rows);
    const char *text = NULL;
    asy_status st;

    if (rows == NULL) {
        return ASY_ENOMEM;
    }
    p->notes = rows;
    st = keep(b, sentence, &text);
    if (st == ASY_OK) {
        rows[p->note_count++] = (char *)(uintptr_t)text; // the array is not of const texts
    }
    return st;
}

static asy_status
on_losses(void *context, const uint64_t losses[ASY_LOSS_COUNT])
{
    asy_builder *b = context;

    memcpy(b->l->p.losses, losses, sizeof b->l->p.losses);
    return ASY_OK;
}

static asy_status
on_end(void *context, uint64_t duration_ns)
{
    asy_builder *b = context;

    b->l->p.duration_ns = duration_ns;
    b->ended = true;
    return ASY_OK;
}

asy_reader_handler
asy_builder_handler(asy_builder *b)
{
    return (asy_reader_handler){
        .context = b,
        .session = on_session,
        .process = on_process,
        .thread = on_thread,
        .func = on_func,
        .nodes = on_nodes,
        .counts = on_counts,
        .note = on_note,
        .losses = on_losses,
        .end = on_end,
    };
}

// ---- when all is read ----

// What is not needed goes back. A failure to shrink leaves the array as it was.
static void *
shrunk(void *array, uint32_t count, uint32_t cap, size_t size)
{
    void *to = count > 0 && count < cap ? realloc(array, count * size) : NULL;

    return to != NULL ? to : array;
}

// A thread has its root, even if the recording was cut before it.
static asy_status
finish_thread(asy_profile_thread *t, uint32_t cap)
{
    if (t->node_count == 0) {
        t->nodes = malloc(sizeof *t->nodes);
        if (t->nodes == NULL) {
            return ASY_ENOMEM;
        }
        t->nodes[0] = (asy_profile_node){.func = UINT32_MAX, .kind = ASY_NODE_ROOT};
        t->node_count = 1;
        return ASY_OK;
    }
    t->nodes = shrunk(t->nodes, t->node_count, cap, sizeof *t->nodes);
    return ASY_OK;
}

// No sum over nodes overflows in whoever reads the profile.
static bool
sums_fit(const asy_profile *p)
{
    uint64_t calls = 0, resumes = 0, unwinds = 0, self_ns = 0;

    for (uint32_t i = 0; i < p->thread_count; i++) {
        const asy_profile_thread *t = &p->threads[i];

        for (uint32_t k = 0; k < t->node_count; k++) {
            calls += t->nodes[k].calls;
            resumes += t->nodes[k].resumes;
            unwinds += t->nodes[k].unwinds;
            self_ns += t->nodes[k].self_ns;
            if ((calls | resumes | unwinds | self_ns) >> 63 != 0) { // each addend is at most 2^62
                return false;
            }
        }
    }
    return true;
}

// Ids that a cut recording says before it defines them are not known.
static void
finish_process(const asy_profile *p, uint32_t index)
{
    asy_profile_process *r = &p->processes[index];

    if (r->main_thread >= p->thread_count || p->threads[r->main_thread].process != index) {
        r->main_thread = UINT32_MAX;
    }
    if (r->main_thread == UINT32_MAX || r->program_node >= p->threads[r->main_thread].node_count) {
        r->program_node = 0;
    }
}

static uint64_t
latest_ns(const asy_profile *p)
{
    uint64_t latest = 0;

    for (uint32_t i = 0; i < p->thread_count; i++) {
        latest = p->threads[i].end_ns > latest ? p->threads[i].end_ns : latest;
    }
    for (uint32_t i = 0; i < p->process_count; i++) {
        latest = p->processes[i].end_ns > latest ? p->processes[i].end_ns : latest;
    }
    return latest;
}

asy_status
asy_builder_finish(asy_builder *b)
{
    asy_profile *p = &b->l->p;
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < p->thread_count && st == ASY_OK; i++) {
        st = finish_thread(&p->threads[i], b->node_cap[i]);
    }
    if (st != ASY_OK) {
        return st;
    }
    for (uint32_t i = 0; i < p->process_count; i++) {
        finish_process(p, i);
    }
    p->funcs = shrunk(p->funcs, p->func_count, b->func_cap, sizeof *p->funcs);
    p->threads = shrunk(p->threads, p->thread_count, b->thread_cap, sizeof *p->threads);
    p->processes = shrunk(p->processes, p->process_count, b->process_cap, sizeof *p->processes);
    p->notes = (char **)shrunk((void *)p->notes, p->note_count, b->note_cap, sizeof *p->notes);
    p->duration_ns = b->ended ? p->duration_ns : latest_ns(p);
    return sums_fit(p) ? ASY_OK : contradiction(b, "its counts add up to more than can be");
}
