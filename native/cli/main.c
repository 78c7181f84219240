// main.c: the verbs of assay.
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/dropin_cmd.h"
#include "cli/export_cmd.h"
#include "cli/report_cmd.h"
#include "cli/run_cmd.h"
#include "cli/say.h"

static const char help[] = "assay: says which functions of a Python program cost what\n"
                           "\n"
                           "  assay run script.py …   run a program, count and time its calls\n"
                           "  assay report [FILE]     look at a recording: --tree, --callers FUNCTION, …\n"
                           "  assay export [FILE]     write it in another tool's format: --to pstats, …\n"
                           "  assay cprofile …        the command line of cProfile, on our engine\n"
                           "  assay dropin-path       for PYTHONPATH: `import cProfile` is ours then\n"
                           "  assay --version\n"
                           "  assay VERB --help       options and examples of a verb\n"
                           "\n"
                           "examples:\n"
                           "  assay run nightly_report.py\n"
                           "  assay run -m pytest tests\n"
                           "  assay report --tree\n";

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verb;

static const verb verbs[] = {
    {"run", asy_run_cmd},           {"report", asy_report_cmd},           {"export", asy_export_cmd},
    {"cprofile", asy_cprofile_cmd}, {"dropin-path", asy_dropin_path_cmd},
};

// A standard descriptor that is closed must not become one of our files; the child still finds it closed.
static void
hold_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

// What somebody means to run who forgot to say so.
static bool
is_program(const char *name)
{
    const char *dot = strrchr(name, '.');

    return (dot != NULL && strcmp(dot, ".py") == 0) || strcmp(name, "-m") == 0 || strcmp(name, "-c") == 0 ||
           strcmp(name, "--") == 0 || (*name != '-' && access(name, F_OK) == 0);
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    hold_standard_descriptors();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(name, verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return asy_say_page("assay " ASY_VERSION "\n");
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return asy_say_page(help);
    }
    if (*name == '\0') {
        fputs(help, stderr);
        return ASY_EXIT_REFUSED;
    }
    if (is_program(name)) {
        return asy_say_refused("there is no verb %s; to run a program: assay run %s …", name, name);
    }
    return asy_say_refused("there is no %s %s (see assay --help)", *name == '-' ? "option" : "verb", name);
}
