// child.h: start the program to be measured, exactly as it would start without us.
// Its arguments, directory, descriptors, signal mask and dispositions, limits, process group and terminal are those that
// assay was given; its environment has two variables more (preload/session.h).
#ifndef ASY_CLI_CHILD_H
#define ASY_CLI_CHILD_H

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

// What this process changes for itself, as it was before.
typedef struct {
    sigset_t mask;
    struct sigaction pipe, xfsz, chld;
    struct rlimit file_size, address_space;
} asy_child_given;

// Our own settings: signals that we handle are blocked and come through *signal_fd (the caller's to close; -1: none to be had), a
// broken pipe or a full disk is an error instead of death, files and memory may be as large as the hard limits allow.
void asy_child_prepare(asy_child_given *given, int *signal_fd);

// The program has ended and its recording is whole: signals do to us again what they would have done. What came before is forgotten.
// A broken pipe stays an error: the status to be told is the program's.
void asy_child_heed_signals(const asy_child_given *given);

// The environment of the child: `env` with our library behind the user's in LD_PRELOAD, and the session. The array and the
// two strings are owned by the caller and live until it exits. NULL: no memory.
char **asy_child_environ(char *const *env, const char *library, const char *session);

// Start `path`. *pid is set; 0, or the errno of exec or fork.
int asy_child_start(const asy_child_given *given, const char *path, char *const *argv, char *const *env, pid_t *pid);

#endif
