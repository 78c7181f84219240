// profile.h: a recording in memory, checked: what reports, exports and the Python API read.
// Made by asy_profile_load from untrusted bytes (through reader.h). After a successful load every index below is in range,
// every parent precedes its child, every text is valid UTF-8 (bad bytes replaced), and all times are ns.
// Sums of calls, resumes or self_ns over any nodes fit 64 bits; suspended_ns is at most 2^62 a node, but sums of it may not fit.
// Arrays are owned by the profile and die with it.
#ifndef ASY_RECORD_PROFILE_H
#define ASY_RECORD_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h" // node kinds, losses
#include "core/status.h"
#include "record/edges.h"

typedef struct {
    uint32_t kind;             // asy_node_kind
    uint32_t flags;            // ASY_SYMBOL_F_*
    uint32_t line;             // 0 = none
    const char *name;          // qualified: "Cursor.execute", "build_lookup"; TAG: "customer=acme, day=3"
    const char *file;          // as compiled; "" where there is none
    const char *module;        // of C callables: "sqlite3"; "" where there is none
    uint32_t label_count;      // TAG: keys and values, twice the pairs
    const char *const *labels; // TAG: key, value, …
} asy_profile_func;

typedef struct {
    uint32_t parent; // index in the same thread's nodes, lower than this node's; the root is its own parent
    uint32_t func;   // index into profile.funcs; the root's is UINT32_MAX
    uint32_t kind;   // asy_node_kind | ASY_NODE_F_*
    uint32_t open;   // activations on the stack when the recording ended
    uint64_t calls, resumes, unwinds;
    uint64_t self_ns, wait_ns; // as measured, our own cost included; CPU = self - wait
    uint64_t suspended_ns;
} asy_profile_node;

typedef struct {
    uint32_t process;
    uint64_t serial; // in its process
    uint64_t native_id;
    const char *name;          // "" = not known
    uint64_t start_ns, end_ns; // since the session began
    uint64_t cpu_ns;           // of the whole thread, 0 = not known
    uint64_t flags;            // ASY_THREAD_F_*
    uint64_t merged;           // >1: so many short threads are counted in this row together
    bool ended;                // by itself; false: killed with the process, or running when the recording ended
    uint64_t overhead_ns, overhead_events;
    uint32_t node_count;
    asy_profile_node *nodes; // [0] is the root
} asy_profile_thread;

typedef struct {
    uint64_t pid, parent_pid; // 0 = not known, or several
    uint64_t image;
    uint64_t merged;           // >1: so many short processes are counted in this row together
    uint64_t start_ns, end_ns; // since the session began
    uint64_t python_version, flags;
    const char *executable, *command; // command: arguments joined for people
    const char *cwd;
    uint32_t main_thread;                // index into profile.threads, UINT32_MAX = none
    uint32_t program_node;               // in the main thread's nodes, 0 = the program did not begin
    uint64_t program_ns, program_end_ns; // since the session began; 0 = not known
    int exited; // 0 = not known, 1 = exit status in `status`, 2 = killed by the signal in `status`
    int status;
    uint64_t cost_py_in_ps, cost_py_out_ps, cost_c_in_ps, cost_c_out_ps; // picoseconds a call
    uint64_t resident_bytes;
    uint64_t losses[ASY_LOSS_COUNT];
} asy_profile_process;

typedef struct {
    uint64_t start_unix_ns;
    uint64_t duration_ns;
    const char *command;   // as given to assay, "" for an in-process session
    const char *directory; // working directory at the start
    const char *script;    // path of the script, "" if it was no script
    const char *assay_version;
    bool complete;   // the recording has its end block
    bool cut;        // it has none because the file ends early: assay was stopped, or the rest was left behind
    uint64_t cut_at; // byte offset of the first block that could not be read, 0 = none
    uint32_t func_count, thread_count, process_count;
    asy_profile_func *funcs;
    asy_profile_thread *threads;
    asy_profile_process *processes;
    uint64_t losses[ASY_LOSS_COUNT]; // of the session itself
    char **notes;                    // sentences about what ran unprofiled and why
    uint32_t note_count;
    asy_edges *edges; // of a pstats file (pstats.h), which has no threads and no nodes; NULL: of a recording
} asy_profile;

// Read a recording. *problem (problem may be NULL) says in one clause what is wrong, with the byte offset; NULL if nothing is.
// It is owned by *out, or where that is NULL, valid until the next load of the same thread.
// A file that ends early, or has a damaged block, loads up to the last whole block before it (complete = false).
// Errors: ASY_ENOENT, ASY_EPERM, ASY_EIO, ASY_ECORRUPT (not a recording, or definitions contradict), ASY_EVERSION, ASY_ENOMEM.
asy_status asy_profile_load_file(const char *path, asy_profile **out, const char **problem);
asy_status asy_profile_load_bytes(const void *bytes, size_t len, asy_profile **out, const char **problem);
void asy_profile_free(asy_profile *p);

#endif
