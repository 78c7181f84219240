// cost.h: what measuring cost the program, and how long the program took without it.
#ifndef ASY_REPORT_COST_H
#define ASY_REPORT_COST_H

#include "core/status.h"
#include "record/profile.h"
#include "report/origin.h"

// What the events of a node cost, in picoseconds: inside the callee, and in its caller. A resume costs what a call does.
void asy_cost_of_node(const asy_profile_process *p, const asy_profile_node *n, uint64_t *in_ps, uint64_t *out_ps);

// The node of a thread where the program begins: 0 = all of the thread is the program, UINT32_MAX = the program never began.
// True if the program begins at node `i`: its first one, or a flat node, whose calls had lost their paths by then.
bool asy_cost_program_begins(const asy_profile_thread *th, uint32_t i, uint32_t program);
uint32_t asy_cost_program_node(const asy_profile *p, uint32_t thread);

typedef struct {
    uint64_t
        measured_ns; // from the program's beginning to its end or that of its last thread; where that is not known, or there are
                     // several processes: the whole session
    uint64_t own_ns; // what our own cost added to it, see asy_wall_make
} asy_wall;

// Threads that share a GIL pay our cost one after the other, others at once; but no thread that ran or waited for something outside
// all the time was held up by what another paid. Errors: ASY_ENOMEM.
asy_status asy_wall_make(const asy_profile *p, const asy_origin *origin, asy_wall *out);

static inline uint64_t
asy_wall_ns(const asy_wall *w)
{
    return w->measured_ns - w->own_ns;
}

#endif
