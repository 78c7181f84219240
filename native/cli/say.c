// say.c: sentences on stderr. Longer ones are cut.
#include "cli/say.h"

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
