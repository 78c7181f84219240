// out_file.h: the file that a run writes its recording to.
// As long as it is open it is locked (flock): another run sees that it is being written, leaves it where it is and takes the next
// free name, NAME.2.assay. A recording that is there and is finished is kept as NAME.old.assay; the one that had that name waits
// under a hidden one until the new one is there to stay. Where the file system has no locks, runs at the same time do not see each
// other.
#ifndef ASY_CLI_OUT_FILE_H
#define ASY_CLI_OUT_FILE_H

#include <stdbool.h>

#include "cli/places.h"

typedef struct {
    char path[ASY_PATH_ROOM];  // of the file as it is named now
    char asked[ASY_PATH_ROOM]; // as it was to be named
    char old[ASY_PATH_ROOM];   // what was there before; "": nothing was
    char older[ASY_PATH_ROOM]; // what was `old` before that; "": nothing was
    int fd;                    // owned; -1: closed
} asy_out_file;

// Create the file `path`, empty and locked, with room on its disk. What is there and is no recording is left alone, a directory, a device, a
// pipe or a socket is refused before it is opened. `named`: the user chose the name.
// 0, or the exit status after a sentence; then everything is as before.
int asy_out_file_open(asy_out_file *f, const char *path, bool named);

// It is there to stay: what `old` replaced is removed. At settling it is too.
void asy_out_file_keep(asy_out_file *f);

// Remove it again: what was there before has its name back. Nothing is done where the name belongs to something else by now.
void asy_out_file_put_back(asy_out_file *f);

typedef enum {
    ASY_OUT_FILE_THERE,
    ASY_OUT_FILE_MOVED,   // path is the new name
    ASY_OUT_FILE_AGAIN,   // it had been removed and was written once more, to path
    ASY_OUT_FILE_REMOVED, // and there is no place for it
} asy_out_file_state;

// The end of writing: give back room that was not used, see to it that the file can be found.
asy_out_file_state asy_out_file_settle(asy_out_file *f);

#endif
