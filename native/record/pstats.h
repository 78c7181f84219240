// pstats.h: a file of cProfile, profile or pstats, as a profile that has functions and their callers, but no threads and no tree.
// Such a file is one marshalled dict, {(file, line, name): (primitive calls, calls, self, total, callers)}, times in seconds; callers is
// {(file, line, name): (calls, primitive calls, self, total)}, or with `profile` {(file, line, name): calls}. Exactly that is read;
// anything else is refused, at the first byte that does not fit.
#ifndef ASY_RECORD_PSTATS_H
#define ASY_RECORD_PSTATS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "record/profile.h"

#define ASY_PSTATS_BYTES_MAX ((size_t)256 << 20) // of a file: 100,000 functions with three callers each take 30 MB

// Does it begin like such a file; or is it named like one, and does not begin like a recording?
bool asy_pstats_looks_like(const char *path);

// *problem (static, or valid until the next load of the same thread): a clause that says what is wrong, NULL if nothing is.
// Functions are in the order in which the file names them first, names as they stand there; profile->edges is not NULL. Free with asy_profile_free.
// Errors: ASY_ENOENT, ASY_EPERM, ASY_EIO, ASY_ENOMEM, ASY_ELIMIT (over ASY_PSTATS_BYTES_MAX), ASY_ECORRUPT (it is no such file),
// ASY_EVERSION (a sampling profiler wrote it).
asy_status asy_pstats_load_file(const char *path, asy_profile **out, const char **problem);
asy_status asy_pstats_load_bytes(const void *bytes, size_t len, asy_profile **out, const char **problem);

#endif
