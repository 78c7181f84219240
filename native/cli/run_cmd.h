// run_cmd.h: `assay run [--calls] [-o F] [python options] script.py … | -m mod … | -c code | -- command`.
#ifndef ASY_CLI_RUN_CMD_H
#define ASY_CLI_RUN_CMD_H

// argv[0] is "run". Returns the exit status for what was refused before the start, after one sentence on stderr. Once
// the program has run, this process ends as it did and this does not return.
int asy_run_cmd(int argc, char **argv);

#endif
