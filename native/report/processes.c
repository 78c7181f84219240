// processes.c: the processes of a recording, each in a line.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report/table.h"
#include "report/units.h"
#include "report/words.h"

typedef struct {
    uint32_t process;
    uint64_t wall_ns, run_ns, calls;
} process_row;

static int
by_run(const void *x, const void *y)
{
    const process_row *a = x, *b = y;

    return a->run_ns != b->run_ns ? (a->run_ns < b->run_ns) - (a->run_ns > b->run_ns)
                                  : (a->process > b->process) - (a->process < b->process);
}

// What the selected part of one process did; *any: there is something of it.
static asy_status
sum_up(const asy_page *g, uint32_t process, process_row *out, bool *any)
{
    const asy_profile_process *p = &g->p->processes[process];
    asy_view_select one = g->select;
    asy_view *v;
    asy_status st;

    one.process = process + 1;
    one.same = g->view->same;
    st = asy_view_make(g->p, &one, &v);
    if (st != ASY_OK) {
        return st;
    }
    *any = v->threads > 0;
    *out = (process_row){.process = process, .wall_ns = p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0};
    for (uint32_t i = 1; i < v->node_count; i++) {
        out->run_ns += v->nodes[i].self_ns - v->nodes[i].wait_ns;
        out->calls += asy_view_kind(&v->nodes[i]) == ASY_NODE_TAG ? 0 : v->nodes[i].calls;
    }
    asy_view_free(v);
    return ASY_OK;
}

// "exit 0", "SIGKILL", "" where it is not known.
static void
end_text(const asy_profile_process *p, char *text, size_t size)
{
    const char *name = p->exited == 2 ? sigabbrev_np(p->status) : NULL;

    text[0] = '\0';
    if (p->exited == 1) {
        snprintf(text, size, "exit %d", p->status);
    } else if (p->exited == 2 && name != NULL) {
        snprintf(text, size, "SIG%s", name);
    } else if (p->exited == 2) {
        snprintf(text, size, "signal %d", p->status);
    }
}

// The interpreter without its directory: "python3 job.py".
static const char *
command_of(const asy_profile_process *p)
{
    size_t first = strcspn(p->command, " '");
    const char *slash = p->command[first] == '\'' ? NULL : memrchr(p->command, '/', first);

    return slash != NULL ? slash + 1 : p->command;
}

static void
add_row(asy_table *t, const asy_page *g, const process_row *r, uint64_t largest)
{
    const asy_profile_process *p = &g->p->processes[r->process];
    char pid[32], parent[40] = "", end[32];

    end_text(p, end, sizeof end);
    snprintf(pid, sizeof pid, p->merged > 1 ? "%llu together" : "%llu",
             (unsigned long long)(p->merged > 1 ? p->merged : p->pid));
    if (p->parent_pid != 0) {
        snprintf(parent, sizeof parent, "%llu", (unsigned long long)p->parent_pid);
    }
    asy_table_row(t, ASY_STYLE_PLAIN);
    asy_table_cell(t, asy_units_column(r->wall_ns, largest).s);
    asy_table_cell(t, asy_units_column(r->run_ns, largest).s);
    asy_table_cell(t, asy_units_count(r->calls).s);
    asy_table_cell(t, pid);
    asy_table_cell(t, parent);
    asy_table_cell(t, (p->flags & ASY_PROC_F_FORKED) != 0 ? "fork" : "");
    asy_table_cell(t, end);
    asy_table_cell(t, command_of(p));
}

static void
print_table(asy_page *g, const process_row *rows, uint32_t count)
{
    static const asy_column columns[] = {
        {ASY_COLUMN_NUMBER, "wall", 0, 0}, {ASY_COLUMN_NUMBER, "running", 0, 0}, {ASY_COLUMN_NUMBER, "calls", 2, 0},
        {ASY_COLUMN_NUMBER, "pid", 0, 0},  {ASY_COLUMN_SOME, "parent", 0, 0},    {ASY_COLUMN_SOME, "by", 0, 0},
        {ASY_COLUMN_SOME, "end", 1, 0},    {ASY_COLUMN_NAME, "command", 0, 20},
    };
    uint32_t shown = g->r->limit != 0 && count > g->r->limit ? g->r->limit : count;
    uint64_t largest = 0;
    asy_table t;

    asy_table_open(&t, columns, 8);
    for (uint32_t i = 0; i < shown; i++) {
        largest = rows[i].wall_ns > largest ? rows[i].wall_ns : largest;
    }
    for (uint32_t i = 0; i < shown; i++) {
        add_row(&t, g, &rows[i], largest);
    }
    asy_table_print(&t, g->o, 0);
    if (shown < count) {
        asy_out_fmt(g->o, "… %s more (--limit 0 shows all)\n", asy_units_count(count - shown).s);
    }
    asy_table_close(&t);
}

asy_status
asy_page_processes(asy_page *g)
{
    process_row *rows = calloc((size_t)g->p->process_count + 1, sizeof *rows);
    uint32_t count = 0;
    asy_status st = rows == NULL ? ASY_ENOMEM : ASY_OK;

    for (uint32_t i = 0; i < g->p->process_count && st == ASY_OK; i++) {
        bool any = false;

        st = sum_up(g, i, &rows[count], &any);
        count += any;
    }
    if (st == ASY_OK && count == 0) {
        asy_page_nothing(g);
    } else if (st == ASY_OK) {
        qsort(rows, count, sizeof *rows, by_run);
        print_table(g, rows, count);
    }
    free(rows);
    return st;
}
