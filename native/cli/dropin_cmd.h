// dropin_cmd.h: `assay cprofile` and `assay dropin-path`: the ways to the drop-in for cProfile.
#ifndef ASY_CLI_DROPIN_CMD_H
#define ASY_CLI_DROPIN_CMD_H

// Becomes the interpreter that runs cProfile's command line on our engine; comes back with an exit status where it could not.
int asy_cprofile_cmd(int argc, char **argv);
int asy_dropin_path_cmd(int argc, char **argv);

#endif
