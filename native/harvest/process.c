// process.c: rows of processes.
#include "harvest/model.h"

#include <stdlib.h>
#include <string.h>

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

void
asy_process_free(asy_model_process *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i <= ASY_NAMES_MERGED; i++) {
        asy_merge_free(p->merged[i]);
    }
    asy_map_clear(&p->funcs);
    asy_map_clear(&p->threads);
    free(p->texts);
    free(p);
}

// Needs no quotes in a shell.
static bool
is_plain(asy_text t)
{
    static const char odd[] = " \t\n'\"\\$`!*?[](){}<>|&;#~";

    for (uint32_t i = 0; i < t.len; i++) {
        if (memchr(odd, t.bytes[i], sizeof(odd) - 1) != NULL) {
            return false;
        }
    }
    return t.len > 0;
}

static char *
put(char *to, const char *bytes, uint32_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static char *
put_argument(char *to, asy_text t)
{
    if (is_plain(t)) {
        return put(to, t.bytes, t.len);
    }
    *to++ = '\'';
    for (uint32_t i = 0; i < t.len; i++) {
        to = t.bytes[i] == '\'' ? put(to, "'\\''", 4) : put(to, &t.bytes[i], 1);
    }
    *to++ = '\'';
    return to;
}

// The PROCESS record: executable, cwd, arguments. The last one counts.
asy_status
asy_process_texts(asy_model_process *p, const asy_text *strings, uint32_t count)
{
    size_t room = 1;
    char *texts, *to, *command;

    if (count < 2) {
        return ASY_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        room += (size_t)strings[i].len * 4 + 3;
    }
    texts = malloc(room);
    if (texts == NULL) {
        return ASY_ENOMEM;
    }
    to = put(texts, strings[0].bytes, strings[0].len);
    to = put(to, strings[1].bytes, strings[1].len);
    command = to;
    for (uint32_t i = 2; i < count; i++) {
        to = put_argument(i == 2 ? to : put(to, " ", 1), strings[i]);
    }
    free(p->texts);
    p->texts = texts;
    p->row.executable = (asy_text){texts, strings[0].len};
    p->row.cwd = (asy_text){texts + strings[0].len, strings[1].len};
    p->row.command = (asy_text){command, (uint32_t)(to - command)};
    return ASY_OK;
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

uint64_t
asy_process_until(const asy_harvest *h, const asy_model_process *p, uint64_t until)
{
    uint64_t ended = asy_process_replaced(h, p) ? asy_word_load(&h->arena->procs[p->slot].end_ticks) : 0;

    return ended != 0 && ended < until ? ended : until; // it may have failed meanwhile, and be 0
}

asy_status
asy_process_write(asy_harvest *h, asy_model_process *p)
{
    const asy_proc *from = &h->arena->procs[p->slot];
    uint64_t program = asy_word_load(&from->program_node);
    asy_write_process *r = &p->row;

    if (p->id == ASY_NONE) {
        p->id = h->next_process++; // now, so that rows come in the order of their ids
    }
    r->id = p->id;
    r->pid = p->pid;
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
    r->cost_py_in_ps = cost_ps(h, &from->cost_py_in);
    r->cost_py_out_ps = cost_ps(h, &from->cost_py_out);
    r->cost_c_in_ps = cost_ps(h, &from->cost_c_in);
    r->cost_c_out_ps = cost_ps(h, &from->cost_c_out);
    r->resident_bytes = asy_word_load(&from->resident_bytes);
    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        r->losses[i] = asy_word_load(&from->losses[i]);
    }
    r->losses[ASY_LOSS_SYMBOLS] += p->lost_symbols;
    return asy_write_process_row(h->writer, r);
}
