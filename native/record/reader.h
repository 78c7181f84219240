// reader.h: untrusted bytes to checked events.
// What one row alone shows is checked here: lengths, ranges, kinds, a parent before its child. Whether rows fit
// each other (an index that was defined before) is the handler's to check: see profile.c.
// Holds one block at a time: at most ASY_FORMAT_BLOCK_MAX bytes twice, whatever the file says.
#ifndef ASY_RECORD_READER_H
#define ASY_RECORD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/symbols.h"
#include "record/writer.h"

// Where the bytes come from: memory, or with bytes NULL a file descriptor. Both borrowed.
typedef struct {
    const uint8_t *bytes;
    size_t len;
    int fd;
} asy_reader_source;

typedef struct {
    uint64_t start_unix_ns;
    asy_text command, directory, script, assay_version;
} asy_reader_session;

typedef struct {
    uint32_t thread, node, parent, func, kind; // parent < node; the root: 0, 0, UINT32_MAX, ASY_NODE_ROOT
} asy_reader_node;

typedef struct {
    uint32_t thread, node;
    asy_write_counts counts; // wait_ns <= self_ns, all at most ASY_FORMAT_VALUE_MAX
} asy_reader_counts;

// What a recording says, in its order. Rows are as they were written (writer.h); texts are borrowed for the call, and not
// yet known to be UTF-8. Anything but ASY_OK ends the reading.
typedef struct {
    void *context;
    asy_status (*session)(void *context, const asy_reader_session *s);
    asy_status (*process)(void *context, const asy_write_process *p);
    asy_status (*thread)(void *context, const asy_write_thread *t);
    asy_status (*func)(void *context, uint32_t id, const asy_symbol *head, const asy_text *strings);
    asy_status (*nodes)(void *context, const asy_reader_node *rows, size_t count);
    asy_status (*counts)(void *context, const asy_reader_counts *rows, size_t count);
    asy_status (*note)(void *context, asy_text sentence);
    asy_status (*losses)(void *context, const uint64_t losses[ASY_LOSS_COUNT]);
    asy_status (*end)(void *context, uint64_t duration_ns);
} asy_reader_handler;

typedef struct {
    bool complete;   // up to the end block
    bool cut;        // the file ends early; what it holds up to there is sound
    uint64_t at;     // where reading ended: the offset of the block that is damaged, missing or contradicts itself
    const char *why; // a clause, static; NULL if nothing is wrong or the handler ended it
} asy_reader_result;

// Read all of it. ASY_OK also for a recording that is cut or has a damaged block: what stands before was handed on.
// Errors: ASY_ECORRUPT (no recording; a whole block that is not what it must be), ASY_EVERSION, ASY_EIO,
// ASY_ENOMEM, and what the handler returns.
asy_status asy_reader_run(const asy_reader_source *source, const asy_reader_handler *handler,
                          asy_reader_result *result);

#endif
