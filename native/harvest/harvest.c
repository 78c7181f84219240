// harvest.c: the order in which an arena is read.
// A poll first notes which threads have ended and how many nodes each has, then reads the directory and the symbols, then nodes and counts: so
// whatever a node needs was there before it was looked for.
// Not thread-safe: one harvester an arena.
#include "harvest/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

asy_status
asy_harvest_new(asy_arena *arena, asy_writer *writer, asy_clock_pair begin, asy_harvest **out)
{
    asy_harvest *h = calloc(1, sizeof(*h));

    *out = NULL;
    if (h == NULL) {
        return ASY_ENOMEM;
    }
    h->scratch = malloc(ASY_CHUNK_BYTES);
    if (h->scratch == NULL) {
        free(h);
        return ASY_ENOMEM;
    }
    h->arena = arena;
    h->writer = writer;
    h->begin = begin;
    h->now = begin;
    h->clock = asy_word_load32(&arena->head->clock) == ASY_CLOCK_COUNTER ? ASY_CLOCK_COUNTER : ASY_CLOCK_NS;
    h->scale = asy_clock_scale_make(h->clock, begin, begin);
    h->nameless = ASY_NONE;
    h->merged_limit = ASY_MERGED_NODES;
    *out = h;
    return ASY_OK;
}

void
asy_harvest_free(asy_harvest *h)
{
    if (h == NULL) {
        return;
    }
    for (uint32_t i = 0; i < h->thread_count; i++) {
        asy_threads_free(h->threads[i]);
    }
    for (uint32_t i = 0; i < ASY_PROC_MAX; i++) {
        asy_process_free(h->processes[i]);
    }
    for (uint32_t i = 0; i < ASY_IMAGES_KEPT; i++) {
        asy_image_drop(h->kept[i]);
    }
    for (uint32_t i = 0; i <= ASY_GROUPS; i++) {
        asy_process_free(h->groups[i]);
    }
    asy_map_clear(&h->interned);
    free((void *)h->threads);
    free(h->chunks);
    free(h->scratch);
    free(h);
}

uint64_t
asy_harvest_ns(const asy_harvest *h, uint64_t ticks)
{
    uint64_t at = asy_clock_at_ns(&h->scale, ticks);

    return at > h->begin.ns ? at - h->begin.ns : 0;
}

static void
set_now(asy_harvest *h, asy_clock_pair now)
{
    h->now = now;
    h->scale = asy_clock_scale_make(h->clock, h->begin, now);
    h->gap_ticks = asy_word_load(&h->arena->head->cpu_gap_ticks); // set some time after the arena is made
}

// Rows are claimed lowest first: beyond those that were ever claimed there are none.
static asy_status
meet_processes(asy_harvest *h)
{
    asy_status st = ASY_OK;
    asy_model_process *p;

    for (uint32_t i = 0; i < ASY_PROC_MAX && st == ASY_OK; i++) {
        bool claimed = __atomic_load_n(&h->arena->procs[i].state, __ATOMIC_ACQUIRE) != ASY_PROC_FREE;

        if (i == h->proc_top && !claimed) {
            break;
        }
        h->proc_top = i < h->proc_top ? h->proc_top : i + 1;
        if (claimed) {
            st = asy_process_meet(h, i, &p);
        }
    }
    return st;
}

static asy_status
link_processes(asy_harvest *h)
{
    asy_status st = meet_processes(h);

    for (uint32_t i = 0; i < h->proc_top && st == ASY_OK; i++) {
        asy_model_process *p = h->processes[i];
        uint64_t state = __atomic_load_n(&h->arena->procs[i].state, __ATOMIC_ACQUIRE);

        if (p != NULL && state != ASY_PROC_FREE && state != ASY_PROC_CLAIMED) {
            st = asy_process_link(h, p);
        }
    }
    return st;
}

static asy_status
write_processes(asy_harvest *h)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < ASY_PROC_MAX && st == ASY_OK; i++) {
        asy_model_process *p = h->processes[i];

        if (p != NULL && p->image != NULL && !p->dead) {
            p->checkpoints++;
            st = asy_process_write(h, p);
            if (st == ASY_OK && p->id != ASY_NONE) {
                st = asy_merge_write(h, p);
            }
        }
    }
    return st;
}

static asy_status
write_losses(asy_harvest *h)
{
    uint64_t now[ASY_LOSS_COUNT];

    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        now[i] = asy_word_load(&h->arena->head->losses[i]);
    }
    now[ASY_LOSS_FOLDS] += h->merged_folds;
    now[ASY_LOSS_EVENTS] += h->merged_lost;
    if (memcmp(now, h->losses, sizeof(now)) == 0) {
        return ASY_OK;
    }
    memcpy(h->losses, now, sizeof(now));
    return asy_write_losses(h->writer, now);
}

// Threads that ended are taken and forgotten; the others are taken where `write` asks for it. `last` as in asy_threads_take.
static asy_status
take_threads(asy_harvest *h, bool write, bool last)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < h->thread_count && st == ASY_OK;) {
        asy_model_thread *t = h->threads[i];

        if (t->ended) {
            st = asy_threads_take(h, t, h->now.ticks, true);
            if (st == ASY_OK) {
                asy_threads_drop(h, t); // another one is at its place now
            }
            continue;
        }
        if (write) {
            asy_open_look(h, t);
            st = asy_threads_take(h, t, h->now.ticks, last);
        }
        i++;
    }
    return st;
}

static asy_status
look(asy_harvest *h, bool write, bool last)
{
    asy_status st = link_processes(h);

    for (uint32_t i = 0; i < h->thread_count; i++) {
        asy_threads_mark(h, h->threads[i], write);
    }
    if (st == ASY_OK) {
        st = asy_directory_scan(h);
    }
    if (st == ASY_OK && write) {
        st = write_processes(h); // before the threads that name them
    }
    if (st == ASY_OK && write) {
        st = asy_group_write(h);
    }
    if (st == ASY_OK) {
        st = take_threads(h, write, last);
    }
    return st;
}

asy_status
asy_harvest_poll(asy_harvest *h, asy_clock_pair now, bool write)
{
    asy_status st;

    set_now(h, now);
    st = look(h, write, false);
    if (!write) {
        asy_open_look_round(h); // in case the process is killed before the next checkpoint
    }
    if (st == ASY_OK && write) {
        st = write_losses(h);
    }
    if (st == ASY_OK && write) {
        st = asy_writer_flush(h->writer);
    }
    return st != ASY_OK ? st : asy_writer_status(h->writer);
}

static asy_status
take_dead(asy_harvest *h, asy_model_process *p)
{
    asy_status st = ASY_OK;

    for (uint32_t i = h->thread_count; i-- > 0 && st == ASY_OK;) {
        asy_model_thread *t = h->threads[i]; // dropping moves only what was already looked at here

        if (t->process == p) {
            asy_threads_mark(h, t, true);
            st = asy_threads_take(h, t, p->died_ticks, true);
            if (st == ASY_OK) {
                asy_threads_drop(h, t);
            }
        }
    }
    return st;
}

// It has no row of its own.
static asy_status
leave_to_group(asy_harvest *h, asy_model_process *p)
{
    asy_status st = asy_group_find(h, p);

    if (st == ASY_OK) {
        asy_group_add(h, p);
    }
    return st;
}

// All of it is taken, and its row and chunks are given back.
static asy_status
row_died(asy_harvest *h, asy_model_process *p, uint64_t ticks, int exited, int status)
{
    asy_status st;

    p->died_ticks = ticks;
    st = asy_process_link(h, p); // it may have died before it was LIVE
    p->exited = p->followed ? 0 : exited;
    p->status = p->followed ? 0 : status;
    if (st == ASY_OK) {
        st = asy_process_write(h, p);
    }
    if (st == ASY_OK) {
        st = take_dead(h, p);
    }
    if (st != ASY_OK) {
        return st;
    }
    p->dead = true;
    asy_directory_bury(h, p->slot);
    st = asy_process_write(h, p);
    if (st == ASY_OK) {
        st = p->id != ASY_NONE ? asy_merge_write(h, p) : leave_to_group(h, p);
    }
    if (st == ASY_OK) {
        asy_process_bury(h, p);
    }
    return st;
}

static asy_status
prepare_death(asy_harvest *h)
{
    asy_status st;

    // A death may come before the first poll; ns need no second pair.
    set_now(h, h->clock == ASY_CLOCK_COUNTER ? asy_clock_take_pair(h->clock) : h->now);
    st = link_processes(h);
    return st == ASY_OK ? asy_directory_scan(h) : st;
}

asy_status
asy_harvest_process_died(asy_harvest *h, uint64_t pid, uint64_t ticks, int exited, int status)
{
    asy_status st = prepare_death(h);

    for (uint32_t i = 0; i < h->proc_top && st == ASY_OK; i++) {
        if (h->processes[i] != NULL && h->processes[i]->pid == pid) {
            st = row_died(h, h->processes[i], ticks, exited, status);
        }
    }
    return st != ASY_OK ? st : asy_writer_status(h->writer);
}

asy_status
asy_harvest_row_died(asy_harvest *h, uint32_t slot, uint64_t ticks, int exited, int status)
{
    asy_status st = prepare_death(h);

    if (st == ASY_OK && slot < ASY_PROC_MAX && h->processes[slot] != NULL) {
        st = row_died(h, h->processes[slot], ticks, exited, status);
    }
    return st != ASY_OK ? st : asy_writer_status(h->writer);
}

static asy_status
note_damage(asy_harvest *h)
{
    char text[96];

    if (h->totals.damaged_chunks == 0) {
        return ASY_OK;
    }
    snprintf(text, sizeof(text), "%llu damaged pieces of shared memory were left out",
             (unsigned long long)h->totals.damaged_chunks);
    return asy_write_note(h->writer, text);
}

static asy_status
note_replaced(asy_harvest *h)
{
    int64_t count = h->replaced;
    char text[96];

    for (uint32_t i = 0; i < ASY_PROC_MAX; i++) {
        const asy_model_process *p = h->processes[i];

        count += p == NULL ? 0 : asy_process_replaced(h, p) - asy_process_follows(h, p);
    }
    if (count <= 0) {
        return ASY_OK;
    }
    snprintf(text, sizeof(text), "%llu process%s became another program by exec: measured up to there",
             (unsigned long long)count, count > 1 ? "es" : "");
    return asy_write_note(h->writer, text);
}

// Twice: what is seen for the first time by the first look is taken by the second.
asy_status
asy_harvest_finish(asy_harvest *h, asy_clock_pair now)
{
    asy_status st;

    set_now(h, now);
    st = look(h, true, false);
    if (st == ASY_OK) {
        st = look(h, true, true);
    }
    if (st == ASY_OK) {
        st = write_processes(h); // with what the second look merged
    }
    for (uint32_t i = 0; i < h->proc_top && st == ASY_OK; i++) {
        asy_model_process *p = h->processes[i];

        if (p != NULL && p->image != NULL && p->id == ASY_NONE) {
            st = leave_to_group(h, p);
        }
    }
    if (st == ASY_OK) {
        st = asy_group_write(h);
    }
    if (st == ASY_OK) {
        st = asy_group_note(h);
    }
    if (st == ASY_OK) {
        st = write_losses(h);
    }
    if (st == ASY_OK) {
        st = note_damage(h);
    }
    if (st == ASY_OK) {
        st = note_replaced(h);
    }
    if (st == ASY_OK) {
        st = asy_writer_flush(h->writer);
    }
    return st != ASY_OK ? st : asy_writer_status(h->writer);
}

asy_harvest_totals
asy_harvest_count(const asy_harvest *h)
{
    asy_harvest_totals t = h->totals;

    t.threads_live = h->thread_count;
    return t;
}
