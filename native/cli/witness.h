// witness.h: was a signal sent to our pid alone, or to the whole process group?
// The signal itself does not say. A process that does nothing stands in our group with every signal blocked: what it has got too
// went to the group, and so to the child as well.
#ifndef ASY_CLI_WITNESS_H
#define ASY_CLI_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;     // 0: there is none, every signal counts as ours alone
    uint64_t seen; // signals of the group that were not asked for yet
} asy_witness;

// It dies with us, and holds no descriptors. `seen` begins at 0 and is the caller's to set.
void asy_witness_begin(asy_witness *w);
void asy_witness_end(asy_witness *w);

// True if the group got this signal, asked right after we did. Waits a moment, and forgets the signal.
bool asy_witness_saw(asy_witness *w, int signal_number);

#endif
