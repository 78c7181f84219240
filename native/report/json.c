// json.c: a view as one JSON object (docs/json.md), written piece by piece: no tree of a large recording is ever in memory.
// Texts go through jansson; nodes are numbers only and are written directly, a million of them in well under a second.
#include "report/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/edge_rows.h"
#include "report/words.h"

static const char *const kind_names[] = {"root", "python", "c", "class", "object", "tag", "phase"};

static const char *const loss_names[ASY_LOSS_COUNT] = {
    [ASY_LOSS_CHUNKS] = "memory_refused",
    [ASY_LOSS_EVENTS] = "events",
    [ASY_LOSS_FOLDS] = "folded_calls",
    [ASY_LOSS_DEPTH] = "too_deep_calls",
    [ASY_LOSS_RESYNCS] = "resynced_calls",
    [ASY_LOSS_UNMATCHED] = "unmatched_ends",
    [ASY_LOSS_SUSPENSIONS] = "suspensions",
    [ASY_LOSS_SYMBOLS] = "symbols",
    [ASY_LOSS_FORKS] = "forks",
    [ASY_LOSS_EXECS] = "execs",
    [ASY_LOSS_SUBINTERPS] = "subinterpreters",
    [ASY_LOSS_HOOK] = "hook_replaced",
    [ASY_LOSS_CONTEXTS] = "greenlet_switches",
    [ASY_LOSS_TAGS] = "tag_changes",
};

static json_int_t
number(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (json_int_t)n;
}

// Texts of a profile are valid; what the user typed may not be.
static json_t *
typed(const char *s)
{
    json_t *value = json_string(s);
    char *safe = value == NULL ? asy_text_fit(s, INT32_MAX, ASY_CUT_END) : NULL;

    if (safe != NULL) {
        value = json_string(safe);
        free(safe);
    }
    return value;
}

// Add a value to an object; takes the reference. A value that could not be made shows as the object missing at the end.
static void
set(json_t *o, const char *key, json_t *value)
{
    if (value == NULL || json_object_set_new(o, key, value) != 0) {
        json_object_set_new(o, "incomplete", json_true());
    }
}

static void
set_number(json_t *o, const char *key, uint64_t n)
{
    set(o, key, json_integer(number(n)));
}

// Without its last `cut` bytes. `value` is moved.
static void
write_json_but(asy_out *o, json_t *value, size_t cut)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL || json_object_get(value, "incomplete") != NULL) {
        o->status = o->status == ASY_OK ? ASY_ENOMEM : o->status;
    } else {
        asy_out_bytes(o, text, strlen(text) - cut);
    }
    free(text);
    json_decref(value);
}

static void
write_json(asy_out *o, json_t *value) // moved
{
    write_json_but(o, value, 0);
}

// An object whose end is yet to come.
static void
write_json_open(asy_out *o, json_t *value) // moved
{
    write_json_but(o, value, 1);
}

static json_t *
losses(const uint64_t *counts)
{
    json_t *o = json_object();

    for (int i = 0; o != NULL && i < ASY_LOSS_COUNT; i++) {
        if (loss_names[i] != NULL) {
            set_number(o, loss_names[i], counts[i]);
        }
    }
    return o;
}

static void
write_session(asy_page *g)
{
    const asy_profile *p = g->p;
    json_t *o = json_object();

    asy_out_put(g->o, "\"session\":");
    set(o, "recording", typed(g->r->path));
    set(o, "assay_version", json_string(p->assay_version));
    set(o, "command", json_string(p->command));
    set(o, "directory", json_string(p->directory));
    set(o, "script", json_string(p->script));
    set_number(o, "start_unix_ns", p->start_unix_ns);
    set_number(o, "duration_ns", p->duration_ns);
    set_number(o, "wall_ns", g->wall.measured_ns);
    set_number(o, "own_wall_ns", g->wall.own_ns);
    set(o, "complete", json_boolean(p->complete));
    set(o, "cut_at", p->cut_at == 0 ? json_null() : json_integer(number(p->cut_at)));
    set(o, "losses", losses(p->losses));
    write_json(g->o, o);
}

static json_t *
pair(const asy_view_label *label)
{
    return json_pack("[ss]", label->key, label->value);
}

static json_t *
pairs(const asy_view_select *s)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < s->label_count; i++) {
        if (json_array_append_new(list, pair(&s->labels[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void
write_view(asy_page *g)
{
    static const char *const parts[] = {"program", "startup", "all"};
    const asy_view_select *s = &g->select;
    const asy_view *v = g->view;
    json_t *o = json_object(), *startup = json_object();

    asy_out_put(g->o, ",\n\"view\":");
    set(o, "part", json_string(parts[s->part]));
    set(o, "thread", s->thread == NULL ? json_null() : typed(s->thread));
    set(o, "tag", s->label_count == 0 ? json_null() : pair(&s->labels[0]));
    set(o, "tags", pairs(s));
    set(o, "pid", s->pid == 0 ? json_null() : json_integer(number(s->pid)));
    set_number(o, "threads", v->threads);
    set_number(o, "processes", v->processes);
    set_number(o, "taken_off_ns", v->taken_off_ns);
    set_number(o, "uncertain_ns", v->uncertain_ns);
    set_number(o, "overhead_ns", v->overhead_ns);
    set_number(startup, "calls", v->startup.calls);
    set_number(startup, "self_ns", v->startup.self_ns);
    set_number(startup, "wait_ns", v->startup.wait_ns);
    set(o, "startup", startup);
    write_json(g->o, o);
}

static json_t *
process(const asy_profile_process *r)
{
    json_t *o = json_object();

    set_number(o, "pid", r->pid);
    set_number(o, "parent_pid", r->parent_pid);
    set_number(o, "image", r->image);
    set(o, "forked", json_boolean((r->flags & ASY_PROC_F_FORKED) != 0));
    set_number(o, "processes", r->merged > 1 ? r->merged : 1);
    set(o, "command", json_string(r->command));
    set(o, "executable", json_string(r->executable));
    set(o, "cwd", json_string(r->cwd));
    set_number(o, "python_version", r->python_version);
    set_number(o, "start_ns", r->start_ns);
    set_number(o, "end_ns", r->end_ns);
    set_number(o, "program_ns", r->program_ns);
    set_number(o, "program_end_ns", r->program_end_ns);
    set(o, "main_thread", r->main_thread == UINT32_MAX ? json_null() : json_integer(r->main_thread));
    set(o, "exit_status", r->exited == 1 ? json_integer(r->status) : json_null());
    set(o, "killed_by", r->exited == 2 ? json_integer(r->status) : json_null());
    set_number(o, "resident_bytes", r->resident_bytes);
    set(o, "c_calls", json_boolean((r->flags & ASY_PROC_F_NO_C_CALLS) == 0));
    set(o, "losses", losses(r->losses));
    return o;
}

static json_t *
thread(const asy_profile_thread *t)
{
    json_t *o = json_object();

    set_number(o, "process", t->process);
    set_number(o, "serial", t->serial);
    set_number(o, "native_id", t->native_id);
    set(o, "name", json_string(t->name));
    set_number(o, "start_ns", t->start_ns);
    set_number(o, "end_ns", t->end_ns);
    set_number(o, "cpu_ns", t->cpu_ns);
    set_number(o, "threads", t->merged > 1 ? t->merged : 1);
    set(o, "ended", json_boolean(t->ended));
    set(o, "daemon", json_boolean((t->flags & ASY_THREAD_F_DAEMON) != 0));
    set_number(o, "overhead_ns", t->overhead_ns);
    return o;
}

static void
write_processes(asy_page *g)
{
    asy_out_put(g->o, ",\n\"processes\":[");
    for (uint32_t i = 0; i < g->p->process_count; i++) {
        asy_out_put(g->o, i == 0 ? "\n" : ",\n");
        write_json(g->o, process(&g->p->processes[i]));
    }
    asy_out_put(g->o, "],\n\"threads\":[");
    for (uint32_t i = 0; i < g->p->thread_count; i++) {
        asy_out_put(g->o, i == 0 ? "\n" : ",\n");
        write_json(g->o, thread(&g->p->threads[i]));
    }
    asy_out_put(g->o, "]");
}

static json_t *
labels(const asy_profile_func *f)
{
    json_t *o = json_object();

    for (uint32_t i = 0; o != NULL && i + 1 < f->label_count; i += 2) {
        set(o, f->labels[i], json_string(f->labels[i + 1]));
    }
    return o;
}

static json_t *
identity(const asy_page *g, uint32_t func)
{
    const asy_profile_func *f = &g->p->funcs[func];
    json_t *o = json_object();

    set_number(o, "id", func);
    set(o, "kind", json_string(f->kind < ASY_NODE_KINDS ? kind_names[f->kind] : "unknown"));
    set(o, "name", json_string(f->name));
    set(o, "file", json_string(f->file));
    set_number(o, "line", f->line);
    set(o, "module", json_string(f->module));
    set(o, "place", json_string(g->origin[func].place));
    set(o, "project", json_boolean(g->origin[func].project));
    if (f->kind == ASY_NODE_TAG) {
        set(o, "labels", labels(f));
    }
    return o;
}

static char *
add_text(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *
add_number(char *at, const char *key, uint64_t n)
{
    char digits[24], *from = digits + sizeof digits;

    at = add_text(at, key);
    do {
        *--from = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    memcpy(at, from, (size_t)(digits + sizeof digits - from));
    return at + (digits + sizeof digits - from);
}

// There may be a hundred thousand of them: numbers without jansson.
static void
write_function(asy_page *g, uint32_t func, const asy_row *r)
{
    char line[512], *at = line;

    at = add_number(at, ",\"calls\":", r->calls);
    at = add_number(at, ",\"primitive_calls\":", r->primitive);
    at = add_number(at, ",\"resumes\":", r->resumes);
    at = add_number(at, ",\"unwinds\":", r->unwinds);
    at = add_number(at, ",\"open\":", r->open);
    at = add_number(at, ",\"self_ns\":", r->self_ns);
    at = add_number(at, ",\"wait_ns\":", r->wait_ns);
    at = add_number(at, ",\"total_ns\":", r->total_ns);
    at = add_number(at, ",\"total_wait_ns\":", r->total_wait_ns);
    at = add_number(at, ",\"suspended_ns\":", r->suspended_ns);
    at = add_text(at, "}");
    write_json_open(g->o, identity(g, func));
    asy_out_bytes(g->o, line, (size_t)(at - line));
}

// Every function that a node names, with its row; a label has none: it was entered so often, its other numbers are 0.
static asy_status
write_functions(asy_page *g)
{
    uint32_t count, at = 0, written = 0;
    asy_row *rows;
    bool *used = calloc((size_t)g->p->func_count + 1, sizeof *used);
    uint64_t *entered = calloc((size_t)g->p->func_count + 1, sizeof *entered);
    asy_status st = asy_rows_flat(g->view, &rows, &count);

    if (st == ASY_OK && (used == NULL || entered == NULL)) {
        st = ASY_ENOMEM;
    }
    asy_out_put(g->o, ",\n\"functions\":[");
    for (uint32_t i = 1; st == ASY_OK && i < g->view->node_count; i++) {
        const asy_view_node *n = &g->view->nodes[i];
        used[n->func] = true;
        entered[n->func] += asy_view_kind(n) == ASY_NODE_TAG ? n->calls : 0;
    }
    if (st == ASY_OK && g->p->edges != NULL) {
        memset(used, true, g->p->func_count);
    }
    for (uint32_t f = 0; st == ASY_OK && f < g->p->func_count; f++) {
        asy_row none = {.func = f, .calls = entered[f]};

        while (at < count && rows[at].func < f) {
            at++;
        }
        if (used[f]) {
            asy_out_put(g->o, written++ == 0 ? "\n" : ",\n");
            write_function(g, f, at < count && rows[at].func == f ? &rows[at] : &none);
        }
    }
    asy_out_put(g->o, "]");
    free(rows);
    free(used);
    free(entered);
    return st;
}

static void
write_node(asy_out *o, const asy_view_node *n, uint32_t i)
{
    if (i == 0) {
        asy_out_put(o, "{\"id\":0,\"parent\":null,\"function\":null");
    } else {
        asy_out_fmt(o, ",\n{\"id\":%" PRIu32 ",\"parent\":%" PRIu32 ",\"function\":%" PRIu32, i, n->parent, n->func);
    }
    asy_out_fmt(o, ",\"calls\":%" PRIu64 ",\"resumes\":%" PRIu64 ",\"unwinds\":%" PRIu64 ",\"open\":%" PRIu32, n->calls,
                n->resumes, n->unwinds, n->open);
    asy_out_fmt(o,
                ",\"self_ns\":%" PRIu64 ",\"wait_ns\":%" PRIu64 ",\"total_ns\":%" PRIu64 ",\"total_wait_ns\":%" PRIu64,
                n->self_ns, n->wait_ns, n->total_ns, n->total_wait_ns);
    asy_out_fmt(o, ",\"suspended_ns\":%" PRIu64 ",\"folded\":%s,\"inherited\":%s}", n->suspended_ns,
                (n->kind & ASY_NODE_F_FOLDED) != 0 ? "true" : "false",
                (n->kind & ASY_NODE_F_INHERITED) != 0 ? "true" : "false");
}

// Of a file that has no tree: who called whom. There may be a million of them: without printf.
static void
write_edges(asy_page *g)
{
    const asy_edges *e = g->p->edges;

    asy_out_put(g->o, ",\n\"callers\":[");
    for (uint32_t i = 0; i < e->edge_count; i++) {
        const asy_edge *edge = &e->edges[i];
        char line[256];
        char *at = add_text(line, i == 0 ? "\n" : ",\n");

        at = add_number(at, "{\"function\":", edge->callee);
        at = add_number(at, ",\"caller\":", edge->caller);
        at = add_number(at, ",\"calls\":", edge->counts.calls);
        at = add_number(at, ",\"primitive_calls\":", edge->counts.primitive);
        at = add_number(at, ",\"self_ns\":", edge->counts.self_ns);
        at = add_number(at, ",\"total_ns\":", edge->counts.total_ns);
        at = add_text(at, "}");
        asy_out_bytes(g->o, line, (size_t)(at - line));
    }
    asy_out_put(g->o, "]");
}

static void
write_remarks(asy_page *g)
{
    asy_words w = {0};

    if (g->p->edges != NULL) {
        asy_edges_remarks(g->p->edges, &w);
    } else {
        asy_words_losses(g->view, &w);
    }
    asy_out_put(g->o, ",\n\"remarks\":[");
    for (uint32_t i = 0; i < w.count; i++) {
        asy_out_put(g->o, i == 0 ? "" : ",");
        write_json(g->o, json_string(w.text[i]));
    }
    asy_out_put(g->o, "]");
    asy_words_clear(&w);
}

static asy_status
write_page(asy_page *g)
{
    asy_status st;

    asy_out_put(g->o, "{\"format\":\"assay-report\",\"version\":1,\n");
    write_session(g);
    write_view(g);
    write_processes(g);
    st = write_functions(g);
    asy_out_put(g->o, ",\n\"nodes\":[\n");
    for (uint32_t i = 0; st == ASY_OK && i < g->view->node_count; i++) {
        write_node(g->o, &g->view->nodes[i], i);
    }
    asy_out_put(g->o, "]");
    if (g->p->edges != NULL) {
        write_edges(g);
    }
    write_remarks(g);
    asy_out_put(g->o, "}\n");
    return st;
}

asy_status
asy_report_json(const asy_profile *p, const asy_report *r, asy_out *o, char **problem)
{
    return asy_page_make(p, r, o, problem, write_page, NULL);
}
