// witness.c: a process to which nothing happens, and what is pending for it.
#include "cli/witness.h"

#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

static void
stand_by(pid_t parent)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    asy_os_close_all();
    if (asy_os_die_with_parent() != ASY_OK || getppid() != parent) {
        _exit(0); // it would stay behind
    }
    for (;;) {
        pause();
    }
}

void
asy_witness_begin(asy_witness *w)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        stand_by(parent);
    }
    w->pid = pid > 0 ? pid : 0;
}

void
asy_witness_end(asy_witness *w)
{
    if (w->pid != 0) {
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
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
