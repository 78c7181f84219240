// witness.c: a process to which nothing happens, and what is pending for it; and one that looks whether a stopped child goes on.
#include "cli/witness.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

#define WAKER_LOOKS_NS 100000000

// Blind and deaf to all but the parent's death.
static void
stand_apart(pid_t parent)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    asy_os_close_all();
    if (asy_os_die_with_parent() != ASY_OK || getppid() != parent) {
        _exit(0); // it would stay behind
    }
}

// Leave of the command line, which begins with our name and is one piece of memory, the arguments alone.
static void
rename_self(char *const *arguments)
{
    char *begin = program_invocation_name, *end = begin;

    prctl(PR_SET_NAME, "asy-witness");
    for (char *const *a = arguments; *a != NULL; a++) {
        end = *a + strlen(*a) + 1;
    }
    if (begin == NULL || *arguments < begin || end < *arguments) {
        return; // somebody has moved them
    }
    memmove(begin, *arguments, (size_t)(end - *arguments));
    memset(begin + (end - *arguments), 0, (size_t)(*arguments - begin));
}

void
asy_witness_begin(asy_witness *w)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        stand_apart(parent);
        rename_self(w->arguments);
        for (;;) {
            pause();
        }
    }
    w->pid = pid > 0 ? pid : 0;
}

static void
end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void
asy_witness_end(asy_witness *w)
{
    if (w->pid != 0) {
        end_process(w->pid);
        w->pid = 0;
    }
}

bool
asy_witness_saw(asy_witness *w, int signal_number)
{
    struct timespec moment = {0, 2000000};
    uint64_t bit = (uint64_t)1 << (signal_number - 1);

    if (w->pid == 0) {
        return false;
    }
    nanosleep(&moment, NULL); // the kernel goes through a group one by one
    w->seen |= asy_os_process_pending((uint64_t)w->pid);
    if ((w->seen & bit) == 0) {
        return false;
    }
    w->seen &= ~bit;
    asy_witness_end(w); // what is pending stays pending: only a new one can see the next
    asy_witness_begin(w);
    return true;
}

pid_t
asy_waker_begin(pid_t child)
{
    struct timespec gap = {0, WAKER_LOOKS_NS};
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid != 0) {
        return pid > 0 ? pid : 0;
    }
    stand_apart(parent);
    setsid(); // what stops our group does not stop it
    prctl(PR_SET_NAME, "asy-waker");
    while (asy_os_process_stopped((uint64_t)child)) {
        nanosleep(&gap, NULL);
    }
    for (;;) {
        if (asy_os_process_stopped((uint64_t)parent)) {
            kill(parent, SIGCONT);
        }
        nanosleep(&gap, NULL);
    }
}

void
asy_waker_end(pid_t waker)
{
    if (waker != 0) {
        end_process(waker);
    }
}
