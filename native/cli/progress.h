// progress.h: a line on a terminal while something takes long.
#ifndef ASY_CLI_PROGRESS_H
#define ASY_CLI_PROGRESS_H

// From a second after the first until the other, stderr says that a recording is being read, if it is a terminal.
void asy_progress_begin(void);
void asy_progress_end(void);

#endif
