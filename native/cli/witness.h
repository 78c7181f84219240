// witness.h: processes of our own that stand beside us: the witness, and the waker.
// Was a signal sent to our pid alone, or to the whole process group? The signal itself does not say. The witness does nothing, in
// our group and with every signal blocked: what it has got too went to the group, and so to the child as well. It goes by another
// name than we do, so that who looks for assay (killall) finds us alone; its arguments are the program's, so that who looks for
// those finds all three.
#ifndef ASY_CLI_WITNESS_H
#define ASY_CLI_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;              // 0: there is none, every signal counts as ours alone
    uint64_t seen;          // signals of the group that were not asked for yet
    char *const *arguments; // borrowed: the last of our own, those of the program
} asy_witness;

// It dies with us, and holds no descriptors. `seen` begins at 0; it and `arguments` are the caller's to set.
void asy_witness_begin(asy_witness *w);
void asy_witness_end(asy_witness *w);

// True if the group got this signal, asked right after we did. Waits a moment, and forgets the signal.
bool asy_witness_saw(asy_witness *w, int signal_number);

// We are about to stop because `child` has: a process outside our group continues us when the child goes on or ends. 0: none to be
// had.
pid_t asy_waker_begin(pid_t child);
void asy_waker_end(pid_t waker);

#endif
