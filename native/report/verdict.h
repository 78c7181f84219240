// verdict.h: the sentence that answers "where did the time go?".
#ifndef ASY_REPORT_VERDICT_H
#define ASY_REPORT_VERDICT_H

#include "report/analysis.h"
#include "report/rows.h"
#include "report/words.h"

typedef struct {
    uint32_t func; // that dominates; ASY_VIEW_NONE = none
    asy_measure by;
    uint64_t base_ns; // what percentages are of
    const char *did;  // "" = the wall time, else what the threads did in it: " that its threads ran"
} asy_verdict;

// By what time functions are judged.
asy_measure asy_verdict_measure(const asy_analysis *a);
// Threads only wait in this function for each other or for work, and that is not the answer: not where the time goes.
bool asy_verdict_sets_aside(const asy_analysis *a, asy_measure by, const asy_row *r);

// Decide, and add the answer's clauses to `head`, those on what the function's time is made of to `made_of` (may stay empty).
// Errors: ASY_ENOMEM.
asy_status asy_verdict_make(const asy_analysis *a, asy_verdict *out, asy_words *head, asy_words *made_of);

#endif
