// units.h: numbers as people read them.
#ifndef ASY_REPORT_UNITS_H
#define ASY_REPORT_UNITS_H

#include <stdint.h>

typedef struct {
    char s[40];
} asy_number;

// Three digits: "5.32 s", "1.11 ms", "32.2 µs", "740 ns", "0 s"; from 1,000 s on "1,234 s".
asy_number asy_units_time(uint64_t ns);
// For a column whose largest value is `largest_ns`: all in its unit with two decimals; what would be lost there is in its own unit.
asy_number asy_units_column(uint64_t ns, uint64_t largest_ns);
// "1,204,331"
asy_number asy_units_count(uint64_t n);
// Whole percent, "<1 %" for a little and "100 %" only for all. `whole` 0 gives "0 %".
asy_number asy_units_percent(uint64_t part, uint64_t whole);

#endif
