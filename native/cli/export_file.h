// export_file.h: the file that an export is written to: whole, or not there.
// It is written beside its place under a hidden name and takes its own at the end. What is there stays as it is until then, and for
// good unless it was to be replaced. Pipes and devices are written to as they are.
#ifndef ASY_CLI_EXPORT_FILE_H
#define ASY_CLI_EXPORT_FILE_H

#include <stdbool.h>

#include "cli/places.h"

typedef struct {
    char path[ASY_PATH_ROOM]; // as asked for, links followed
    char temp[ASY_PATH_ROOM]; // "" = there is none
    bool standard;            // it is standard output
    bool force;
    int fd; // owned, but for standard output's
} asy_export_file;

// `path`: "-" = standard output. 0, or the exit status after a sentence.
int asy_export_file_open(asy_export_file *f, const char *path, bool force);
// Give it its name. 0, or the exit status after a sentence.
int asy_export_file_keep(asy_export_file *f);
// Remove what was written.
void asy_export_file_discard(asy_export_file *f);

#endif
