// units.c: times, counts and shares as text.
#include "report/units.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    uint64_t ns;
    const char *name;
} unit;

static const unit units[] = {{1000000000u, "s"}, {1000000u, "ms"}, {1000u, "µs"}, {1u, "ns"}};
enum { UNIT_COUNT = sizeof units / sizeof *units };

asy_number
asy_units_count(uint64_t n)
{
    char digits[24];
    asy_number out;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out.s[at++] = ',';
        }
        out.s[at++] = digits[i];
    }
    out.s[at] = '\0';
    return out;
}

// `decimals` digits after the point, rounded half up; integers only, so that every machine prints the same.
static asy_number
in_unit(uint64_t ns, const unit *u, int decimals)
{
    static const uint64_t tens[] = {1, 10, 100};
    uint64_t whole = ns / u->ns;
    uint64_t part = ns % u->ns; // < 1e9
    uint64_t frac = (part * tens[decimals] + u->ns / 2) / u->ns;
    asy_number count, out;

    if (frac == tens[decimals]) {
        frac = 0;
        whole++;
    }
    count = asy_units_count(whole);
    if (decimals == 0) {
        snprintf(out.s, sizeof out.s, "%.26s %s", count.s, u->name);
    } else {
        snprintf(out.s, sizeof out.s, "%.26s.%0*u %s", count.s, decimals, (unsigned)frac, u->name);
    }
    return out;
}

asy_number
asy_units_time(uint64_t ns)
{
    for (int i = 0; i < UNIT_COUNT; i++) {
        const unit *u = &units[i];

        if (u->ns == 1) {
            return in_unit(ns, ns == 0 ? &units[0] : u, 0);
        }
        // 999.5 ms is 1.00 s
        if (ns >= u->ns - u->ns / 2000) {
            uint64_t ns_in = ns < u->ns ? u->ns : ns;

            return in_unit(ns_in, u, ns_in < 10 * u->ns - u->ns / 200 ? 2 : ns_in < 100 * u->ns - u->ns / 20 ? 1 : 0);
        }
    }
    return in_unit(ns, &units[UNIT_COUNT - 1], 0);
}

asy_number
asy_units_column(uint64_t ns, uint64_t largest_ns)
{
    const unit *u = &units[0];

    while (u->ns > 1000 && largest_ns < u->ns - u->ns / 200) {
        u++;
    }
    if (ns == 0 || ns * 200 >= u->ns || ns > u->ns) {
        return in_unit(ns, u, 2);
    }
    return asy_units_time(ns);
}

asy_number
asy_units_percent(uint64_t part, uint64_t whole)
{
    asy_number out;
    unsigned __int128 scaled = (unsigned __int128)part * 100;
    uint64_t percent = whole == 0 ? 0 : (uint64_t)((scaled + whole / 2) / whole);

    if (part > 0 && percent == 0 && whole > 0) {
        snprintf(out.s, sizeof out.s, "<1 %%");
    } else if (percent == 100 && part < whole) {
        snprintf(out.s, sizeof out.s, "%s", part + whole / 1000 >= whole ? "100 %" : "99 %");
    } else {
        snprintf(out.s, sizeof out.s, "%llu %%", (unsigned long long)percent);
    }
    return out;
}
