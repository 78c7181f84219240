// sample.h: a recording with something of everything, and what a profile of it must say.
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "record/profile.h"
#include "record/writer.h"

#define SAMPLE_NODES 400u // of its first thread

asy_text sample_text(const char *s);
// The definitions and counts, with a flush after each kind if `flush`; then the end block.
asy_status sample_write(asy_writer *w, bool flush);
// Owned by the caller.
unsigned char *sample_bytes(bool flush, size_t *len);
// `p` says what was written, or the beginning of it: what is there is right. `whole`: nothing is missing either.
void sample_check(const asy_profile *p, bool whole);

// What profile.h promises of any profile. NULL if it holds, else what does not.
const char *invariant_broken(const asy_profile *p);

#endif
