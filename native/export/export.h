// export.h: a profile in the formats of other tools. docs/export.md says what each of them holds.
// Two kinds: pstats and callgrind take functions and their callers; collapsed and speedscope take the threads' trees, one after the
// other. Failures to write stick in the stream.
#ifndef ASY_EXPORT_EXPORT_H
#define ASY_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "export/stream.h"
#include "record/buffer.h"
#include "record/edges.h"
#include "record/profile.h"

// ---- functions and their callers ----

// What a function is called in a pstats file: cProfile's (file, line, name). Functions that have the same one are one there.
// *key: per function, the lowest index of one with the same; caller frees. Errors: ASY_ENOMEM.
asy_status asy_export_keys(const asy_profile *p, uint32_t **key);

// `e` is by these keys. Errors: ASY_ENOMEM.
asy_status asy_export_pstats(const asy_profile *p, const asy_edges *e, asy_stream *s);
// Errors: ASY_ENOMEM.
asy_status asy_export_callgrind(const asy_profile *p, const asy_edges *e, asy_stream *s);

// ---- trees ----

// A node of a tree in depth-first order, the root left out.
typedef struct {
    uint32_t depth; // 1 = below the root; at most one more than that of the step before
    uint32_t func;
    uint64_t self_ns, total_ns;
} asy_export_step;

typedef struct {
    const char *name; // of the thread
    const asy_export_step *steps;
    uint32_t count;
} asy_export_tree;

#define ASY_COLLAPSED_FRAMES 1000u // of a stack; what is deeper counts there, as "[deeper]"

typedef struct {
    const asy_profile *p;                  // borrowed
    const char *const *places;             // borrowed: per function, where it is, as reports show it
    asy_stream *s;                         // borrowed
    char **names;                          // owned
    asy_buffer path;                       // owned: of the step at hand
    size_t ends[ASY_COLLAPSED_FRAMES + 1]; // [depth]: where the path of that depth ends
} asy_collapsed;

// Begin, the lines of each tree, end (which frees, whatever came before). One line for each stack that has time of its own.
// `with_thread`: the tree's name is the outermost frame. Errors: ASY_ENOMEM.
asy_status asy_collapsed_begin(asy_collapsed *x, const asy_profile *p, const char *const *places, asy_stream *s);
asy_status asy_collapsed_tree(asy_collapsed *x, const asy_export_tree *t, bool with_thread);
void asy_collapsed_end(asy_collapsed *x);

typedef struct {
    const asy_profile *p; // borrowed
    asy_stream *s;        // borrowed
    uint32_t *frame;      // owned: per function, 1 + its frame, 0 = none yet
    uint32_t *funcs;      // owned: per frame, its function
    uint32_t frame_count, tree_count;
} asy_speedscope;

// Begin, a profile for each tree, end (which frees, whatever came before). Errors: ASY_ENOMEM.
asy_status asy_speedscope_begin(asy_speedscope *x, const asy_profile *p, const char *name, asy_stream *s);
asy_status asy_speedscope_tree(asy_speedscope *x, const asy_export_tree *t);
asy_status asy_speedscope_end(asy_speedscope *x);

#endif
