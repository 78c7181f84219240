// hash.c: see hash.h.
#include "record/hash.h"

#include "core/clock.h"
#include "os/os.h"

#define END 256u // no byte
#define POINT_BITS ((1ull << 60) - 1)

asy_hash
asy_hash_key(void)
{
    asy_hash h;

    if (asy_os_random(&h.point) != ASY_OK || asy_os_random(&h.mix) != ASY_OK) {
        h.point = asy_clock_ns() * 0x9e3779b97f4a7c15ull; // still hard to guess
        h.mix = h.point ^ (uintptr_t)&h;
    }
    h.point = (h.point & POINT_BITS) | 1u << 16; // not 0, nor next to it
    return h;
}

uint64_t
asy_hash_text(const asy_hash *h, uint64_t state, const char *text)
{
    for (; *text != '\0'; text++) {
        state = asy_hash_add(h, state, (unsigned char)*text);
    }
    return asy_hash_add(h, state, END);
}
