// builder.h: events of a recording to the arrays of a profile. The inner half of profile.c.
// A row may refer only to what stands before it; one that does not makes the whole recording contradictory (ASY_ECORRUPT).
#ifndef ASY_RECORD_BUILDER_H
#define ASY_RECORD_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "record/profile.h"
#include "record/reader.h"
#include "record/text.h"

#define ASY_BUILDER_PROBLEM_BYTES 160u

typedef struct {
    asy_profile p; // first: the one is cast to the other
    asy_text_pool texts;
    char problem[ASY_BUILDER_PROBLEM_BYTES];
} asy_builder_profile;

typedef struct {
    asy_builder_profile *l; // borrowed
    const char *why;        // what a row contradicts, static; NULL: nothing
    bool session, ended;
    uint32_t func_cap, thread_cap, process_cap, note_cap;
    uint32_t *node_cap; // owned: per thread, room in nodes
    uint32_t node_cap_cap;
} asy_builder;

// What adds each row of a recording to `b` (borrowed).
asy_reader_handler asy_builder_handler(asy_builder *b);
// After the last row: arrays are made compact, and what only the whole tells is checked.
// Errors: ASY_ENOMEM, ASY_ECORRUPT (b->why).
asy_status asy_builder_finish(asy_builder *b);

#endif
