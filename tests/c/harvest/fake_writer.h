// fake_writer.h: stands in for record/writer.c: keeps what it is told, and checks the order it is told in.
#ifndef ASY_TESTS_FAKE_WRITER_H
#define ASY_TESTS_FAKE_WRITER_H

#include "record/writer.h"

typedef struct {
    uint32_t parent, func, kind;
    asy_write_counts counts;
    uint32_t counts_written; // how often
} fake_node;

typedef struct {
    asy_write_thread row;
    char name[128];
    uint32_t rows_written;
    fake_node *nodes;
    uint32_t node_count, node_room;
} fake_thread;

typedef struct {
    asy_symbol head;
    char *name, *file;
} fake_func;

struct asy_writer {
    asy_status fail;   // what every call returns from now on
    char problem[200]; // the first breach of the writer's contract, "" = none
    asy_write_process processes[ASY_PROC_MAX];
    char commands[ASY_PROC_MAX][256];
    uint32_t process_count;
    fake_thread *threads;
    uint32_t thread_count, thread_room;
    fake_func *funcs;
    uint32_t func_count, func_room;
    uint64_t count_rows; // asy_write_node_counts calls
    uint64_t losses[ASY_LOSS_COUNT];
    uint32_t notes, flushes;
};

asy_writer *fake_writer_new(void);
void fake_writer_free(asy_writer *w);
// A node of a thread by the names on the way down from the root, "a/b/c"; NULL if there is none.
const fake_node *fake_node_at(const asy_writer *w, uint32_t thread, const char *path);
// Sum over all nodes of all threads.
asy_write_counts fake_total(const asy_writer *w);

#endif
