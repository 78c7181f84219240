// writer.h: events of a session into blocks of a recording (docs/format.md).
// Buffers definitions and counts, compresses, checks, and writes whole blocks only: a file cut anywhere is readable up to there.
// The first failure sticks: later calls do nothing and return it; what was there at the last flush is kept, and readable: definitions
// that came after it would show nothing without their counts.
// Errors: ASY_ENOMEM, ASY_ENOSPC (also a file-size limit: SIGXFSZ must be ignored), ASY_EIO. ASY_EINVAL is of another sort: the
// row contradicts what was written before, or comes after the end block; it leaves nothing behind and does not stick.
// Texts over their limit are cut at a character, numbers over theirs are written as the limit (format.h), wait_ns as at most self_ns.
// Not thread-safe.
#ifndef ASY_RECORD_WRITER_H
#define ASY_RECORD_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "core/symbols.h"

typedef struct asy_writer asy_writer;

// To a file descriptor (borrowed, at its end), or with fd -1 to memory (asy_writer_bytes).
asy_status asy_writer_new(int fd, asy_writer **out);
void asy_writer_free(asy_writer *w);
const void *asy_writer_bytes(asy_writer *w,
                             size_t *len); // borrowed until the next call; what a file has whole is not there
asy_status asy_writer_status(const asy_writer *w);

// From here on a file that cannot be written any more is no failure, if it can be read: it is left as it was at the last flush, and all of
// the recording, with what follows, is in memory (asy_writer_bytes).
void asy_writer_outlive(asy_writer *w);
// Why the file was left; ASY_OK: it was not.
asy_status asy_writer_file_status(const asy_writer *w);

typedef struct {
    uint64_t start_unix_ns;
    const char *command, *directory, *script, *assay_version;
} asy_write_session;
asy_status asy_write_session_begin(asy_writer *w, const asy_write_session *s);

// Rows with the same id replace what was said before: the last one counts.
typedef struct {
    uint32_t id; // chosen by the caller, dense from 0
    uint64_t pid, parent_pid, image, start_ns, end_ns, python_version, flags;
    uint32_t main_thread; // thread id, UINT32_MAX = none
    uint32_t program_node;
    uint64_t program_ns, program_end_ns;
    int exited, status;
    uint64_t cost_py_in_ps, cost_py_out_ps, cost_c_in_ps, cost_c_out_ps;
    uint64_t resident_bytes;
    uint64_t losses[ASY_LOSS_COUNT];
    asy_text executable, cwd, command; // may be empty
    uint64_t merged;                   // above 1: so many short processes are counted in this row together
} asy_write_process;
asy_status asy_write_process_row(asy_writer *w, const asy_write_process *p);

typedef struct {
    uint32_t id; // dense from 0
    uint32_t process;
    uint64_t serial, native_id, start_ns, end_ns, cpu_ns, flags, merged, overhead_ns, overhead_events;
    int ended;
    asy_text name;
} asy_write_thread;
asy_status asy_write_thread_row(asy_writer *w, const asy_write_thread *t);

// A function: `id` dense from 0 over the whole recording.
asy_status asy_write_func(asy_writer *w, uint32_t id, const asy_symbol *head, const asy_text *strings);

// New nodes of a thread, in order; the first call for a thread begins with node 0, the root (func UINT32_MAX). func is a recording-wide id.
asy_status asy_write_node(asy_writer *w, uint32_t thread, uint32_t node, uint32_t parent, uint32_t func, uint32_t kind);

// Absolute counts of a node so far; a later row replaces an earlier one.
typedef struct {
    uint64_t calls, resumes, unwinds, self_ns, wait_ns, suspended_ns;
    uint32_t open;
} asy_write_counts;
asy_status asy_write_node_counts(asy_writer *w, uint32_t thread, uint32_t node, const asy_write_counts *c);

asy_status asy_write_note(asy_writer *w, const char *sentence);
asy_status asy_write_losses(asy_writer *w, const uint64_t losses[ASY_LOSS_COUNT]); // of the session itself

// Everything buffered becomes blocks now (definitions before uses): the state that is kept if a later write fails.
asy_status asy_writer_flush(asy_writer *w);
// The last block. A recording without it is reported as incomplete.
asy_status asy_write_session_end(asy_writer *w, uint64_t duration_ns);

#endif
