// session.h: the session that a process finds in its environment, seen from the preload.
// ASSAY_SESSION is "PID:FD:NONCE", NONCE in 16 hexadecimal digits: the program's memory is /proc/PID/fd/FD.
#ifndef ASY_PRELOAD_SESSION_H
#define ASY_PRELOAD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define ASY_SESSION_NAME "ASSAY_SESSION"
#define ASY_SESSION_BYTES 64u // of its value, at most

typedef struct {
    uint64_t pid, nonce;
    int fd;
} asy_session;

// False: this is no session of ours.
bool asy_session_parse(const char *value, asy_session *s);

// A descriptor of the arena, close-on-exec, the caller's to close; -1: refused, or the program has gone.
int asy_session_open(const asy_session *s);

// The head of the arena, where this process has it mapped for good.
void asy_session_know(void *head);

// Add to the counters of the arena's head (core/arena.h). Where it is not known they map it for a moment; what fails goes uncounted.
void asy_session_lose(const asy_session *s, int which);
// A Python goes unmeasured. `why` is ASY_REFUSED_* | asy_status << 8; `version` 0 where it does not matter; `name` of its file.
void asy_session_refuse(const asy_session *s, uint64_t version, uint64_t why, const char *name);

#endif
