// run_options.h: the command line of `assay run`.
// Our options come first, then the interpreter's own, then what is to be run.
#ifndef ASY_CLI_RUN_OPTIONS_H
#define ASY_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    ASY_RUN_SCRIPT, // target: its path
    ASY_RUN_STDIN,  // the program comes on stdin
    ASY_RUN_MODULE, // target: dotted name
    ASY_RUN_CODE,
    ASY_RUN_QUESTION, // -V and the like: the interpreter answers, nothing is run
    ASY_RUN_COMMAND,  // target: a command that starts a Python, or not
} asy_run_kind;

typedef struct {
    asy_run_kind kind;
    const char *target; // borrowed from argv
    char **arguments;   // borrowed: the interpreter's arguments, or the command with its own; NULL-terminated
    const char *output; // -o, NULL = by the target's name
    const char *python; // --python, NULL = to be found
    uint64_t arena_bytes;
    bool no_c_calls; // --no-c-calls
    bool quiet, help;
} asy_run_options;

// argv[0] is "run". 0, or the exit status after one sentence on stderr.
int asy_run_options_parse(int argc, char **argv, asy_run_options *o);

#endif
