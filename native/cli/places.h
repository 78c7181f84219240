// places.h: where things are: our library directory, the interpreter, the recording.
#ifndef ASY_CLI_PLACES_H
#define ASY_CLI_PLACES_H

#include "cli/run_options.h"

#define ASY_PATH_ROOM 4096

// Path of the preload library: in $ASSAY_LIBDIR, in the package beside this program, or in its build tree.
// 0, or the exit status after a sentence.
int asy_places_preload(char path[ASY_PATH_ROOM]);

// The directory whose modules take the place of Python's own. 0, or the exit status after a sentence.
int asy_places_dropin(char path[ASY_PATH_ROOM]);

// The interpreter: `asked`, else python3 beside this program, else of $VIRTUAL_ENV, else on PATH; checked as far as that is
// possible without starting it. 0, or the exit status after a sentence.
int asy_places_python(const char *asked, char path[ASY_PATH_ROOM]);

// The file that a command names; found on PATH if it has no slash. 0, or 127 (none) or 126 (may not be run) after a sentence.
int asy_places_command(const char *name, char path[ASY_PATH_ROOM]);

// The recording's name. 0, or the exit status after a sentence.
int asy_places_recording(const asy_run_options *o, char path[ASY_PATH_ROOM]);

#endif
