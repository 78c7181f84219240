// report_cmd.c: `assay report`: options to a view, and the view to a page.
#include "cli/report_cmd.h"

#include <stdio.h>

int
asy_report_cmd(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs("assay: `report` is not there yet\n", stderr);
    return 2;
}
