// report_cmd.h: `assay report [F] [options]`.
#ifndef ASY_CLI_REPORT_CMD_H
#define ASY_CLI_REPORT_CMD_H

// argv[0] is "report". Returns the exit status: 0, or 2 after one sentence on stderr.
int asy_report_cmd(int argc, char **argv);

#endif
