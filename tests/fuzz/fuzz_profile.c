// fuzz_profile.c: any bytes at all load, or are refused; what loads keeps the promises of profile.h.
// Inputs are tried as they are and with right checksums. Mutations mostly go below the framing: a block is
// decompressed, changed, and put back as a whole block, so that they reach the rows.
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "craft.h"
#include "sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void
try(const uint8_t *data, size_t size)
{
    asy_profile *p = NULL;
    const char *problem = NULL;
    asy_status st = asy_profile_load_bytes(data, size, &p, &problem);

    if ((st == ASY_OK) != (p != NULL) || (st != ASY_OK && problem == NULL) ||
        (p != NULL && invariant_broken(p) != NULL)) {
        abort();
    }
    if (p != NULL && p->complete != (problem == NULL)) {
        abort();
    }
    asy_profile_free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    try(data, size);
    if (copy != NULL && size > 0) {
        memcpy(copy, data, size);
        craft_fix(copy, size);
        if (memcmp(copy, data, size) != 0) {
            try(copy, size);
        }
    }
    free(copy);
    return 0;
}

#ifdef FUZZING
#define RAW_MAX 65536u

// The raw bytes of a block into `raw` (RAW_MAX). 0: it is not one that can be decompressed.
static size_t
unpack(const craft_view *v, uint8_t *raw)
{
    size_t n;

    if ((v->head.flags & ASY_BLOCK_F_ZSTD) == 0) {
        n = v->head.stored_bytes < RAW_MAX ? v->head.stored_bytes : RAW_MAX;
        memcpy(raw, v->stored, n);
        return n;
    }
    n = ZSTD_decompress(raw, RAW_MAX, v->stored, v->head.stored_bytes);
    return ZSTD_isError(n) ? 0 : n;
}

// Which of the blocks, by `seed`.
static bool
pick(const uint8_t *data, size_t size, unsigned seed, craft_view *v, size_t *behind)
{
    size_t at = ASY_FORMAT_FILE_HEAD, count = 0;
    craft_view each;

    while (craft_next(data, size, &at, &each)) {
        count++;
    }
    if (count == 0) {
        return false;
    }
    at = ASY_FORMAT_FILE_HEAD;
    for (size_t i = seed % count; craft_next(data, size, &at, v) && i > 0; i--) {
    }
    *behind = at;
    return true;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static uint8_t raw[RAW_MAX];
    asy_buffer file = {0};
    craft_view v;
    size_t behind, n;

    if (seed % 4 == 0 || !pick(data, size, seed / 4, &v, &behind)) {
        n = LLVMFuzzerMutate(data, size, max_size);
        craft_fix(data, n);
        return n;
    }
    n = LLVMFuzzerMutate(raw, unpack(&v, raw), RAW_MAX);
    craft_bytes(&file, data, v.at);
    craft_block(&file, v.head.type, 0, n, raw, n);
    craft_bytes(&file, data + behind, size - behind);
    n = file.len < max_size ? file.len : max_size;
    memcpy(data, file.data, n);
    asy_buffer_free(&file);
    return n;
}
#else
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
