// dropin_cmd.c: find the interpreter and the package, and leave the rest to it.
#include "cli/dropin_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/places.h"
#include "cli/say.h"

static const char path_help[] =
    "assay dropin-path: the directory whose modules take the place of Python's own profilers\n"
    "\n"
    "  assay dropin-path\n"
    "\n"
    "example:\n"
    "  PYTHONPATH=$(assay dropin-path) python -m cProfile -s cumtime app.py\n";

int
asy_dropin_path_cmd(int argc, char **argv)
{
    char path[ASY_PATH_ROOM], line[ASY_PATH_ROOM + 1];
    int rc;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        return asy_say_page(path_help);
    }
    if (argc > 1) {
        return asy_say_refused("dropin-path takes no arguments (see assay dropin-path --help)");
    }
    rc = asy_places_dropin(path);
    if (rc != 0) {
        return rc;
    }
    snprintf(line, sizeof line, "%s\n", path);
    return asy_say_page(line);
}

// Our one option comes before those of cProfile. The number of arguments that it took, or -1: it lacks its own.
static int
take_python(int argc, char **argv, const char **python)
{
    static const char name[] = "--python";
    size_t len = sizeof name - 1;

    *python = NULL;
    if (argc < 2 || strncmp(argv[1], name, len) != 0) {
        return 0;
    }
    if (argv[1][len] == '=') {
        *python = argv[1] + len + 1;
        return 1;
    }
    if (argv[1][len] != '\0') {
        return 0;
    }
    *python = argc > 2 ? argv[2] : NULL;
    return argc > 2 ? 2 : -1;
}

int
asy_cprofile_cmd(int argc, char **argv)
{
    char program[ASY_PATH_ROOM], dropin[ASY_PATH_ROOM];
    const char *python;
    int taken = take_python(argc, argv, &python);
    int rc = taken < 0 ? asy_say_refused("--python wants an interpreter") : asy_places_python(python, program);
    char **command;

    if (rc != 0 || (rc = asy_places_dropin(dropin)) != 0) {
        return rc;
    }
    command = calloc((size_t)argc + 2, sizeof *command);
    if (command == NULL) {
        return asy_say_refused("there is no memory");
    }
    command[0] = program;
    command[1] = dropin;
    memcpy(command + 2, argv + 1 + taken, (size_t)(argc - 1 - taken) * sizeof *command);
    execv(program, command);
    rc = errno;
    free(command);
    return asy_say_refused("cannot run %s: %s", program, strerror(rc));
}
