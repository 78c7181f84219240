// process.h: what belongs to the measured process: one struct, reached from hot paths and from the module.
// An asy_agent is made once per process and never moves; measuring can begin and end many times in it.
// Threading: fields are written while measuring is off, or under `lock`, unless they say atomic.
#ifndef ASY_AGENT_PROCESS_H
#define ASY_AGENT_PROCESS_H

#include "cpython/api.h"

#include <pthread.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/suspend.h"
#include "core/symbols.h"
#include "core/tree.h"

typedef struct {
    uint64_t key;  // 0 = empty
    uint64_t name; // second half of the identity
    uint32_t func;
    uint32_t special; // of a thread's own rows: the id where func is 0 because tags.c has to see the calls
} asy_func_row;

typedef struct {
    asy_func_row *rows; // owned private memory, a power of two
    uint32_t mask, used;
} asy_func_table;

// What events look at besides, once there is reason to.
#define ASY_LOOK_CONTEXT 1u // is the context another one (tags.h)?
#define ASY_LOOK_BELOW 2u   // is the frame that runs suspended for us (delegates.h)?

typedef struct {
    asy_arena arena;
    uint32_t slot;      // of the process table
    asy_proc *proc;     // that row
    uint64_t own_pid;   // as this process sees itself
    uint64_t outer_pid; // as /proc names it
    uint64_t serial;    // of that row
    uint64_t costs[4];  // that were calibrated: those of the row, for fork children
    int measuring;      // atomic; 0 = callbacks do nothing
    uint32_t looks;     // atomic; ASY_LOOK_*
    uint64_t epoch;     // atomic; one more each time measuring begins: stacks of before are read anew
    asy_clock_kind clock;
    asy_clock_pair begin;
    uint64_t ns_q20;   // ns per tick × 2^20, rough (for the gap rule)
    uint64_t tick_q20; // ticks per ns × 2^20
    uint64_t gap_ticks;
    uint32_t node_max;
    bool c_calls;
    bool standalone;            // the engine is the process's own: no program stands beside it
    bool tool_ready;            // the engine was opened whole
    bool renew;                 // it was, in a runtime that has been finalized
    struct asy_window *windows; // open ones, under lock
    int every_thread;           // atomic; 0: only threads that asked for it are measured (asy_thread_want)
    int timed;                  // profiles with a timer of the program's that are begun
    uint64_t fresh_epoch; // under lock; stacks of before it begin with an empty tree: nobody needs what they counted

    uint64_t *alive;                // atomic; ASY_AGENT_*, in MADV_WIPEONFORK memory
    uint64_t forks;                 // how often a measured process was forked on the way to this one
    struct asy_agent_thread *wiped; // atomic; of the thread that was forked: all zero, to be used again
    bool fork_first;                // that thread has no stack yet
    asy_suspend suspend;

    pthread_mutex_t lock;                  // function tables; first-sight path only
    asy_func_table codes, callables, tags; // by content; by definition; by labels
    uint32_t func_top;                     // the first id that was not given yet
    asy_func_table living;                 // without ASY_CPYTHON_CODE_SLOTS: by address of the code object
    uint64_t code_deaths;                  // atomic
    bool greenlets;                        // the greenlet package was seen
    int code_watcher;                      // 1 + its id, 0 = none
    Py_ssize_t extra_slot;
    bool extra_direct; // the direct read of code-extra slots is proven
    uint32_t phase_startup, phase_shutdown;

    struct { // log.c
        bool open;
        uint8_t *base; // of the chunk that is written to
        uint32_t used, chunk, chunks;
        uint32_t room;
        const void **index; // by function id, owned
        uint8_t *
            copies; // owned: of the records, for fork children: the program takes back the chunks of a process that has died
        uint32_t copied;
    } log;

    struct {                       // codes.c
        PyObject **at;             // by function id, owned; NULL where none is known to live; borrowed while holds is 0
        uint32_t room, end, holds; // end: 1 + the highest id known
    } code_objects;
    struct {                        // dropin_names.c
        struct asy_dropin_name *at; // by function id, owned
        uint32_t room, first_new;
    } dropin_names;

    uint64_t private_bytes;           // atomic: of asy_agent_alloc
    struct asy_agent_thread *threads; // all that live, under lock
    pthread_key_t thread_key;
    bool thread_key_made;
    uint64_t program_token; // atomic; shadow-stack token of it while it runs
    uint32_t program_func;
    int program_begun; // atomic
    bool embedding;    // a second piece of __main__ ran: the program ends with the process
    PyObject *name_threading, *name_active, *name_name, *name_get; // interned str, owned
    PyTypeObject *bound_slot_type;                                 // borrowed, static; NULL = unknown
    PyObject *monitoring;                                          // sys.monitoring, owned; NULL without
    int tool_id;                                                   // -1 = none
    PyObject *tool_name;                                           // str, owned
    unsigned long tool_events;                                     // that were asked for
    bool tool_whole;                                               // callbacks are registered, none has died
    int tool_lost;                                                 // atomic; 1: taken away by the program, and counted

    PyTypeObject *tag_type, *link_type;                       // owned; NULL until the module is imported
    PyObject *tag_var;                                        // ContextVar, owned
    uint64_t tag_count;                                       // atomic: activations so far
    int tag_follows;                                          // atomic; 1: contexts are being followed
    PyTypeObject *profile_type, *loaded_type, *column_type;   // owned; NULL until the module is imported
    PyTypeObject *profiler_type, *entry_type, *subentry_type; // owned; of the drop-in, likewise
    uint32_t profilers;                                       // of the drop-in's that are enabled
    PyObject *profilers_name;                                 // str, owned: that of their tool id
    PyObject *recording_error;                                // owned
    PyObject *started;                                        // list, owned: profiles of start()
    PyThread_type_lock sessions;                              // owned; held while a profile begins or ends
    unsigned long sessions_owner;                             // atomic; who holds it, 0 = nobody
} asy_agent;

extern asy_agent asy_the_agent; // the one file-level state: hot paths address it directly

// Private memory of ours: page granular, zeroed, counted as resident. wipe: zero again in a fork child.
void *asy_agent_alloc(size_t bytes, bool wipe);
void asy_agent_release(void *p, size_t bytes);

// The id that the link names, which is that outside of our pid namespace where /proc is from there; otherwise `own`.
uint64_t asy_agent_outer_id(const char *link, uint64_t own);

static inline uint64_t
asy_agent_ticks(void)
{
    return asy_clock_ticks(asy_the_agent.clock);
}

// Attach to the arena behind fd, claim a process row, prepare tables and calibrate. The caller switches events on.
// Errors: as asy_arena_attach and asy_arena_claim_proc.
asy_status asy_agent_open(int fd, uint64_t nonce);

// What asy_agent.alive says. A fork child finds it wiped.
enum {
    ASY_AGENT_FORKED = 0,   // a fork child that has not been looked at
    ASY_AGENT_HERE = 1,     // the engine is this process's
    ASY_AGENT_SETTLING = 2, // another thread is just looking
    ASY_AGENT_REFUSED = 3,  // the engine stayed with the parent; events are still on
    ASY_AGENT_OFF = 4,      // …and are off
};

static inline bool
asy_agent_here(void)
{
    return __atomic_load_n(asy_the_agent.alive, __ATOMIC_ACQUIRE) == ASY_AGENT_HERE;
}

// fork.c: in a fork child, the first who comes makes a process of its own of it, with a row in the arena: runs no Python code, takes no lock
// of before. True: the engine is this process's. False: it stays unmeasured (standalone, the session is over, or there is no row: counted).
bool asy_agent_settle(void);
// Where that said false in a standalone engine: go on in the arena behind fd, with no threads and no windows. Numbers of functions, and their names,
// stay as they are. Errors: of asy_arena_attach; ASY_ELIMIT.
asy_status asy_agent_settle_alone(int fd, uint64_t nonce);

// When the calling process started, in clock ticks since boot, and its parent, as /proc names them; 0: unreadable.
void asy_agent_own_stat(uint64_t *start_time, uint64_t *parent);

#endif
