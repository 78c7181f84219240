// arena.h: the shared memory between a profiled process and assay.
//
// One file (memfd) per session, made and sized by the program, mapped by every measured process.
//
//     page 0            asy_arena_head
//     head.proc_off     asy_proc      [ASY_PROC_MAX]      one per process image
//     head.dir_off      asy_chunk     [head.chunk_count]  the chunk directory
//     head.data_off     64 KiB chunks [head.chunk_count]
//
// Chunks belong to one thread (or one process) and hold, by kind:
//     THREAD  asy_thread (page 0) · symbols (12 KiB) · stack part 0 (1,024 frames) · node part 0 (512 nodes)
//     NODES   1,024 nodes, i.e. node parts 2k+1 and 2k+2 of its thread, k = ordinal
//     STACK   4,096 frames, i.e. stack parts 4k+1 … 4k+4
//     SYMS    symbol records, a byte stream, ordinal gives the order
//
// Invariants
//  1. One writer per chunk: the thread that claimed it. One reader: the harvester. Words that the reader looks at
//     while the writer lives are aligned, written whole, with relaxed atomics.
//  2. `asy_chunk.state` goes FREE → OWNED (claimer, compare-and-swap) → ENDED (owner, or the harvester when the process
//     has died) → FREE (harvester only). The word holds the owner, so that a claimer killed at once is still named.
//  3. `kind` is 0 until the chunk is filled as far as a reader looks; it is stored with release after the owner's
//     fields, and set to 0 by the harvester before it stores FREE. A reader passes over kind 0.
//  4. A node is filled before `asy_thread.node_count` (release) covers it. `parent`, `func`, `kind` of a covered node never change.
//  5. A symbol record is whole before `sym_bytes` of its chunk (release) covers it, and stands in the log before any node
//     uses its id.
//  6. Counts only grow. A snapshot of a running thread may be torn by one event. After death only the event in flight is uncertain.
//  7. The reader trusts nothing: every index is bounded, every word read once.
//  8. Memory of a freed chunk is not cleared: nothing in it is read before a count covers it.
#ifndef ASY_CORE_ARENA_H
#define ASY_CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define ASY_ARENA_MAGIC 0x414e455241595341ULL // "ASYARENA", little-endian
#define ASY_ARENA_ABI 2u
#define ASY_CHUNK_BYTES 65536u
#define ASY_PROC_MAX 1024u
#define ASY_NAME_BYTES 64u

// Chunk states, low byte of asy_chunk.state; bits 8..23 the process slot, bits 24..63 the thread serial.
enum { ASY_CHUNK_FREE = 0, ASY_CHUNK_OWNED = 1, ASY_CHUNK_ENDED = 2 };
enum { ASY_KIND_THREAD = 1, ASY_KIND_NODES = 2, ASY_KIND_STACK = 3, ASY_KIND_SYMS = 4 };

static inline uint64_t
asy_chunk_word(uint32_t state, uint32_t proc, uint64_t thread)
{
    return (uint64_t)state | ((uint64_t)proc << 8) | (thread << 24);
}

typedef struct {
    uint64_t state;      // see above; compare-and-swap
    uint32_t kind;       // release; 0 = not yet filled
    uint32_t ordinal;    // among the chunks of this kind of its thread, from 0
    uint64_t sym_bytes;  // SYMS and THREAD: bytes of whole records, release
    uint64_t read_bytes; // harvester's: symbol bytes it has consumed
    uint64_t spare[4];
} asy_chunk;

// A process image: one row per (pid, start time, exec). Rows go FREE → CLAIMED → LIVE (claimer) → FREE (harvester, when the process has
// died and all of it was taken). Claimers take the lowest free row, so the rows that were ever claimed are a prefix.
enum { ASY_PROC_FREE = 0, ASY_PROC_CLAIMED = 1, ASY_PROC_LIVE = 2, ASY_PROC_ENDED = 3 };

// What this process could not or did not measure, each counted where it happens, added atomically.
enum {
    ASY_LOSS_CHUNKS = 0,  // chunk claims refused (arena exhausted or mapping refused)
    ASY_LOSS_EVENTS,      // events not counted: the thread had no memory at all
    ASY_LOSS_FOLDS,       // calls folded into an ancestor or a flat node (counted, path lost)
    ASY_LOSS_DEPTH,       // calls beyond the deepest stack we keep (counted, path lost)
    ASY_LOSS_RESYNCS,     // stack entries dropped to match an event that had no partner
    ASY_LOSS_UNMATCHED,   // ends of calls that were never seen to start
    ASY_LOSS_SUSPENSIONS, // suspended generators forgotten: their suspended time is missing
    ASY_LOSS_SYMBOLS,     // functions without a name: the log was full
    ASY_LOSS_FORKS,       // fork children that got no row: not measured
    ASY_LOSS_EXECS,       // Pythons started by exec that could not reach us: not measured
    ASY_LOSS_SUBINTERPS,  // sub-interpreters: not measured
    ASY_LOSS_HOOK,        // times the program replaced our hook by its own (sys.setprofile, sys.monitoring)
    ASY_LOSS_CONTEXTS,    // greenlet switches that could not be followed
    ASY_LOSS_TAGS,        // tag changes that could not be placed
    ASY_LOSS_COUNT = 24   // room to grow
};

typedef struct {
    uint64_t state; // ASY_PROC_*, release
    uint64_t pid;   // as /proc names it, which is as we see it also where the process has a pid namespace of its own
    uint64_t start_time;        // field 22 of /proc/self/stat (clock ticks since boot), 0 if unreadable
    uint64_t image;             // 0, then one more for each exec of the same (pid, start time) that we entered
    uint64_t start_ticks;       // asy_clock_ticks when measuring began
    uint64_t end_ticks;         // when the process called exec to become another program, else 0
    uint64_t python_version;    // 3.12.1 is 0x030C01F0
    uint64_t flags;             // ASY_PROC_F_*
    uint64_t next_func;         // next function id; atomic add; ids begin at 1
    uint64_t next_thread;       // next thread serial; atomic add; serials begin at 1
    uint64_t pins;              // >0: ended chunks of this process must not be freed (in-process readers)
    uint64_t main_thread;       // serial of the main thread, 0 = unknown
    uint64_t program_node;      // node of __main__'s <module> in the main thread, 0 = the program has not begun
    uint64_t program_ticks;     // when that happened
    uint64_t program_end_ticks; // when that node was left for the last time, 0 = not yet
    uint64_t resident_bytes;    // shared and private memory of ours in this process, at most
    // Calibrated cost of one call that falls into measured time, in 1/1024 tick: inside the callee, and in its caller.
    uint64_t cost_py_in, cost_py_out, cost_c_in, cost_c_out;
    uint64_t losses[ASY_LOSS_COUNT];
    uint64_t serial;          // of the row's use, from head.next_proc: never used again
    uint64_t parent_pid;      // as /proc names it, 0 = not known
    uint64_t forked_from;     // serial of the row that it was forked off; 0 = it began by exec
    uint64_t inherited_funcs; // function ids below are that row's
    uint64_t exit_ticks;      // when the process called exit or _exit, 0 = it did not (yet)
    uint64_t exit_status;     // 1 + that status, 0 = not known
    uint64_t spare[14];
} asy_proc; // 512 bytes

#define ASY_PROC_F_FREETHREADED 1u
#define ASY_PROC_F_NO_C_CALLS 2u // C calls are not measured (their time is their caller's)
#define ASY_PROC_F_SETPROFILE 4u // measured through PyEval_SetProfile
#define ASY_PROC_F_FORKED 8u     // it began by a fork of a measured process

// Pythons that were not measured, by reason: written by the preload, before it or they give up.
enum {
    ASY_REFUSED_VERSION = 1, // there is no agent for its version
    ASY_REFUSED_LOAD,        // the agent's file did not load
    ASY_REFUSED_START,       // the agent refused: an asy_status
    ASY_REFUSED_MACHINE,     // made for another kind of machine, or for 32 bits
    ASY_REFUSED_STATIC,      // linked statically: nothing can be loaded into it
    ASY_REFUSED_LOADER,      // of another C library
    ASY_REFUSED_SANITIZER,   // AddressSanitizer's runtime has to come first
    ASY_REFUSED_PRIVILEGES,  // set-user-ID or set-group-ID
    ASY_REFUSED_HIDDEN,      // our files cannot be seen where it runs (chroot)
    ASY_REFUSED_OTHER,       // PyPy and the like
    ASY_REFUSED_USER,        // it runs as another user, who may not reach us
    ASY_REFUSED_KINDS
};

#define ASY_REFUSED_THREADED 1u // a free-threaded build: 3.13t

// Calibrated costs of an interpreter, for those that start later in the session.
#define ASY_COSTS 8u

typedef struct {
    uint64_t key; // 1 + flags and version of the interpreter; 0 = free, 1 = being written; compare-and-swap, release
    uint64_t cost[4]; // as in asy_proc
} asy_costs;

#define ASY_REFUSALS 16u
#define ASY_REFUSAL_NAME 80u

typedef struct {
    uint64_t
        key; // ASY_REFUSED_* | asy_status << 8 | version << 32 (0x030A0000 | ASY_REFUSED_THREADED); 0 = free; compare-and-swap
    uint64_t count;              // atomic add
    uint64_t name_bytes;         // release; 0 = not known
    char name[ASY_REFUSAL_NAME]; // of the first one's file, cut at its front
} asy_refusal;

typedef struct {
    uint64_t magic;
    uint32_t abi;
    uint32_t clock; // asy_clock_kind in use, all processes alike
    uint64_t nonce;
    uint64_t size_bytes; // of the whole file
    uint64_t proc_off, dir_off, data_off;
    uint64_t chunk_count;
    uint64_t free_hint; // low half: no chunk below this index is FREE; high half: frees so far (arena.c alone uses it)
    uint64_t stop;      // 1: the session is over, processes stop measuring at their next slow path
    uint64_t options;   // ASY_OPT_*
    uint64_t cpu_gap_ticks;          // gaps longer than this ask the thread's CPU clock
    uint64_t node_max;               // nodes per thread before calls are folded
    uint64_t losses[ASY_LOSS_COUNT]; // of processes that got no slot
    uint64_t next_proc;              // next serial of a process row; atomic add; serials begin at 1
    asy_refusal refusals[ASY_REFUSALS];
    asy_costs costs[ASY_COSTS];
} asy_arena_head;

_Static_assert(sizeof(asy_arena_head) <= 4096, "the head is a page");

#define ASY_OPT_NO_C_CALLS 1u

// One activation on a shadow stack.
typedef struct {
    uint64_t token; // identity that the end of the call must show; 0 = the bottom
    uint32_t node;
    uint32_t kind; // asy_node_kind of the entry (a folded call keeps its own), | ASY_FRAME_*
} asy_frame;       // 16 bytes

#define ASY_NODE_PART 512u    // nodes per part
#define ASY_STACK_PART 1024u  // frames per part
#define ASY_NODE_PARTS 2049u  // 1 + 2 × 1,024 chunks: at most 1,049,088 nodes a thread
#define ASY_STACK_PARTS 1025u // about 1 M frames a thread

typedef enum {
    ASY_NODE_ROOT = 0, // node 0 of every thread: outside of any call
    ASY_NODE_PY,       // Python function
    ASY_NODE_C,        // C function or method
    ASY_NODE_CLASS,    // a class that was called
    ASY_NODE_OBJECT,   // another callable; its type is named
    ASY_NODE_TAG,      // assay.tag(...)
    ASY_NODE_PHASE,    // interpreter start-up, shutdown
    ASY_NODE_KINDS
} asy_node_kind;

#define ASY_NODE_F_INHERITED 0x100u // was open when measuring began (or at a fork): entered without a call
#define ASY_NODE_F_FOLDED 0x200u    // a flat node made because the cap was reached

typedef struct {
    uint32_t parent;
    uint32_t func;       // 0 for the root
    uint32_t kind;       // asy_node_kind | ASY_NODE_F_*
    uint32_t last_child; // the writer's inline cache; 0 = none
    uint64_t calls;      // begun
    uint64_t self_ticks;
    uint64_t wait_ticks;      // the part of self_ticks that the thread did not run; CPU = self - wait
    uint64_t resumes;         // of a suspended generator or coroutine
    uint64_t suspended_ticks; // between a yield and the resume that followed, summed at the resuming node
    uint64_t unwinds;         // calls and resumes that an exception ended
} asy_node;                   // 64 bytes

// Page 0 of a THREAD chunk.
typedef struct {
    uint64_t serial;           // from asy_proc.next_thread
    uint64_t native_id;        // gettid()
    uint64_t ident;            // threading.get_ident()
    uint64_t start_ticks;      // first event
    uint64_t end_ticks;        // thread exit, 0 while it lives (or was killed)
    uint64_t start_cpu_ns;     // CLOCK_THREAD_CPUTIME_ID at the first event
    uint64_t end_cpu_ns;       // at exit
    uint64_t flags;            // ASY_THREAD_F_*
    uint64_t name_bytes;       // release; 0 = not known
    char name[ASY_NAME_BYTES]; // UTF-8, cut at a character
    // Hot words
    uint64_t node_count;                  // release
    uint64_t depth;                       // frames in use; frame 0 is the bottom (token 0)
    uint64_t last_ticks;                  // time of the last event: the node on top owns what follows
    uint64_t cpu_read_ns, cpu_read_ticks; // last reading of the thread's CPU clock, and when
    uint64_t overhead_ticks;              // our own slow paths, charged to nobody
    uint64_t overhead_events;             // slow paths taken
    uint64_t overflow;                    // frames above the deepest we keep: entered, not on the stack
} asy_thread;

#define ASY_THREAD_F_MAIN 1u
#define ASY_THREAD_F_DAEMON 2u

#define ASY_THREAD_SYMS_OFF 4096u
#define ASY_THREAD_SYMS_BYTES 12288u
#define ASY_THREAD_STACK_OFF 16384u
#define ASY_THREAD_NODES_OFF 32768u

_Static_assert(sizeof(asy_chunk) == 64, "directory row");
_Static_assert(sizeof(asy_proc) == 512, "process row");
_Static_assert(sizeof(asy_node) == 64, "a node is a cache line");
_Static_assert(sizeof(asy_frame) == 16, "frame");
_Static_assert(sizeof(asy_thread) <= ASY_THREAD_SYMS_OFF, "thread page");
_Static_assert(ASY_THREAD_STACK_OFF + ASY_STACK_PART * sizeof(asy_frame) == ASY_THREAD_NODES_OFF, "stack part 0");
_Static_assert(ASY_THREAD_NODES_OFF + ASY_NODE_PART * sizeof(asy_node) == ASY_CHUNK_BYTES, "node part 0");

// ---- making (program side) ----

// Write the head of a new, all-zero arena of `size_bytes` at `base` (only the head page is touched).
// Errors: ASY_EINVAL (too small for one chunk).
asy_status asy_arena_format(void *base, uint64_t size_bytes, uint64_t nonce);
// Bytes of head, process table and directory for a file of this size.
uint64_t asy_arena_front_bytes(uint64_t size_bytes);

// ---- one process's view of an arena (agent side) ----
// Private to the process. Maps the front (head, process table, directory) at once and data windows of 64 chunks as
// they are needed, without a descriptor (mremap of a mapped page with old size 0). Thread-safe: a window is published by
// compare-and-swap; two threads that map the same one at once leave one of them unmapped again.
#define ASY_WINDOW_CHUNKS 64u
#define ASY_WINDOW_MAX 1024u

typedef struct {
    asy_arena_head *head; // borrowed from the mapping
    asy_proc *procs;
    asy_chunk *chunks;
    uint64_t front_bytes;
    uint64_t chunk_count;               // checked copy of head->chunk_count
    uint64_t mapped_bytes;              // address space used, atomic
    uint64_t populated_bytes;           // of chunks claimed here, each once, atomic
    uint8_t *window[ASY_WINDOW_MAX];    // atomic pointers; NULL = not mapped here
    uint64_t populated[ASY_WINDOW_MAX]; // one bit a chunk that was claimed here, atomic
} asy_arena;

// Map the arena behind `fd` (borrowed; may be closed afterwards). Checks magic, ABI and `nonce`. The whole file must have the size the
// head says. Errors: ASY_EVERSION, ASY_ECORRUPT, ASY_EPERM (nonce), ASY_ENOMEM, ASY_EIO.
asy_status asy_arena_attach(asy_arena *a, int fd, uint64_t nonce);
void asy_arena_detach(asy_arena *a);
// In a fork child that goes on with its parent's view: nothing is populated here yet.
void asy_arena_forked(asy_arena *a);

// Claim a process row; *slot is its index. The row is CLAIMED, its pid, start_time, image, serial and id counters are filled, all else is 0;
// the caller fills the rest and stores LIVE (release). Errors: ASY_ELIMIT (all taken).
asy_status asy_arena_claim_proc(asy_arena *a, uint64_t pid, uint64_t start_time, uint64_t image, uint32_t *slot);

// Claim one FREE chunk, map it, populate it. The caller fills it, then calls asy_arena_publish. *data is 64 KiB, writable, not zeroed.
// Errors: ASY_ELIMIT (none free), ASY_ENOMEM (mapping refused; the chunk is given back as ENDED with kind 0).
// Both are counted in ASY_LOSS_CHUNKS of the process by this function.
asy_status asy_arena_claim(asy_arena *a, uint32_t proc, uint64_t thread, uint32_t *index, void **data);
// Make a filled chunk visible to the reader.
void asy_arena_publish(asy_arena *a, uint32_t index, uint32_t kind, uint32_t ordinal);
// The owner is done with it: OWNED → ENDED.
void asy_arena_end(asy_arena *a, uint32_t index);
// Add to a loss counter of a process (or of the arena, proc == UINT32_MAX).
void asy_arena_lose(asy_arena *a, uint32_t proc, int which, uint64_t n);

// ---- the reader's view (harvester side) ----
// The same asy_arena, attached by the program. A chunk's bytes, mapped on demand; NULL if the mapping is refused.
void *asy_arena_data(asy_arena *a, uint32_t index);
// ENDED → FREE, for another claimer. Only the harvester calls it.
void asy_arena_free(asy_arena *a, uint32_t index);
// The row of a dead process, none of whose chunks is left: for another claimer. Only the harvester calls it.
void asy_arena_free_proc(asy_arena *a, uint32_t slot);

#endif
