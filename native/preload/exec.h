// exec.h: the exec and spawn family, wrapped.
// A child that can load us gets the environment that the caller passed, byte for byte; another one gets it without our two
// variables. The wrappers work between vfork and exec: stack memory only.
#ifndef ASY_PRELOAD_EXEC_H
#define ASY_PRELOAD_EXEC_H

// Once, from the constructor: find the functions behind ours.
void asy_exec_init(void);

#endif
