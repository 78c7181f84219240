// record.c: how long a large recording takes to write and to load. Prints a line each; no judgement.
// usage: record_bench [NODES] [FILE]
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record/profile.h"
#include "record/writer.h"

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Numbers that repeat from run to run and compress as badly as measured times do.
static uint64_t
next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static asy_status
write_funcs(asy_writer *w, uint32_t count)
{
    asy_symbol head = {.kind = ASY_NODE_PY, .count = 3};
    asy_status st = ASY_OK;
    char name[64], file[64];

    for (uint32_t i = 0; i < count && st == ASY_OK; i++) {
        int n = snprintf(name, sizeof name, "Class%u.method_%u", i / 20, i);
        int f = snprintf(file, sizeof file, "/usr/lib/python3/package/module%u.py", i / 40);
        asy_text strings[] = {{name, (uint32_t)n}, {name, (uint32_t)n}, {file, (uint32_t)f}};

        head.line = i % 40 * 25 + 1;
        st = asy_write_func(w, i, &head, strings);
    }
    return st;
}

static asy_status
write_tree(asy_writer *w, uint32_t nodes, uint32_t funcs)
{
    uint64_t seed = 1;
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < nodes && st == ASY_OK; i++) {
        uint32_t back = 1 + (uint32_t)next(&seed) % (i < 200 ? i + 1 : 200);
        uint64_t self_ns = next(&seed) % 10000000;
        asy_write_counts c = {
            .calls = 1 + next(&seed) % 5000, .self_ns = self_ns, .wait_ns = i % 9 == 0 ? self_ns / 3 : 0};

        st = asy_write_node(w, 0, i, i == 0 ? 0 : i - (back > i ? i : back),
                            i == 0 ? UINT32_MAX : (uint32_t)next(&seed) % funcs, i == 0 ? ASY_NODE_ROOT : ASY_NODE_PY);
        if (st == ASY_OK) {
            st = asy_write_node_counts(w, 0, i, &c);
        }
    }
    return st;
}

static asy_status
write_recording(int fd, uint32_t nodes)
{
    asy_writer *w;
    asy_status st = asy_writer_new(fd, &w);

    if (st != ASY_OK) {
        return st;
    }
    (void)asy_write_session_begin(w, &(asy_write_session){.command = "bench", .assay_version = "0"});
    (void)asy_write_process_row(w, &(asy_write_process){.main_thread = 0});
    (void)asy_write_thread_row(w, &(asy_write_thread){.serial = 1});
    st = write_funcs(w, 20000);
    if (st == ASY_OK) {
        st = write_tree(w, nodes, 20000);
    }
    if (st == ASY_OK) {
        st = asy_write_session_end(w, 1);
    }
    asy_writer_free(w);
    return st;
}

int
main(int argc, char **argv)
{
    uint32_t nodes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    const char *path = argc > 2 ? argv[2] : "bench-record.assay";
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    asy_profile *p = NULL;
    const char *problem = "cannot be made";
    struct rusage usage;
    struct stat sb = {0};
    double t0 = seconds(), t1, t2;
    asy_status st = fd >= 0 ? write_recording(fd, nodes) : ASY_EIO;

    t1 = seconds();
    if (st == ASY_OK && fstat(fd, &sb) == 0) {
        st = asy_profile_load_file(path, &p, &problem);
    }
    t2 = seconds();
    if (st != ASY_OK || p == NULL || p->threads[0].node_count != nodes) {
        fprintf(stderr, "%s: %s\n", path, problem != NULL ? problem : asy_status_text(st));
        return 1;
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("write  %u nodes: %.3f s, %.1f MB\n", nodes, t1 - t0, (double)sb.st_size / 1e6);
    printf("load   %u nodes: %.3f s, peak %.0f MB resident\n", nodes, t2 - t1, (double)usage.ru_maxrss / 1e3);
    asy_profile_free(p);
    close(fd);
    unlink(path);
    return 0;
}
