// build.h: recordings with a known truth, node by node, through the writer and the reader.
// Every function fails the test that calls it when anything goes wrong.
#ifndef BUILD_H
#define BUILD_H

#include <stddef.h>

#include "record/profile.h"
#include "record/writer.h"

typedef struct {
    asy_writer *writer;
    uint32_t funcs, threads;
    uint16_t kind[256];        // per function
    uint32_t nodes[64];        // per thread
    asy_write_process process; // written by build_end; may be changed before
} build;

void build_begin(build *b, const char *command, const char *directory, const char *script);
void build_begin_fd(build *b, int fd, const char *command, const char *directory, const char *script);
uint32_t build_python(build *b, const char *name, const char *file, uint32_t line);
uint32_t build_c(build *b, const char *name, const char *module);
uint32_t build_tag(build *b, const char *key, const char *value);
uint32_t build_thread(build *b, const char *name); // with its root; the first is the process's main thread
uint32_t build_thread_of(build *b, uint32_t process, const char *name);
// A node below `parent`; returns its index.
uint32_t build_node(build *b, uint32_t thread, uint32_t parent, uint32_t func, uint64_t calls, uint64_t self_ns,
                    uint64_t wait_ns);
void build_process(build *b, uint32_t id); // a second one, with little known of it
void build_open(build *b, uint32_t thread, uint32_t node, uint64_t calls, uint64_t self_ns, uint32_t open);
// A node that exists is a generator's or coroutine's.
void build_suspended(build *b, uint32_t thread, uint32_t node, uint64_t calls, uint64_t self_ns, uint64_t suspended_ns);
void build_note(build *b, const char *sentence);
void build_end(build *b, uint64_t duration_ns); // the process and the end block
asy_profile *build_load(build *b);              // of a recording in memory; owned by the caller
void build_free(build *b);

#define MS 1000000ull

// The nightly job of the issue: four workers, a lookup rebuilt for every order, mostly for one customer.
void build_nightly(build *b);

#endif
