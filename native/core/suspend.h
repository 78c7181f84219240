// suspend.h: generators and coroutines between a yield and the resume that follows.
// A process-wide table keyed by frame: when the frame was suspended, and which tags were open inside it. Bounded: sets of eight;
// a full set evicts its oldest entry. Entries are claimed and freed by compare-and-swap; an entry's owner is the
// thread that runs the frame, of which there is one at a time. A dropped generator leaves its entry behind until its
// address is used again or the set is full.
#ifndef ASY_CORE_SUSPEND_H
#define ASY_CORE_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tree.h"

#define ASY_SUSPEND_WAYS 8u
#define ASY_SUSPEND_TAGS 3u

typedef struct {
    uint64_t frame; // 0 = free, 1 = being filled; atomic
    uint64_t ticks; // when it was suspended
    struct {
        uint64_t token;
        uint32_t func;
        uint32_t spare;
    } tags[ASY_SUSPEND_TAGS]; // open inside the frame, outermost first; func 0 = none
} asy_suspend_row;            // 64 bytes

_Static_assert(sizeof(asy_suspend_row) == 64, "a cache line");

typedef struct {
    asy_suspend_row *rows; // borrowed, zeroed, `sets` × ASY_SUSPEND_WAYS
    uint32_t sets;         // a power of two
    uint64_t since;        // rows of before say nothing: resumes may have gone unseen
} asy_suspend;

// A frame is suspended: leaves the stack, is remembered with the tags that were open in it.
bool asy_suspend_yield(asy_suspend *s, asy_tree *t, uint64_t token, uint64_t frame, uint64_t now);

// It goes on at `node`: back on the stack with its tags; the time between is the node's suspended time.
void asy_suspend_resume(asy_suspend *s, asy_tree *t, uint32_t node, uint64_t token, uint64_t frame, uint64_t now);

// It was suspended when it was last seen.
bool asy_suspend_has(const asy_suspend *s, uint64_t frame);

#endif
