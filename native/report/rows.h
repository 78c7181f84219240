// rows.h: a view by function: flat, callers, callees.
// A total counts an activation only where the function (for callers and callees: that call of it by that function) is not already
// on the stack, so recursion is counted once. Time under a label, but outside of any call below it, belongs to the function that set the label.
#ifndef ASY_REPORT_ROWS_H
#define ASY_REPORT_ROWS_H

#include <stdint.h>

#include "core/status.h"
#include "report/view.h"

typedef struct {
    uint32_t func; // ASY_VIEW_NONE = outside of any function (a caller only)
    uint32_t open; // activations on the stack at the end
    uint64_t calls;
    uint64_t primitive; // calls that were not below a call of the same function
    uint64_t resumes, unwinds;
    uint64_t self_ns, wait_ns;
    uint64_t total_ns, total_wait_ns;
    uint64_t suspended_ns;
} asy_row;

typedef enum {
    ASY_ROWS_SELF,
    ASY_ROWS_TOTAL,
    ASY_ROWS_CPU,
    ASY_ROWS_CALLS,
    ASY_ROWS_SUSPENDED,
    ASY_ROWS_NAME
} asy_rows_order;

// Each allocates *rows, which the caller frees; functions without calls and time have no row.
// Errors: ASY_ENOMEM.
asy_status asy_rows_flat(const asy_view *v, asy_row **rows, uint32_t *count);
// Who called `func`: its calls, self and total time by caller. A total counts the outermost calls from that caller: without
// recursion the totals add up to the function's own, with it the function is its own caller too, within the time of the others.
asy_status asy_rows_callers(const asy_view *v, uint32_t func, asy_row **rows, uint32_t *count);
// What `func` called: its calls from there, and the time of the outermost of them.
asy_status asy_rows_callees(const asy_view *v, uint32_t func, asy_row **rows, uint32_t *count);

// Largest first, by name for ASY_ROWS_NAME; ties by function index, so the order is always the same.
void asy_rows_sort(const asy_profile *p, asy_row *rows, uint32_t count, asy_rows_order order);

#endif
