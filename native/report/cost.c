// cost.c: our own cost from calibrated costs of events, per node, thread and process.
#include "report/cost.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/arena.h"

void
asy_cost_of_node(const asy_profile_process *p, const asy_profile_node *n, uint64_t *in_ps, uint64_t *out_ps)
{
    uint64_t events = n->calls + n->resumes;

    *in_ps = 0;
    *out_ps = 0;
    switch (n->kind & 0xffu) {
    case ASY_NODE_PY:
        *in_ps = events * p->cost_py_in_ps;
        *out_ps = events * p->cost_py_out_ps;
        break;
    case ASY_NODE_C:
    case ASY_NODE_CLASS:
    case ASY_NODE_OBJECT:
        *in_ps = events * p->cost_c_in_ps;
        *out_ps = events * p->cost_c_out_ps;
        break;
    default: // tags and phases are entered seldom
        break;
    }
}

uint32_t
asy_cost_program_node(const asy_profile *p, uint32_t thread)
{
    const asy_profile_process *proc = &p->processes[p->threads[thread].process];

    if (proc->main_thread != thread || p->command[0] == '\0') {
        return 0; // without a command, a session in the process has only what it was asked to measure
    }
    return proc->program_node == 0 ? UINT32_MAX : proc->program_node;
}

bool
asy_cost_program_begins(const asy_profile_thread *th, uint32_t i, uint32_t program)
{
    const asy_profile_node *n = &th->nodes[i];

    return i == program || (program != 0 && program < th->node_count && i != 0 && n->parent == 0 &&
                            (n->kind & ASY_NODE_F_FOLDED) != 0 && (n->kind & 0xffu) != ASY_NODE_PHASE);
}

typedef struct {
    uint64_t own_ns;  // calibrated, as far as there is running time that it can come off
    uint64_t busy_ns; // without that: running, or waiting for something outside
} thread_sum;

static asy_status
sum_thread(const asy_profile *p, const asy_origin *origin, uint32_t thread, thread_sum *out)
{
    const asy_profile_thread *th = &p->threads[thread];
    const asy_profile_process *proc = &p->processes[th->process];
    uint32_t program = asy_cost_program_node(p, thread);
    uint64_t *cost_ps;
    bool *inside;

    *out = (thread_sum){0};
    if (th->node_count == 0 || program >= th->node_count) {
        return ASY_OK;
    }
    cost_ps = calloc(th->node_count, sizeof *cost_ps);
    inside = calloc(th->node_count, sizeof *inside);
    if (cost_ps == NULL || inside == NULL) {
        free(cost_ps);
        free(inside);
        return ASY_ENOMEM;
    }
    inside[program] = true;
    for (uint32_t i = 0; i < th->node_count; i++) {
        const asy_profile_node *n = &th->nodes[i];
        uint64_t in_ps, out_ps;

        inside[i] = inside[n->parent] || asy_cost_program_begins(th, i, program);
        asy_cost_of_node(proc, n, &in_ps, &out_ps);
        cost_ps[i] += in_ps;
        cost_ps[n->parent] += out_ps;
    }
    for (uint32_t i = 0; i < th->node_count; i++) {
        const asy_profile_node *n = &th->nodes[i];
        uint64_t wait = n->wait_ns < n->self_ns ? n->wait_ns : n->self_ns;
        uint64_t cost = cost_ps[i] / 1000, running = n->self_ns - wait;

        if (inside[i]) {
            cost = cost < running ? cost : running;
            out->own_ns += cost;
            out->busy_ns += running - cost + (i == 0 || origin[n->func].secondary ? 0 : wait);
        }
    }
    free(cost_ps);
    free(inside);
    return ASY_OK;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
measured_ns(const asy_profile *p)
{
    const asy_profile_process *proc = p->processes;
    uint64_t end;

    if (p->process_count != 1 || proc->program_ns == 0) {
        return p->duration_ns;
    }
    end = proc->program_end_ns != 0 ? proc->program_end_ns : proc->end_ns != 0 ? proc->end_ns : p->duration_ns;
    for (uint32_t t = 0; t < p->thread_count; t++) {
        const asy_profile_thread *th = &p->threads[t];

        if (t != proc->main_thread && th->ended && th->end_ns > end) {
            end = th->end_ns;
        }
    }
    return end > proc->program_ns ? end - proc->program_ns : p->duration_ns;
}

asy_status
asy_wall_make(const asy_profile *p, const asy_origin *origin, asy_wall *out)
{
    uint64_t *own_ns = calloc((size_t)p->process_count + 1, sizeof *own_ns);
    uint64_t most_ns = 0, busy_ns = 0;
    asy_status st = own_ns == NULL ? ASY_ENOMEM : ASY_OK;

    *out = (asy_wall){.measured_ns = measured_ns(p)};
    for (uint32_t t = 0; st == ASY_OK && t < p->thread_count; t++) {
        uint32_t process = p->threads[t].process;
        bool at_once = (p->processes[process].flags & ASY_PROC_F_FREETHREADED) != 0;
        thread_sum sum;

        st = sum_thread(p, origin, t, &sum);
        own_ns[process] = larger(at_once ? own_ns[process] : 0, at_once ? sum.own_ns : own_ns[process] + sum.own_ns);
        most_ns = larger(most_ns, own_ns[process]);
        busy_ns = larger(busy_ns, p->threads[t].merged > 1 ? 0 : sum.busy_ns);
    }
    busy_ns = busy_ns < out->measured_ns ? busy_ns : out->measured_ns;
    out->own_ns = most_ns < out->measured_ns - busy_ns ? most_ns : out->measured_ns - busy_ns;
    free(own_ns);
    return st;
}
