// loadable.h: can a program that is about to be started load this library?
// For children between vfork and exec as well: no allocation, no lock, a few system calls.
#ifndef ASY_PRELOAD_LOADABLE_H
#define ASY_PRELOAD_LOADABLE_H

#include <stdint.h>

// Once, before the others: remember our own file and which dynamic loader runs us.
void asy_loadable_init(const char *library_path);

// 0 if the file has our kind of ELF and our dynamic loader, gains no privileges and was not built with AddressSanitizer (whose
// runtime insists on being first). A script is judged by its interpreter. Also 0 for what does not exist or is
// neither: starting it fails, or starts a shell. Else the reason, one of ASY_REFUSED_* of core/arena.h.
uint64_t asy_loadable_path(const char *path);
uint64_t asy_loadable_fd(int fd); // borrowed

#endif
