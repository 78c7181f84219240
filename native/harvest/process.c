// process.c: rows of processes.
#include "harvest/model.h"

#include <stdlib.h>
#include <unistd.h>

asy_status
asy_process_meet(asy_harvest *h, uint32_t slot, asy_model_process **out)
{
    asy_model_process *p = h->processes[slot];

    if (p == NULL) {
        p = calloc(1, sizeof(*p));
        if (p == NULL) {
            return ASY_ENOMEM;
        }
        p->slot = slot;
        p->id = ASY_NONE;
        p->main_id = ASY_NONE;
        h->processes[slot] = p;
        h->totals.processes_seen++;
    }
    if (p->pid == 0) {
        p->pid = __atomic_load_n(&h->arena->procs[slot].pid, __ATOMIC_ACQUIRE);
    }
    *out = p;
    return ASY_OK;
}

static void
mark_followed(asy_harvest *h, const asy_model_process *p)
{
    for (uint32_t i = 0; i < h->proc_top; i++) {
        asy_model_process *before = h->processes[i];

        if (before != NULL && before != p && before->pid == p->pid && asy_process_replaced(h, before)) {
            before->followed = true;
        }
    }
}

// Whom it was forked off is stored before it becomes LIVE, and before it claims its first chunk. It is written now, so that processes
// come in the order in which they began.
asy_status
asy_process_link(asy_harvest *h, asy_model_process *p)
{
    const asy_proc *from = &h->arena->procs[p->slot];
    asy_status st;

    if (p->image != NULL) {
        return ASY_OK;
    }
    st = asy_image_new(h, asy_word_load(&from->serial), asy_word_load(&from->forked_from),
                       asy_word_load(&from->inherited_funcs), &p->image);
    if (st == ASY_OK && asy_process_follows(h, p)) {
        mark_followed(h, p);
    }
    return st == ASY_OK ? asy_process_write(h, p) : st;
}

void
asy_process_free(asy_model_process *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i <= ASY_NAMES_MERGED; i++) {
        asy_merge_free(p->merged[i]);
    }
    asy_map_clear(&p->threads);
    free(p->texts);
    asy_image_drop(p->image);
    free(p);
}

void
asy_process_bury(asy_harvest *h, asy_model_process *p)
{
    uint32_t slot = p->slot;

    h->replaced += asy_process_replaced(h, p) - asy_process_follows(h, p);
    if (p->image != NULL) {
        asy_image_keep(h, p->image);
        p->image = NULL;
    }
    asy_process_free(p);
    h->processes[slot] = NULL;
    asy_arena_free_proc(h->arena, slot);
}

// 1/1024 tick → ps.
static uint64_t
cost_ps(const asy_harvest *h, const uint64_t *cost)
{
    unsigned __int128 ps = (unsigned __int128)(asy_word_load(cost) & UINT32_MAX) * h->scale.ns_num * 1000;

    return (uint64_t)(ps / h->scale.ns_den / 1024);
}

static uint64_t
moment_ns(const asy_harvest *h, const uint64_t *ticks)
{
    uint64_t t = asy_word_load(ticks);
    uint64_t ns = t == 0 ? 0 : asy_harvest_ns(h, t);

    return t != 0 && ns == 0 ? 1 : ns; // 0 means that it is not known
}

bool
asy_process_replaced(const asy_harvest *h, const asy_model_process *p)
{
    const asy_proc *from = &h->arena->procs[p->slot];
    uint64_t ended = asy_word_load(&from->end_ticks);

    return ended != 0 && ended >= asy_word_load(&from->start_ticks);
}

bool
asy_process_follows(const asy_harvest *h, const asy_model_process *p)
{
    return p->image != NULL && asy_word_load(&h->arena->procs[p->slot].image) > 0;
}

uint64_t
asy_process_until(const asy_harvest *h, const asy_model_process *p, uint64_t until)
{
    const asy_proc *from = &h->arena->procs[p->slot];
    uint64_t replaced = asy_process_replaced(h, p) ? asy_word_load(&from->end_ticks) : 0;
    uint64_t left = asy_word_load(&from->exit_ticks);

    until = replaced != 0 && replaced < until ? replaced : until; // it may have failed meanwhile, and be 0
    return left > asy_word_load(&from->start_ticks) && left < until ? left : until;
}

static bool
wants_row(const asy_harvest *h, const asy_model_process *p)
{
    return h->own_processes < ASY_OWN_PROCESSES ||
           (h->own_processes < ASY_LASTING_PROCESSES && !p->dead && p->died_ticks == 0 && p->checkpoints >= 2);
}

asy_status
asy_process_write(asy_harvest *h, asy_model_process *p)
{
    const asy_proc *from = &h->arena->procs[p->slot];
    uint64_t program = asy_word_load(&from->program_node), exit_status = asy_word_load(&from->exit_status);
    const asy_model_image *named = p->image != NULL ? asy_image_named(p->image) : NULL;
    asy_write_process *r = &p->row;

    if (p->id == ASY_NONE && wants_row(h, p)) {
        p->id = h->next_process++; // now, so that rows come in the order of their ids
        h->own_processes++;
    }
    r->id = p->id;
    r->merged = 1;
    r->pid = p->pid;
    r->parent_pid = asy_word_load(&from->parent_pid);
    r->parent_pid = r->parent_pid != (uint64_t)getpid() ? r->parent_pid : 0; // we are no part of the program
    r->image = asy_word_load(&from->image);
    r->start_ns = asy_harvest_ns(h, asy_word_load(&from->start_ticks));
    r->end_ns = asy_harvest_ns(h, asy_process_until(h, p, p->dead ? p->died_ticks : h->now.ticks));
    r->python_version = asy_word_load(&from->python_version);
    r->flags = asy_word_load(&from->flags);
    r->main_thread = p->main_id;
    r->program_node = p->main_id != ASY_NONE && program < p->main_nodes ? (uint32_t)program : 0;
    h->totals.programs += r->program_ns == 0 && moment_ns(h, &from->program_ticks) != 0;
    r->program_ns = moment_ns(h, &from->program_ticks);
    r->program_end_ns = moment_ns(h, &from->program_end_ticks);
    r->exited = p->exited;
    r->status = p->status;
    if (p->dead && p->exited == 0 && exit_status != 0) { // nobody has seen more of its end than it told itself
        r->exited = 1;
        r->status = (int)((exit_status - 1) & 255);
    }
    r->cost_py_in_ps = cost_ps(h, &from->cost_py_in);
    r->cost_py_out_ps = cost_ps(h, &from->cost_py_out);
    r->cost_c_in_ps = cost_ps(h, &from->cost_c_in);
    r->cost_c_out_ps = cost_ps(h, &from->cost_c_out);
    r->resident_bytes = asy_word_load(&from->resident_bytes);
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        r->losses[i] = asy_word_load(&from->losses[i]);
    }
    r->losses[ASY_LOSS_SYMBOLS] += p->lost_symbols;
    if (named != NULL) {
        r->executable = named->executable;
        r->cwd = named->cwd;
        r->command = named->command;
    }
    return p->id != ASY_NONE ? asy_write_process_row(h->writer, r) : ASY_OK;
}
