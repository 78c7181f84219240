// recordings.h: the recording that a report is of.
#ifndef ASY_CLI_RECORDINGS_H
#define ASY_CLI_RECORDINGS_H

#include "record/profile.h"
#include "report/words.h"

// Load the recording `named`; if that is NULL, the newest *.assay of this directory that can be read and holds something.
// Caller frees *p and *path. Returns 0, or ASY_EXIT_REFUSED with both NULL. `said` gets a sentence for each newer one that was
// skipped, or why there is none.
int asy_recordings_open(const char *named, asy_profile **p, char **path, asy_words *said);

#endif
