// say.c: sentences on stderr, of which longer ones are cut, and help on stdout.
#include "cli/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_ROOM 8192

// A program that shares the descriptor may have made it non-blocking. 0, or an errno.
static int
write_all(int fd, const char *text, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

// What a terminal would obey, in the name of a file: control characters, also those that UTF-8 has beyond ASCII.
static void
disarm(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
            c[0] = c[1] = '?';
        } else if (*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

__attribute__((format(printf, 1, 0))) static void
say(const char *format, va_list list)
{
    char line[LINE_ROOM] = "assay: ";
    size_t len = strlen(line);
    int n = vsnprintf(line + len, sizeof line - len - 1, format, list);

    len += n < 0 ? 0 : (size_t)n < sizeof line - len - 1 ? (size_t)n : sizeof line - len - 2;
    disarm(line);
    line[len++] = '\n';
    write_all(STDERR_FILENO, line, len); // nowhere to complain to if this fails
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
    int why;

    if (asy_say_is_closed(STDOUT_FILENO)) {
        return asy_say_refused("this cannot be written: standard output is closed");
    }
    why = write_all(STDOUT_FILENO, text, strlen(text));
    if (why == EPIPE) {
        return 1; // whoever read has had enough
    }
    return why == 0 ? 0 : asy_say_refused("this cannot be written: %s", strerror(why));
}
