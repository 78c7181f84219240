// say.h: sentences on stderr.
#ifndef ASY_CLI_SAY_H
#define ASY_CLI_SAY_H

#define ASY_EXIT_REFUSED 2

// "assay: " and the sentence and a newline, in one write.
void asy_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// asy_say, and the exit status for what was refused before it began.
int asy_say_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
