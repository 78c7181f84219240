// thread.h: the measured state of one thread.
// Lies in private MADV_WIPEONFORK memory: in a fork child it reads as zero, and `tree.thread == NULL` sends the first event to the
// slow path. Made at the first event of a thread, ended by a pthread key.
#ifndef ASY_AGENT_THREAD_H
#define ASY_AGENT_THREAD_H

#include "agent/process.h"

#define ASY_CALLABLE_CACHE 256u
#define ASY_CODE_CACHE 1024u
#define ASY_SCRATCH_BYTES 20480u

typedef struct asy_agent_thread {
    asy_tree tree;                              // first: hot
    uint64_t epoch;                             // the measurement that the shadow stack belongs to
    asy_thread *paused;                         // tree.thread while measuring is off
    struct asy_agent_thread *next, **previous;  // in asy_the_agent.threads
    asy_func_row callables[ASY_CALLABLE_CACHE]; // direct-mapped, in front of the process's table
#if ASY_CPYTHON_FREETHREADED
    asy_func_row codes[ASY_CODE_CACHE]; // name = deaths seen when the row was written
#endif
    uint32_t thread_chunk;
    uint32_t name_tries;
    uint64_t context_ver; // of the interpreter's thread, when tags were last looked at
    uint8_t *sym_base;    // where the next symbol record goes
    uint32_t sym_used, sym_room, sym_chunk;
    bool greenlets_hooked;
    uint64_t greenlet_first; // address of the greenlet that runs in context 0
    uint64_t open_call;      // token of a C call that was open when its stack was first seen; 0 = none
    uint64_t thrown;         // the frame into which something was thrown last (3.11)
    uint64_t tag_now;        // tags.c: the chain that is in effect on this stack
    uint32_t owned_count;
    uint32_t owned[1536];            // chunks to end with the thread
    char scratch[ASY_SCRATCH_BYTES]; // for names on their way to the log
} asy_agent_thread;

extern __thread asy_agent_thread *asy_thread_tls __attribute__((tls_model("initial-exec")));
extern __thread bool asy_thread_unmeasured
    __attribute__((tls_model("initial-exec"))); // no stack is begun: Python code of a slow path of ours runs

extern __thread uint64_t asy_thread_wanted
    __attribute__((tls_model("initial-exec"))); // the epoch in which a window of this very thread began

// The calling thread is measured until measuring ends, whoever else is.
static inline void
asy_thread_want(void)
{
    asy_thread_wanted = __atomic_load_n(&asy_the_agent.epoch, __ATOMIC_ACQUIRE);
}

// What the event is, for the frames that are open when a thread is first seen.
typedef enum { ASY_FIRST_ENTERS, ASY_FIRST_LEAVES, ASY_FIRST_CALLS } asy_first;

// The slow path of every event: a new thread, a fork child, measuring just begun or ended. May run Python code. NULL: do not measure this
// event; an exception may be set then (a signal came while the texts of tags were made).
asy_agent_thread *asy_thread_slow(asy_first first);

// Hot: every event. One thread-local load and one test.
static inline asy_agent_thread *
asy_thread_get(asy_first first)
{
    asy_agent_thread *t = asy_thread_tls;

    if (__builtin_expect(t == NULL || t->tree.thread == NULL, 0)) {
        return asy_thread_slow(first);
    }
#if ASY_CPYTHON_FREETHREADED
    if (t->epoch != __atomic_load_n(&asy_the_agent.epoch, __ATOMIC_ACQUIRE)) {
        return asy_thread_slow(first);
    }
#endif
    return t;
}

// Hot: every end of a C call. As asy_thread_get, of a call whose begin this measurement has seen: else NULL.
static inline asy_agent_thread *
asy_thread_begun(void)
{
    asy_agent_thread *t = asy_thread_tls;

    if (t == NULL || t->tree.thread == NULL) {
        return NULL;
    }
#if ASY_CPYTHON_FREETHREADED
    if (t->epoch != __atomic_load_n(&asy_the_agent.epoch, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
#endif
    return t;
}

// The calling thread found no memory before: its next event tries again.
void asy_thread_try_again(void);

// After anything that may have run Python code: is `t` as asy_thread_get gave it? (The measurement may have ended, or another one begun.)
static inline bool
asy_thread_holds(const asy_agent_thread *t)
{
    return t->tree.thread != NULL && t->epoch == __atomic_load_n(&asy_the_agent.epoch, __ATOMIC_ACQUIRE);
}

// Measuring ends: every thread's next event takes the slow path. Without the GIL the epoch does that.
void asy_thread_pause_all(void);

// Frames that are open when a stack is first seen go on it without a call. Runs no Python code.
void asy_thread_inherit(asy_agent_thread *t, asy_first first);

// The end of a C call that nobody saw begin: no loss where its stack was first seen inside it. True: that is so. It may lie in the
// middle of that stack, once in each frame.
static inline bool
asy_thread_open_call(asy_agent_thread *t, uint64_t token)
{
    asy_frame *top = asy_tree_frame(&t->tree, t->tree.thread->depth - 1);
    bool inherited =
        (top->kind & (0xffu | ASY_NODE_F_INHERITED | ASY_FRAME_CALL_ENDED)) == (ASY_NODE_PY | ASY_NODE_F_INHERITED);

    if (t->open_call == token) {
        t->open_call = 0;
        return true;
    }
    if (inherited && ((top->token ^ token) & ~(uint64_t)3) == 0) {
        top->kind |= ASY_FRAME_CALL_ENDED;
        return true;
    }
    return false;
}

// A node was made: a good moment to learn the thread's name.
void asy_thread_name(asy_agent_thread *t);

// A thread state in private memory alone, for calibration: nothing of it is seen outside. NULL: no memory.
asy_agent_thread *asy_thread_scratch(void *(*chunk)(void *, uint32_t, uint32_t));
void asy_thread_scratch_end(asy_agent_thread *t);

// The calling thread measures nothing more in this epoch (its chunks are ended).
void asy_thread_end(asy_agent_thread *t);

#endif
