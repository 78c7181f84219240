// say.h: sentences on stderr, help on stdout.
#ifndef ASY_CLI_SAY_H
#define ASY_CLI_SAY_H

#include <stdbool.h>

#define ASY_EXIT_REFUSED 2

// "assay: " and the sentence and a newline, in one write where that can be. Control characters become '?'.
void asy_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// asy_say, and the exit status for what was refused before it began.
int asy_say_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Was this standard descriptor closed when we began? What stands in for it since (main.c) takes all that is written.
bool asy_say_is_closed(int fd);

// A help text on stdout. The exit status: 0, or that of a refusal, which is said.
int asy_say_page(const char *text);

#endif
