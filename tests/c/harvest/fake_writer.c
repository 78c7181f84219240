// fake_writer.c: keeps what it is told. Its own memory is not the code's under test: it aborts where it has none.
#include "fake_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Not wrapped by the tests that let allocations fail.
void *__real_realloc(void *p, size_t n) __attribute__((weak));

static void *
grown(void *p, size_t n)
{
    p = __real_realloc != NULL ? __real_realloc(p, n) : realloc(p, n);
    if (p == NULL) {
        abort();
    }
    return p;
}

static void
breach(asy_writer *w, const char *what, uint64_t a, uint64_t b)
{
    if (w->problem[0] == '\0') {
        snprintf(w->problem, sizeof(w->problem), "%s (%llu, %llu)", what, (unsigned long long)a, (unsigned long long)b);
    }
}

asy_writer *
fake_writer_new(void)
{
    asy_writer *w = grown(NULL, sizeof(*w));

    memset(w, 0, sizeof(*w));
    return w;
}

void
fake_writer_free(asy_writer *w)
{
    for (uint32_t i = 0; i < w->thread_count; i++) {
        free(w->threads[i].nodes);
    }
    for (uint32_t i = 0; i < w->func_count; i++) {
        free(w->funcs[i].name);
        free(w->funcs[i].file);
    }
    free(w->threads);
    free(w->funcs);
    free(w);
}

asy_status
asy_writer_status(const asy_writer *w)
{
    return w->fail;
}

asy_status
asy_writer_flush(asy_writer *w)
{
    w->flushes++;
    return w->fail;
}

asy_status
asy_write_process_row(asy_writer *w, const asy_write_process *p)
{
    if (p->id > w->process_count || p->id >= ASY_PROC_MAX) {
        breach(w, "process ids are not dense", p->id, w->process_count);
        return w->fail;
    }
    w->process_count += p->id == w->process_count;
    w->processes[p->id] = *p;
    snprintf(w->commands[p->id], sizeof(w->commands[0]), "%.*s", (int)p->command.len,
             p->command.len > 0 ? p->command.bytes : "");
    return w->fail;
}

asy_status
asy_write_thread_row(asy_writer *w, const asy_write_thread *t)
{
    fake_thread *to;

    if (t->process >= w->process_count) {
        breach(w, "a thread before its process", t->id, t->process);
    }
    if (t->id == w->thread_count) {
        if (w->thread_count == w->thread_room) {
            w->thread_room = w->thread_room == 0 ? 64 : w->thread_room * 2;
            w->threads = grown(w->threads, w->thread_room * sizeof(*w->threads));
        }
        memset(&w->threads[w->thread_count++], 0, sizeof(*w->threads));
    }
    if (t->id >= w->thread_count || t->name.len > ASY_NAME_BYTES) {
        breach(w, "thread ids are not dense", t->id, w->thread_count);
        return w->fail;
    }
    to = &w->threads[t->id];
    to->row = *t;
    to->rows_written++;
    memcpy(to->name, t->name.bytes, t->name.len);
    to->name[t->name.len] = '\0';
    return w->fail;
}

static char *
copied(asy_text t)
{
    char *p = grown(NULL, t.len + 1);

    memcpy(p, t.bytes, t.len);
    p[t.len] = '\0';
    return p;
}

asy_status
asy_write_func(asy_writer *w, uint32_t id, const asy_symbol *head, const asy_text *strings)
{
    if (id != w->func_count) {
        breach(w, "function ids are not dense", id, w->func_count);
        return w->fail;
    }
    if (w->func_count == w->func_room) {
        w->func_room = w->func_room == 0 ? 64 : w->func_room * 2;
        w->funcs = grown(w->funcs, w->func_room * sizeof(*w->funcs));
    }
    w->funcs[w->func_count++] = (fake_func){
        .head = *head,
        .name = head->count > 0 ? copied(strings[0]) : NULL,
        .file = head->count > 2 ? copied(strings[2]) : NULL,
    };
    return w->fail;
}

asy_status
asy_write_node(asy_writer *w, uint32_t thread, uint32_t node, uint32_t parent, uint32_t func, uint32_t kind)
{
    fake_thread *t;

    if (thread >= w->thread_count) {
        breach(w, "a node before its thread", thread, node);
        return w->fail;
    }
    t = &w->threads[thread];
    if (node != t->node_count || (node > 0 && parent >= node)) {
        breach(w, "nodes out of order", node, t->node_count);
        return w->fail;
    }
    if (node == 0 ? func != UINT32_MAX || kind != ASY_NODE_ROOT : func >= w->func_count) {
        breach(w, "a node without its function", node, func);
    }
    if (t->node_count == t->node_room) {
        t->node_room = t->node_room == 0 ? 64 : t->node_room * 2;
        t->nodes = grown(t->nodes, t->node_room * sizeof(*t->nodes));
    }
    t->nodes[t->node_count++] = (fake_node){.parent = parent, .func = func, .kind = kind};
    return w->fail;
}

asy_status
asy_write_node_counts(asy_writer *w, uint32_t thread, uint32_t node, const asy_write_counts *c)
{
    fake_node *n;

    w->count_rows++;
    if (thread >= w->thread_count || node >= w->threads[thread].node_count) {
        breach(w, "counts before their node", thread, node);
        return w->fail;
    }
    n = &w->threads[thread].nodes[node];
    if (c->wait_ns > c->self_ns) {
        breach(w, "more waiting than time", thread, node);
    }
    n->counts = *c;
    n->counts_written++;
    return w->fail;
}

asy_status
asy_write_note(asy_writer *w, const char *sentence)
{
    w->notes += sentence[0] != '\0';
    return w->fail;
}

asy_status
asy_write_losses(asy_writer *w, const uint64_t losses[ASY_LOSS_COUNT])
{
    memcpy(w->losses, losses, sizeof(w->losses));
    return w->fail;
}

const fake_node *
fake_node_at(const asy_writer *w, uint32_t thread, const char *path)
{
    const fake_thread *t = &w->threads[thread];
    uint32_t at = 0;

    if (thread >= w->thread_count || t->node_count == 0) {
        return NULL;
    }
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        uint32_t i;

        for (i = 1; i < t->node_count; i++) {
            const char *name = w->funcs[t->nodes[i].func].name;

            if (t->nodes[i].parent == at && strlen(name) == len && memcmp(name, path, len) == 0) {
                break;
            }
        }
        if (i == t->node_count) {
            return NULL;
        }
        at = i;
        path += len + (path[len] == '/');
    }
    return &t->nodes[at];
}

asy_write_counts
fake_total(const asy_writer *w)
{
    asy_write_counts sum = {0};

    for (uint32_t i = 0; i < w->thread_count; i++) {
        for (uint32_t n = 0; n < w->threads[i].node_count; n++) {
            sum.calls += w->threads[i].nodes[n].counts.calls;
            sum.self_ns += w->threads[i].nodes[n].counts.self_ns;
            sum.wait_ns += w->threads[i].nodes[n].counts.wait_ns;
            sum.open += w->threads[i].nodes[n].counts.open;
        }
    }
    return sum;
}
