// clock.h: time stamps for hot paths, in ticks.
// The time-stamp counter where it is invariant and the kernel trusts it, else CLOCK_MONOTONIC in ns. Ticks become ns
// outside the measured process, from pairs taken at both ends.
#ifndef ASY_CORE_CLOCK_H
#define ASY_CORE_CLOCK_H

#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

typedef enum { ASY_CLOCK_NS = 0, ASY_CLOCK_COUNTER = 1 } asy_clock_kind;

// What this machine can use: the counter only if it is invariant and /sys says that the kernel's clocksource is the same counter.
asy_clock_kind asy_clock_choose(void);

// CLOCK_MONOTONIC.
uint64_t asy_clock_ns(void);

// Hot: every event. 10 ns for the counter, 25 ns otherwise, where it was measured. The call is kept out of the hot code.
static inline uint64_t
asy_clock_ticks(asy_clock_kind kind)
{
    if (__builtin_expect(kind == ASY_CLOCK_COUNTER, 1)) {
#if defined(__x86_64__)
        return __rdtsc();
#elif defined(__aarch64__)
        uint64_t v;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
        return v;
#endif
    }
    return asy_clock_ns();
}

// CPU time of the calling thread, ns. About 540 ns a call.
uint64_t asy_clock_thread_cpu_ns(void);

// A (ticks, ns) pair taken as close together as can be.
typedef struct {
    uint64_t ticks, ns;
} asy_clock_pair;
asy_clock_pair asy_clock_take_pair(asy_clock_kind kind);

// Converts ticks to ns since `from.ns`… by the line through two pairs. Exact integers (128-bit product).
typedef struct {
    asy_clock_pair from;
    uint64_t ns_num, ns_den; // ns per tick = ns_num / ns_den
} asy_clock_scale;
asy_clock_scale asy_clock_scale_make(asy_clock_kind kind, asy_clock_pair from, asy_clock_pair to);
// Length of a span in ns.
uint64_t asy_clock_span_ns(const asy_clock_scale *s, uint64_t ticks);
// Point in time: CLOCK_MONOTONIC ns of a tick value (may lie before `from`).
uint64_t asy_clock_at_ns(const asy_clock_scale *s, uint64_t ticks);

#endif
