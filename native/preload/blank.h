// blank.h: our two variables, out of what /proc/PID/environ shows.
#ifndef ASY_PRELOAD_BLANK_H
#define ASY_PRELOAD_BLANK_H

#include <stdbool.h>

// Once, from the constructor, after asy_environ_init and before anything keeps a pointer to the session's variable. C's environ gets
// copies, or with `drop` it loses them, and a program that starts others by the wrapped functions hands them on all the same. The bytes
// that the kernel shows become zero, the user's own LD_PRELOAD stays. What follows them is not moved.
void asy_blank_initial(bool drop);

#endif
