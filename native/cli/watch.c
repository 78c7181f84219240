// watch.c: the loop beside the child.
// The signals of a terminal, and what somebody sends to the process group, come to the child as well: they are not handed
// on. What was sent to our pid alone is. The child's stops are repeated by ourselves, so that a shell sees one job, and end when
// either of us is continued.
#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/witness.h"
#include "os/os.h"

#define HARVEST_MS 80
#define WATCHED_MAX 512

static void
unblock_default(int signal_number, sigset_t *old)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signal_number);
    sigaction(signal_number, &standard, NULL);
    sigprocmask(SIG_UNBLOCK, &set, old);
}

// A shell continues the whole group; who continued us alone meant the child.
static void
continue_child(pid_t child)
{
    struct timespec moment = {0, 1000000};

    if (asy_os_process_stopped((uint64_t)child)) {
        nanosleep(&moment, NULL); // the group's signal may still be on its way
        if (asy_os_process_stopped((uint64_t)child)) {
            kill(child, SIGCONT);
        }
    }
}

// It is our waker that has continued us, or somebody else.
static void
continue_after(pid_t child, pid_t waker)
{
    struct timespec now = {0, 0};
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    if (sigtimedwait(&set, &info, &now) == SIGCONT && info.si_pid != waker) {
        continue_child(child);
    }
}

// Stop as the child did, until somebody continues us or it. Where the kernel ignores that (nobody could continue us), go on.
static void
stop_like(int signal_number, pid_t child)
{
    struct sigaction given;
    sigset_t old;
    pid_t waker = asy_waker_begin(child);

    sigaction(signal_number, NULL, &given);
    unblock_default(signal_number, &old);
    raise(signal_number);
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigaction(signal_number, &given, NULL);
    asy_waker_end(waker);
    continue_after(child, waker);
}

static void
take_signal(const struct signalfd_siginfo *info, pid_t child, asy_witness *witness)
{
    int signal_number = (int)info->ssi_signo;

    if (signal_number == SIGCONT) {
        continue_child(child);
    } else if (signal_number != SIGCHLD && info->ssi_code <= 0 && info->ssi_pid != (uint32_t)child &&
               !asy_witness_saw(witness, signal_number)) {
        kill(child, signal_number); // its zombie is ours until we have asked for it: never another process
    }
}

static void
take_signals(int signal_fd, pid_t child, asy_witness *witness)
{
    struct signalfd_siginfo info;

    while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        take_signal(&info, child, witness);
    }
}

// True when the child has ended. Its stops are followed here.
static bool
look_at_child(pid_t child, asy_watch_end *end)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WNOHANG) != 0) {
        *end = (asy_watch_end){0, 0};
        return errno != EINTR;
    }
    if (info.si_pid == 0) {
        return false;
    }
    if (info.si_code == CLD_STOPPED) {
        stop_like(info.si_status, child);
        return false;
    }
    *end = (asy_watch_end){info.si_code == CLD_EXITED ? 1 : 2, info.si_status};
    return true;
}

asy_watch_end
asy_watch_child(pid_t child, char *const *arguments, int signal_fd, asy_measure *m)
{
    struct pollfd fds[WATCHED_MAX + 1];
    int others[WATCHED_MAX];
    asy_watch_end end = {0, 0};
    asy_witness witness = {.arguments = arguments};

    asy_witness_begin(&witness);
    while (!look_at_child(child, &end)) {
        int n = asy_measure_others(m, (uint64_t)child, others, WATCHED_MAX);

        fds[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
        for (int i = 0; i < n; i++) {
            fds[i + 1] = (struct pollfd){.fd = others[i], .events = POLLIN};
        }
        // Without a signal descriptor the clock alone wakes us.
        if (poll(fds, (nfds_t)n + 1, HARVEST_MS) > 0) {
            take_signals(signal_fd, child, &witness);
        }
        asy_measure_poll(m);
    }
    asy_measure_child_died(m, (uint64_t)child, end.exited, end.status);
    asy_witness_end(&witness);
    return end;
}

void
asy_watch_repeat(asy_watch_end end)
{
    sigset_t old;

    if (end.exited == 2) {
        asy_os_leave_no_core(); // the child has left its own, if any
        if (end.status != SIGKILL && end.status != SIGSTOP) {
            unblock_default(end.status, &old);
        }
        raise(end.status);
        exit(128 + end.status); // a signal that does not kill us
    }
    exit(end.status);
}
