// model.h: what the harvester knows of an arena, and how its files share the work. Private to native/harvest.
//   harvest.c  the order of a poll, deaths, the end         directory.c  which chunk belongs to whom, freeing
//   symbols.c  function ids of a process to the recording's  threads.c    nodes and counts of one thread
//   open.c     calls that have not returned                  process.c    process rows
//   merge.c    many short threads in one row                image.c      what a fork child shares with its parent
//   group.c    many short processes in one row
// Everything here is private memory. What comes from the arena is bounded when it is taken over; after that it is trusted.
#ifndef ASY_HARVEST_MODEL_H
#define ASY_HARVEST_MODEL_H

#include "core/names.h"
#include "harvest/harvest.h"
#include "harvest/map.h"

#define ASY_NONE UINT32_MAX
#define ASY_OWN_PROCESSES 512u      // processes that are kept by themselves, whatever they do
#define ASY_LASTING_PROCESSES 1024u // with those that came later and lasted over two checkpoints
#define ASY_GROUPS 32u              // of all others, by command line; one more takes what has no group of its own
#define ASY_OWN_ROWS 256u           // threads of a process that are kept by themselves, whatever they do
#define ASY_LASTING_ROWS 1024u      // with those that came later and lasted over two checkpoints
#define ASY_MERGED_NODES (1u << 20) // of all merged rows together: some 100 MiB
#define ASY_IMAGES_KEPT 64u         // of dead processes: a fork child may show itself only after its parent's death

// A word of the arena: read once, whole.
static inline uint64_t
asy_word_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint32_t
asy_word_load32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

typedef struct {
    uint32_t parent, func, kind, open; // func: recording-wide
    uint64_t calls, resumes, unwinds, self_ticks, wait_ticks, suspended_ticks;
} asy_model_node; // 64 bytes

typedef struct {
    uint32_t ordinal, chunk;
} asy_model_piece;

typedef struct {
    asy_model_piece *at; // owned; ascending ordinals
    uint32_t count, room;
} asy_model_pieces;

typedef struct asy_model_thread {
    struct asy_model_process *process; // borrowed
    uint64_t serial;
    uint32_t place;                               // in asy_harvest.threads
    uint32_t chunk;                               // the THREAD chunk, ASY_NONE = not seen
    uint32_t id;                                  // row in the recording, ASY_NONE = none yet
    uint32_t checkpoints;                         // that it has lived through
    bool ended;                                   // by itself
    bool damaged;                                 // its nodes are taken no further
    bool lied;                                    // its counts were more than can be
    bool waited;                                  // a symbol was missing at the last take
    uint64_t seen_event, seen_ticks, seen_cpu_ns; // its CPU time when last asked for, during the call since that event
    uint32_t limit;                               // nodes that were complete when this poll began
    asy_model_pieces node_pieces, stack_pieces;
    asy_model_node *nodes;                   // owned
    uint32_t *open;                          // owned, as long as nodes, zero between takes
    uint32_t node_count, node_room, defined; // `defined`: nodes the writer knows
    asy_write_thread row;                    // as last taken; its name points to `name`
    char name[ASY_NAME_BYTES];
} asy_model_thread;

typedef struct {
    asy_model_node *nodes; // owned
    uint8_t *changed;      // owned
    uint32_t node_count, node_room, defined;
    asy_map index;        // (parent, kind, func) → node
    asy_write_thread row; // its name points to `name`
    char name[ASY_NAME_BYTES];
    bool row_changed;
} asy_model_merged;

// What was known in a process image when it forked is known in the child as well: its functions by their ids, its command line.
typedef struct asy_model_image {
    struct asy_model_image *parent; // counted; NULL = it began by exec, or nothing is known of the parent
    uint64_t serial;                // of the process row
    uint64_t limit;                 // ids below are the parent's
    uint32_t users;
    asy_map funcs; // id in the process → id in the recording
    uint8_t *used; // owned, `used_bytes`: a bit for each id of the recording that `funcs` has
    uint32_t used_bytes;
    char *texts; // owned: executable, cwd, command; NULL = as the parent
    asy_text executable, cwd, command;
} asy_model_image;

typedef struct asy_model_process {
    uint32_t slot;
    uint32_t id; // ASY_NONE = the recording does not know it yet
    uint64_t pid;
    asy_model_image *image; // counted; NULL = the row was not claimed wholly when last looked at
    bool dead;
    uint64_t died_ticks;
    int exited, status;
    uint32_t checkpoints; // that it has lived through
    bool followed;        // by another program of the same process, by exec: how the process ended is that one's
    struct asy_model_process *group; // borrowed; where its threads are merged if it has no id
    uint32_t rows;                   // threads with a row of their own
    uint64_t main_serial;            // of the thread in main_id
    uint32_t main_id, main_nodes;
    uint64_t lost_symbols;                          // functions that were given the name "?"
    asy_map threads;                                // serial + 1 → asy_model_thread
    asy_model_merged *merged[ASY_NAMES_MERGED + 1]; // owned
    asy_model_merged *main;                         // of a group: the main threads', borrowed
    char *texts;                                    // of a group: owned
    asy_write_process row;                          // last written; its texts borrow from the image
} asy_model_process;

// What is known of a chunk that is not free.
typedef struct {
    uint64_t owner; // state >> 8 when it was taken over, UINT64_MAX = not yet
    uint32_t kind;
    uint32_t read; // symbol bytes consumed
    bool taken;    // nothing more is wanted from it
} asy_model_chunk;

struct asy_harvest {
    asy_arena *arena;   // borrowed
    asy_writer *writer; // borrowed
    asy_clock_kind clock;
    asy_clock_pair begin, now;
    asy_clock_scale scale;
    uint64_t gap_ticks;
    asy_model_chunk *chunks;                    // owned, chunk_room
    uint32_t chunk_room, chunk_top;             // no chunk from `top` on was ever claimed
    asy_model_process *processes[ASY_PROC_MAX]; // owned; by slot; NULL = none, or it has died
    uint32_t proc_top;                          // no row from `top` on was ever claimed
    asy_model_image *kept[ASY_IMAGES_KEPT];     // counted; of processes that died last, NULL = none
    uint32_t kept_next;
    asy_model_process *groups[ASY_GROUPS + 1]; // owned
    uint64_t own_processes;                    // with a row of their own
    asy_map interned;                          // hash of a function's record → id in the recording
    int64_t
        replaced; // processes that became another program, less those of which that is measured, of those that have died
    asy_model_thread **threads; // owned, each owned
    uint32_t thread_count, thread_room;
    uint32_t look_next; // thread whose CPU time was asked for last
    uint32_t next_process, next_thread, next_func;
    uint32_t nameless;     // func of "?", ASY_NONE = not made
    uint32_t merged_limit; // nodes of all merged rows together, flat ones apart
    uint64_t merged_nodes, merged_folds, merged_lost;
    uint64_t counted; // sums over all nodes, so that no reader's sum overflows
    unsigned __int128 counted_ticks;
    uint64_t losses[ASY_LOSS_COUNT]; // last written
    asy_harvest_totals totals;
    uint8_t *scratch; // owned, one chunk
};

uint64_t asy_harvest_ns(const asy_harvest *h, uint64_t ticks); // since the session began
uint64_t asy_harvest_owner_pins(const asy_harvest *h, uint64_t owner);

// directory.c
asy_status asy_directory_scan(asy_harvest *h);
// Nothing more is wanted from a chunk: it is freed now if its owner is done with it, else as soon as it is.
void asy_directory_release(asy_harvest *h, uint32_t chunk);
// Every chunk of a dead process.
void asy_directory_bury(asy_harvest *h, uint32_t slot);

// symbols.c
asy_status asy_symbols_take(asy_harvest *h, asy_model_process *p, const uint8_t *bytes, uint32_t len, uint32_t *used,
                            bool *damaged);
asy_status asy_symbols_invent(asy_harvest *h, asy_model_process *p, uint32_t func, uint32_t *id);

// threads.c
asy_status asy_threads_link(asy_harvest *h, asy_model_process *p, uint64_t serial, uint32_t chunk, uint32_t kind,
                            uint32_t ordinal, bool *accepted);
void asy_threads_mark(asy_harvest *h, asy_model_thread *t, bool count);
// Take over what is complete and write it, as a row of its own or (at its end) merged. `until`: when open calls are cut.
asy_status asy_threads_take(asy_harvest *h, asy_model_thread *t, uint64_t until, bool last);
// Forget a thread and give its chunks back.
void asy_threads_drop(asy_harvest *h, asy_model_thread *t);
void asy_threads_free(asy_model_thread *t);

const asy_thread *asy_threads_page(asy_harvest *h, const asy_model_thread *t); // NULL: not to be had
const asy_frame *asy_threads_frame(asy_harvest *h, const asy_model_thread *t, uint64_t depth);

// image.c
// Errors: ASY_ENOMEM. The image of `serial`, forked off that of `parent` (0: none); both counted by the caller from now on.
asy_status asy_image_new(asy_harvest *h, uint64_t serial, uint64_t parent, uint64_t limit, asy_model_image **out);
void asy_image_drop(asy_model_image *image);
// The process has died: its image is kept for a while, instead of one that died before.
void asy_image_keep(asy_harvest *h, asy_model_image *image);
bool asy_image_func(const asy_model_image *image, uint32_t func, uint32_t *id);
// `id` stands for `func` from now on.
asy_status asy_image_put(asy_model_image *image, uint32_t func, uint32_t id);
bool asy_image_uses(const asy_model_image *image, uint32_t id);
asy_status asy_image_texts(asy_model_image *image, const asy_text *strings, uint32_t count);
// The nearest one that has texts; NULL: none.
const asy_model_image *asy_image_named(const asy_model_image *image);

// open.c
// Count the activations of each node into t->open; *extra is what the node *top gets on top of its own counts.
void asy_open_take(asy_harvest *h, asy_model_thread *t, uint64_t until, asy_model_node *extra, uint32_t *top);
void asy_open_look(asy_harvest *h, asy_model_thread *t);
void asy_open_look_round(asy_harvest *h);

// merge.c
asy_status asy_merge_thread(asy_harvest *h, asy_model_thread *t);
asy_status asy_merge_write(asy_harvest *h, asy_model_process *p);
void asy_merge_free(asy_model_merged *m);
asy_write_counts asy_merge_counts(const asy_harvest *h, const asy_model_node *n);

// group.c
// Where the threads of a process go that gets no row of its own. Errors: ASY_ENOMEM, the writer's.
asy_status asy_group_find(asy_harvest *h, asy_model_process *p);
// It has ended, or the recording does; its threads are in the group.
void asy_group_add(asy_harvest *h, const asy_model_process *p);
asy_status asy_group_write(asy_harvest *h);
asy_status asy_group_note(asy_harvest *h);

// process.c
asy_status asy_process_meet(asy_harvest *h, uint32_t slot, asy_model_process **out);
asy_status asy_process_link(asy_harvest *h, asy_model_process *p); // after all have been met
// `until`, or when the process called exec or exit, if that was before.
uint64_t asy_process_until(const asy_harvest *h, const asy_model_process *p, uint64_t until);
bool asy_process_replaced(const asy_harvest *h, const asy_model_process *p); // it became another program by exec
bool asy_process_follows(const asy_harvest *h,
                         const asy_model_process *p); // it is such a program of a process that was measured before
// Written only if it has a row of its own, or gets one: `p->row` is as it stands in any case.
asy_status asy_process_write(asy_harvest *h, asy_model_process *p);
// It has died and all of it is taken: the row is free for another one. `p` is gone.
void asy_process_bury(asy_harvest *h, asy_model_process *p);
void asy_process_free(asy_model_process *p);

#endif
