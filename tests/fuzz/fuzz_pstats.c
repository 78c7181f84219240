// fuzz_pstats.c: any bytes at all load as a pstats file, or are refused; what loads keeps the promises of pstats.h.
#include <stdlib.h>
#include <string.h>

#include "record/format.h"
#include "record/pstats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_sound(const asy_edge_counts *n)
{
    return n->primitive <= n->calls && n->self_ns <= ASY_FORMAT_VALUE_MAX && n->total_ns <= ASY_FORMAT_VALUE_MAX;
}

static void
check(const asy_profile *p)
{
    const asy_edges *e = p->edges;
    uint64_t self_ns = 0;

    if (e == NULL || e->func_count != p->func_count || p->thread_count != 0) {
        abort();
    }
    for (uint32_t f = 0; f < p->func_count; f++) {
        self_ns += e->funcs[f].self_ns;
        if (!is_sound(&e->funcs[f]) || p->funcs[f].name == NULL || p->funcs[f].file == NULL) {
            abort();
        }
    }
    for (uint32_t i = 0; i < e->edge_count; i++) {
        if (e->edges[i].caller >= p->func_count || e->edges[i].callee >= p->func_count ||
            !is_sound(&e->edges[i].counts)) {
            abort();
        }
    }
    if (self_ns != p->duration_ns) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    asy_status st = asy_pstats_load_bytes(data, size, &p, &problem);

    if ((st == ASY_OK) != (p != NULL) || (st == ASY_OK) != (problem == NULL)) {
        abort();
    }
    if (p != NULL) {
        check(p);
    }
    asy_profile_free(p);
    return 0;
}

#ifndef FUZZING
#include <stdio.h>

// Without libFuzzer: each file that is named.
int
main(int argc, char **argv)
{
    int tried = 0;

    for (int i = 1; i < argc; i++) {
        static uint8_t bytes[1 << 20];
        FILE *f = fopen(argv[i], "rb");

        if (f == NULL) {
            perror(argv[i]);
            return 1;
        }
        (void)LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof bytes, f));
        (void)fclose(f);
        tried++;
    }
    return tried > 0 ? 0 : 2;
}
#endif
