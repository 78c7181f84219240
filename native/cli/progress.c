// progress.c: see progress.h.
#include "cli/progress.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const char progress[] = "assay: reading the recording …";
static volatile sig_atomic_t progress_shown;

static void
on_alarm(int signal)
{
    int saved = errno;

    (void)signal;
    if (write(STDERR_FILENO, progress, sizeof progress - 1) > 0) {
        progress_shown = 1;
    }
    errno = saved;
}

void
asy_progress_begin(void)
{
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

    if (isatty(STDERR_FILENO)) {
        sigaction(SIGALRM, &act, NULL);
        alarm(1);
    }
}

void
asy_progress_end(void)
{
    alarm(0);
    if (progress_shown) {
        static const char erase[] = "\r\033[K";

        progress_shown = write(STDERR_FILENO, erase, sizeof erase - 1) < 0;
    }
}
