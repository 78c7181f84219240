// window.h: one measurement in the process: what was counted between two moments. Windows nest and overlap; an open one costs nothing per event.
// A window holds the counts of each thread as they stood when it began. What a thread did in it is the difference, taken when the
// window or the thread ends. Needs the GIL but where it says otherwise; the agent's lock guards the list of open ones.
#ifndef ASY_AGENT_WINDOW_H
#define ASY_AGENT_WINDOW_H

#include "agent/tag.h"

typedef struct {
    uint64_t calls, resumes, unwinds, self_ticks, wait_ticks, suspended_ticks;
} asy_window_counts;

typedef struct {
    uint32_t parent, func, kind, open; // func: the process's id
    asy_window_counts n;
} asy_window_node;

// What one thread did, or many short ones of like names.
typedef struct asy_window_row {
    struct asy_window_row *next; // owned
    uint64_t serial, native_id, start_ticks, end_ticks, cpu_ns, flags, merged, overhead_ticks, overhead_events;
    bool ended;
    uint32_t name_bytes;
    char name[ASY_NAME_BYTES];
    uint32_t count, room;
    asy_window_node *nodes; // owned; [0] is the root
    uint32_t *slots;        // owned: (parent, kind, func) → node, of merged rows; NULL: none
    uint32_t slot_mask;
} asy_window_row;

// A thread as it stood when the window began. Of a window with a scope, its nodes alone, in their order: a node that is in it
// is so for ever.
typedef struct {
    uint64_t serial, cpu_ns, overhead_ticks, overhead_events;
    uint32_t count;
    asy_window_counts *nodes; // owned
    uint8_t *open;            // owned: 1 where the node was on the stack
} asy_window_base;

typedef struct asy_window {
    struct asy_window *next; // open ones
    asy_clock_pair begin, end;
    uint64_t start_unix_ns;
    uint32_t scope;         // function of a tag: what runs inside it, and nothing else; 0 = everything
    uint64_t forks;         // of the agent, when it began
    bool lost;              // the process was forked: there is nothing to be had in the child
    uint64_t thread;        // serial of the one thread that it is of; 0: all
    asy_window_base *bases; // owned
    uint32_t base_count;
    asy_window_row *rows; // owned: in the end, all
    uint32_t row_count, merged_count;
    uint64_t losses[ASY_LOSS_COUNT]; // as they stood, in the end what came
    uint64_t lost_rows;              // ended threads that found no memory here
} asy_window;

// What a window is of.
typedef struct {
    asy_tag *only;     // borrowed: a tag with texts, whose inside is measured; NULL = everything
    bool every_thread; // else the calling one alone
    bool c_calls;      // else calls of C functions may go uncounted, which is cheaper
} asy_window_wish;

// Begin: events are on from here. *out is owned.
// Errors: of asy_engine_need; ASY_ENOMEM; ASY_EINVAL (the interpreter refused events).
asy_status asy_window_begin(const asy_window_wish *wish, asy_window **out);
// End: nothing is added to it any more. Events go off with the last one, where no program measures.
void asy_window_end(asy_window *w);
// End, and nobody asks what was counted: takes no time for each node.
void asy_window_drop(asy_window *w);
void asy_window_free(asy_window *w);
// What was counted up to now in an open one: rows as those of the end, owned (asy_window_rows_free). False: no memory.
bool asy_window_look(asy_window *w, asy_window_row **rows);

// A thread ends: open windows take what it did. Any thread, without the GIL, with the agent's lock held.
void asy_window_thread_ends(asy_agent_thread *t);

// window_row.c: the difference between a thread now and its base (NULL: it began later). NULL: nothing was counted, or no memory (*failed).
asy_window_row *asy_window_row_take(asy_agent_thread *t, uint32_t scope, const asy_window_base *base, uint64_t now,
                                    bool *failed);
bool asy_window_base_take(asy_agent_thread *t, uint32_t scope, uint64_t now, asy_window_base *out);
bool asy_window_row_merge(asy_window_row *into, const asy_window_row *from);
bool asy_window_row_join(asy_window_row *into, const asy_window_row *from); // nodes alone
asy_window_row *asy_window_row_copy(const asy_window_row *row);             // owned; NULL: no memory
void asy_window_row_free(asy_window_row *row);
void asy_window_rows_free(asy_window_row *rows);

// window_scope.c: where each of a tree's first `count` nodes stands in a window of this scope: owned; NULL: no memory. The root is 0, what is
// outside ASY_WINDOW_OUT. *inside: how many stand in it, the root included. With scope 0 all do.
#define ASY_WINDOW_OUT UINT32_MAX
uint32_t *asy_window_scope_places(const asy_agent_thread *t, uint32_t scope, uint32_t count, uint32_t *inside);
// A row of a scope: what stood on several paths, as one tree; what is known of the thread and not of the scope goes. Takes `row`. NULL: no
// memory.
asy_window_row *asy_window_scope_row(asy_window_row *row);

// window_write.c: a window that has ended, as the bytes of a recording. *bytes is owned (free).
// labels: of its scope, as they are to be shown; 0 of them: as they are.
asy_status asy_window_write(const asy_window *w, const asy_text *labels, uint32_t label_count, void **bytes,
                            size_t *len);

#endif
