// blank.h: our two variables, out of what /proc/PID/environ shows.
#ifndef ASY_PRELOAD_BLANK_H
#define ASY_PRELOAD_BLANK_H

// Once, from the constructor, after asy_environ_init and before anything keeps a pointer to the session's variable. C's environ gets
// copies; the bytes that the kernel shows become zero, the user's own LD_PRELOAD stays. What follows them is not moved.
void asy_blank_initial(void);

#endif
