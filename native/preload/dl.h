// dl.h: the dynamic loader, asked by the names that every C library of the last ten years has.
// Built where libc holds dlsym itself (2.34 on), a plain reference would ask for that version and not load in an older one.
#ifndef ASY_PRELOAD_DL_H
#define ASY_PRELOAD_DL_H

#include <stdbool.h>
#include <stddef.h>

void *asy_dl_any(const char *symbol);                                  // anywhere in the program; NULL: not there
void *asy_dl_next(const char *symbol);                                 // behind this library
void *asy_dl_open(const char *path, void **start, const char *symbol); // for good; NULL: not to be had

// The file that holds `address`, as the loader was told its name; borrowed for good. NULL: unknown.
const char *asy_dl_file(const void *address);

#endif
