// say.c: sentences on stderr, of which longer ones are cut, and help on stdout.
#include "cli/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_ROOM 8192

__attribute__((format(printf, 1, 0))) static void
say(const char *format, va_list list)
{
    char line[LINE_ROOM] = "assay: ";
    size_t len = strlen(line);
    int n = vsnprintf(line + len, sizeof line - len - 1, format, list);

    len += n < 0 ? 0 : (size_t)n < sizeof line - len - 1 ? (size_t)n : sizeof line - len - 2;
    line[len++] = '\n';
    // Nowhere to complain to if this fails.
    if (write(STDERR_FILENO, line, len) < 0) {
        return;
    }
}

void
asy_say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
}

int
asy_say_refused(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
    return ASY_EXIT_REFUSED;
}

bool
asy_say_is_closed(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags < 0 || (flags & FD_CLOEXEC) != 0; // what is closed at an exec was not handed to us
}

int
asy_say_page(const char *text)
{
    size_t len = strlen(text), done = 0;

    if (asy_say_is_closed(STDOUT_FILENO)) {
        return asy_say_refused("this cannot be written: standard output is closed");
    }
    while (done < len) {
        ssize_t n = write(STDOUT_FILENO, text + done, len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EPIPE) {
            return 1; // whoever read has had enough
        } else if (errno != EINTR) {
            return asy_say_refused("this cannot be written: %s", strerror(errno));
        }
    }
    return 0;
}
