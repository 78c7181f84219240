// exit.h: the end of a process, as it is about to come: exit and its handlers, _exit.
#ifndef ASY_PRELOAD_EXIT_H
#define ASY_PRELOAD_EXIT_H

// From now on `tell` is called with the status when the process ends by itself. Once a process; fork children keep it.
void asy_exit_tell(void (*tell)(int status));

#endif
