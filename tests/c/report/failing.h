// failing.h: malloc, calloc, realloc and strdup of which one fails, when a test says so (linked with failing_wrap of meson.build).
#ifndef FAILING_H
#define FAILING_H

extern long failing_countdown; // allocations until one fails; it has failed, or none shall: below 0

#endif
