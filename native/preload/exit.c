// exit.c: _exit and _Exit are wrapped; exit calls a handler, which it calls last because it was there first.
// _exit may be called between vfork and exec, and in a handler of a signal.
#include "preload/exit.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/dl.h"

#define PUBLIC __attribute__((visibility("default")))

static void (*told)(int status);
static void (*real_exit)(int status);

static void
on_exit_called(int status, void *unused)
{
    (void)unused;
    told(status);
}

void
asy_exit_tell(void (*tell)(int status))
{
    real_exit = (void (*)(int))asy_dl_next("_exit");
    if (told == NULL && tell != NULL && on_exit(on_exit_called, NULL) == 0) {
        told = tell;
    }
}

// On to whoever is next: another preloaded library may wrap it too.
PUBLIC _Noreturn void
_exit(int status)
{
    if (told != NULL) {
        told(status);
    }
    if (real_exit != NULL) {
        real_exit(status);
    }
    for (;;) {
        syscall(SYS_exit_group, status);
    }
}

PUBLIC _Noreturn void
_Exit(int status)
{
    _exit(status);
}
