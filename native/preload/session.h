// session.h: the session that a process finds in its environment, seen from the preload.
// ASSAY_SESSION is "PID:FD:NONCE:take" or "PID:FD:NONCE:skip", NONCE in 16 hexadecimal digits: the program's memory is
// /proc/PID/fd/FD. `skip` means: an ancestor is measured already; a Python counts itself and is left alone.
#ifndef ASY_PRELOAD_SESSION_H
#define ASY_PRELOAD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define ASY_SESSION_NAME "ASSAY_SESSION"
#define ASY_SESSION_TAKE "take"
#define ASY_SESSION_SKIP "skip"

typedef struct {
    uint64_t pid, nonce;
    int fd;
    bool skip;
    char *word; // borrowed from the environment: where "take" stands
} asy_session;

// False: this is no session of ours.
bool asy_session_parse(char *value, asy_session *s);

// A descriptor of the arena, close-on-exec, the caller's to close; -1: refused, or the program has gone.
int asy_session_open(const asy_session *s);

// Children of this process are not entered. In place, so that the environment block keeps its shape.
void asy_session_mark(asy_session *s);

// Add to the counters of the arena's head (core/arena.h). They map it for a moment; what fails goes uncounted.
void asy_session_lose(const asy_session *s, int which);
void asy_session_refuse(const asy_session *s, uint64_t version, uint64_t why);

#endif
