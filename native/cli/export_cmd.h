// export_cmd.h: `assay export`.
#ifndef ASY_CLI_EXPORT_CMD_H
#define ASY_CLI_EXPORT_CMD_H

// argv[0] is "export". Returns the exit status.
int asy_export_cmd(int argc, char **argv);

#endif
