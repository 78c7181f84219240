// watch.h: stand beside the child until it ends: hand signals on, stop when it stops, harvest in between.
#ifndef ASY_CLI_WATCH_H
#define ASY_CLI_WATCH_H

#include <sys/types.h>

#include "cli/measure.h"

// How it ended, as in asy_profile_process: exited 1 and an exit status, or 2 and a signal.
typedef struct {
    int exited, status;
} asy_watch_end;

// `arguments`: the last of our own, those of the program.
asy_watch_end asy_watch_child(pid_t child, char *const *arguments, int signal_fd, asy_measure *m);

// End this process in the same way: this does not return.
void asy_watch_repeat(asy_watch_end end) __attribute__((noreturn));

#endif
