// group.c: many short processes in one row: those of one command line, of one version, forked or not.
// A group is a process without a row in the arena: its threads are merged ones, its main thread that of all main threads.
#include "harvest/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const asy_text OTHERS = {"other processes", 15};

static bool
belongs(const asy_model_process *g, const asy_write_process *r)
{
    return g->row.flags == r->flags && g->row.python_version == r->python_version &&
           g->row.command.len == r->command.len &&
           (r->command.len == 0 || memcmp(g->row.command.bytes, r->command.bytes, r->command.len) == 0);
}

static asy_status
group_new(asy_harvest *h, const asy_model_process *p, bool others, asy_model_process **out)
{
    asy_model_process *g = calloc(1, sizeof(*g));
    asy_text command = others ? OTHERS : p->row.command;
    asy_status st;

    if (g == NULL) {
        return ASY_ENOMEM;
    }
    g->texts = malloc((size_t)command.len + 1);
    if (g->texts == NULL) {
        free(g);
        return ASY_ENOMEM;
    }
    if (command.len > 0) {
        memcpy(g->texts, command.bytes, command.len);
    }
    g->id = h->next_process;
    g->main_id = ASY_NONE;
    g->row = (asy_write_process){.id = g->id,
                                 .start_ns = UINT64_MAX,
                                 .main_thread = ASY_NONE,
                                 .python_version = p->row.python_version,
                                 .flags = p->row.flags,
                                 .cost_py_in_ps = p->row.cost_py_in_ps,
                                 .cost_py_out_ps = p->row.cost_py_out_ps,
                                 .cost_c_in_ps = p->row.cost_c_in_ps,
                                 .cost_c_out_ps = p->row.cost_c_out_ps,
                                 .command = {g->texts, command.len}};
    g->row.start_ns = p->row.start_ns;
    st = asy_write_process_row(h->writer, &g->row); // before the threads that name it
    if (st != ASY_OK) {
        free(g->texts);
        free(g);
        return st;
    }
    h->next_process++;
    *out = g;
    return ASY_OK;
}

asy_status
asy_group_find(asy_harvest *h, asy_model_process *p)
{
    uint32_t i;
    asy_status st = ASY_OK;

    if (p->group != NULL) {
        return ASY_OK;
    }
    for (i = 0; i < ASY_GROUPS && h->groups[i] != NULL && !belongs(h->groups[i], &p->row); i++) {
    }
    if (h->groups[i] == NULL) {
        st = group_new(h, p, i == ASY_GROUPS, &h->groups[i]);
    }
    p->group = h->groups[i];
    return st;
}

void
asy_group_add(asy_harvest *h, const asy_model_process *p)
{
    asy_write_process *r = &p->group->row;
    const asy_write_process *from = &p->row;

    (void)h;
    r->merged++;
    r->start_ns = from->start_ns < r->start_ns ? from->start_ns : r->start_ns;
    r->end_ns = from->end_ns > r->end_ns ? from->end_ns : r->end_ns;
    if (from->program_ns != 0 && (r->program_ns == 0 || from->program_ns < r->program_ns)) {
        r->program_ns = from->program_ns;
    }
    r->resident_bytes = from->resident_bytes > r->resident_bytes ? from->resident_bytes : r->resident_bytes;
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        r->losses[i] += from->losses[i];
    }
}

asy_status
asy_group_write(asy_harvest *h)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i <= ASY_GROUPS && st == ASY_OK && h->groups[i] != NULL; i++) {
        asy_model_process *g = h->groups[i];

        st = asy_merge_write(h, g);
        if (g->main != NULL) {
            g->row.main_thread = g->main->row.id;
        }
        if (st == ASY_OK) {
            st = asy_write_process_row(h->writer, &g->row);
        }
    }
    return st;
}

asy_status
asy_group_note(asy_harvest *h)
{
    uint64_t count = 0;
    char text[120];

    for (uint32_t i = 0; i <= ASY_GROUPS && h->groups[i] != NULL; i++) {
        count += h->groups[i]->row.merged;
    }
    if (count == 0) {
        return ASY_OK;
    }
    snprintf(text, sizeof(text),
             "%llu short processes are counted together, by command line: the first %u have rows of their own",
             (unsigned long long)count, ASY_OWN_PROCESSES);
    return asy_write_note(h->writer, text);
}
