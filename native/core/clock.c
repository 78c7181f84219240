// clock.c: which clock, and from ticks to ns.
// Only asy_clock_choose does I/O, and only the program calls it.
#include "core/clock.h"

#include <time.h>

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define PAIR_TRIES 8

// The kernel's clocksource is `name`: it has then checked the counter against others.
static bool
kernel_trusts(const char *name)
{
    char text[64];
    size_t len = strlen(name);
    ssize_t n = -1;
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text));
        close(fd);
    }
    return n == (ssize_t)len + 1 && memcmp(text, name, len) == 0 && text[len] == '\n';
}

#if defined(__x86_64__)
// Runs at one rate in every power state (constant_tsc and nonstop_tsc of /proc/cpuinfo are this bit).
static bool
counter_is_invariant(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}
#endif

uint64_t
asy_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

asy_clock_kind
asy_clock_choose(void)
{
#if defined(__x86_64__)
    return counter_is_invariant() && kernel_trusts("tsc") ? ASY_CLOCK_COUNTER : ASY_CLOCK_NS;
#elif defined(__aarch64__)
    return kernel_trusts("arch_sys_counter") ? ASY_CLOCK_COUNTER : ASY_CLOCK_NS;
#else
    return ASY_CLOCK_NS;
#endif
}

uint64_t
asy_clock_thread_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// The best of a few tries: the ns reading lies between two counter readings; the closest two bound its error.
asy_clock_pair
asy_clock_take_pair(asy_clock_kind kind)
{
    asy_clock_pair best = {0, 0};
    uint64_t width = UINT64_MAX;

    if (kind != ASY_CLOCK_COUNTER) {
        best.ns = asy_clock_ns();
        best.ticks = best.ns;
        return best;
    }
    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t before = asy_clock_ticks(kind);
        uint64_t ns = asy_clock_ns();
        uint64_t after = asy_clock_ticks(kind);

        if (after - before < width) {
            width = after - before;
            best = (asy_clock_pair){before + width / 2, ns};
        }
    }
    return best;
}

// A pair is off by some 20 ns, so the line through two is good to 40 ns whatever their distance: a span within a short
// session is off by at most that. Pairs that do not run forward give 1 ns a tick.
asy_clock_scale
asy_clock_scale_make(asy_clock_kind kind, asy_clock_pair from, asy_clock_pair to)
{
    asy_clock_scale s = {.from = from, .ns_num = 1, .ns_den = 1};

    if (kind == ASY_CLOCK_COUNTER && to.ticks > from.ticks && to.ns > from.ns) {
        s.ns_num = to.ns - from.ns;
        s.ns_den = to.ticks - from.ticks;
    }
    return s;
}

uint64_t
asy_clock_span_ns(const asy_clock_scale *s, uint64_t ticks)
{
    unsigned __int128 ns = ((unsigned __int128)ticks * s->ns_num + s->ns_den / 2) / s->ns_den;

    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

uint64_t
asy_clock_at_ns(const asy_clock_scale *s, uint64_t ticks)
{
    uint64_t span;

    if (ticks < s->from.ticks) {
        span = asy_clock_span_ns(s, s->from.ticks - ticks);
        return span < s->from.ns ? s->from.ns - span : 0;
    }
    span = asy_clock_span_ns(s, ticks - s->from.ticks);
    return span < UINT64_MAX - s->from.ns ? s->from.ns + span : UINT64_MAX;
}
