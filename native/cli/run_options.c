// run_options.c: take `assay run`'s options, then walk over Python's as Python would.
#include "cli/run_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

#define ARENA_BYTES (1024ull * 1024 * 1024)
#define ARENA_LEAST_BYTES (1024ull * 1024)
#define ARENA_MOST_BYTES (256 * ARENA_BYTES)
#define NOTHING "nothing to run: name a script, -m module, -c code, or -- command (see assay run --help)"

// Python's short options without a value; those with one, the two that end its options, and those that it only answers are apart.
static const char python_flags[] = "bBdEiIOPqRsStuvx";

typedef struct {
    char **at; // the next argument; NULL-terminated
} cursor;

// The value of an option: what is glued to it, or the next argument. NULL: there is none.
static const char *
take_value(cursor *c, const char *glued)
{
    if (glued != NULL && *glued != '\0') {
        return glued;
    }
    return *c->at != NULL ? *c->at++ : NULL;
}

// "--name=value" → value; "--name" → ""; something else → NULL.
static const char *
long_value(const char *argument, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(argument, name, n) != 0 || (argument[n] != '\0' && argument[n] != '=')) {
        return NULL;
    }
    return argument[n] == '=' ? argument + n + 1 : "";
}

// What follows the "=" of a long option, also nothing; else the next argument. NULL: there is none.
static const char *
take_long(cursor *c, const char *argument, const char *value)
{
    return strchr(argument, '=') != NULL ? value : take_value(c, NULL);
}

// "64M" and the like. False: it is no size.
static bool
take_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;
    unsigned shift;

    if (text == NULL || *text < '0' || *text > '9') {
        return false; // strtoull would take a sign
    }
    errno = 0;
    *bytes = strtoull(text, &end, 10);
    unit = *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
    shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    if (errno != 0 || *bytes > ARENA_MOST_BYTES || *bytes << shift >> shift != *bytes) {
        return false;
    }
    *bytes <<= shift;
    return end[unit != NULL] == '\0' && *bytes <= ARENA_MOST_BYTES;
}

static int
take_arena(const char *text, asy_run_options *o)
{
    if (!take_size(text, &o->arena_bytes)) {
        return asy_say_refused("--arena needs a size, such as 64M or 1G, up to 256G");
    }
    if (o->arena_bytes < ARENA_LEAST_BYTES) {
        return asy_say_refused("--arena %s is too small: the counts need at least 1M", text);
    }
    return 0;
}

// One option of ours: 1 taken, 0 not ours, -1 refused with a sentence.
static int
take_own(cursor *c, asy_run_options *o)
{
    const char *a = *c->at;
    const char *value;

    if (strcmp(a, "--calls") == 0) { // the default for now
        c->at++;
    } else if (strcmp(a, "--no-c-calls") == 0) {
        o->no_c_calls = true;
        c->at++;
    } else if (strcmp(a, "-q") == 0 || strcmp(a, "--quiet") == 0) {
        o->quiet = true;
        c->at++;
    } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
        o->help = true;
        c->at++;
    } else if ((value = long_value(a, "--python")) != NULL) {
        c->at++;
        o->python = take_long(c, a, value);
        if (o->python == NULL) {
            asy_say_refused("--python needs the path of an interpreter");
            return -1;
        }
    } else if (strncmp(a, "-o", 2) == 0 || (value = long_value(a, "--output")) != NULL) {
        c->at++;
        o->output = a[1] == 'o' ? take_value(c, a + 2) : take_long(c, a, value);
        if (o->output == NULL) {
            asy_say_refused("-o needs the name of a file");
            return -1;
        }
    } else if ((value = long_value(a, "--arena")) != NULL) {
        c->at++;
        return take_arena(take_long(c, a, value), o) == 0 ? 1 : -1;
    } else {
        return 0;
    }
    return 1;
}

static int
unknown(const char *option)
{
    return asy_say_refused("neither assay run nor Python has an option %s (see assay run --help)", option);
}

// -c or -m, `value` glued to it or next. 1: found.
static int
take_target(cursor *c, char letter, const char *glued, asy_run_options *o)
{
    o->kind = letter == 'c' ? ASY_RUN_CODE : ASY_RUN_MODULE;
    o->target = take_value(c, glued);
    if (o->target == NULL) {
        asy_say_refused(letter == 'c' ? "-c needs the code to run" : "-m needs the name of a module");
        return -1;
    }
    return 1;
}

// Python's -V, --help-env and the like. 1: found.
static int
take_question(const char *option, asy_run_options *o)
{
    o->kind = ASY_RUN_QUESTION;
    o->target = option;
    return 1;
}

// A group of Python's short options, "-Im": 0 go on, 1 the target was found, -1 refused.
static int
take_python_group(cursor *c, const char *group, asy_run_options *o)
{
    for (const char *p = group + 1; *p != '\0'; p++) {
        if (*p == 'c' || *p == 'm') {
            return take_target(c, *p, p + 1, o);
        }
        if (strchr("Vh?", *p) != NULL) {
            return take_question(group, o);
        }
        if (*p == 'W' || *p == 'X') {
            if (take_value(c, p + 1) == NULL) {
                asy_say_refused("Python's option -%c needs a value", *p);
                return -1;
            }
            return 0;
        }
        if (strchr(python_flags, *p) == NULL) {
            unknown(group);
            return -1;
        }
    }
    return 0;
}

// As above.
static int
take_python_long(cursor *c, const char *option, asy_run_options *o)
{
    static const char *const questions[] = {"--version", "--help", "--help-all", "--help-env", "--help-xoptions"};
    const char *value = long_value(option, "--check-hash-based-pycs");

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        if (strcmp(option, questions[i]) == 0) {
            return take_question(option, o);
        }
    }
    if (value == NULL) {
        unknown(option);
        return -1;
    }
    if (take_value(c, value) == NULL) {
        asy_say_refused("Python's option %s needs a value", option);
        return -1;
    }
    return 0;
}

// The rest is Python's command line: find in it what is run. 0, or the exit status.
static int
take_python(cursor *c, asy_run_options *o)
{
    o->arguments = c->at;
    while (*c->at != NULL) {
        const char *a = *c->at++;
        int found;

        if (strcmp(a, "-") == 0) {
            o->kind = ASY_RUN_STDIN;
            o->target = a;
            return 0;
        }
        if (a[0] != '-') {
            o->kind = ASY_RUN_SCRIPT;
            o->target = a;
            return 0;
        }
        found = a[1] == '-' ? take_python_long(c, a, o) : take_python_group(c, a, o);
        if (found != 0) {
            return found > 0 ? 0 : ASY_EXIT_REFUSED;
        }
    }
    return asy_say_refused(NOTHING);
}

int
asy_run_options_parse(int argc, char **argv, asy_run_options *o)
{
    cursor c = {argv + (argc > 0)};
    int taken = 1;

    memset(o, 0, sizeof *o);
    o->arena_bytes = ARENA_BYTES;
    while (*c.at != NULL && taken > 0 && !o->help) {
        taken = take_own(&c, o);
    }
    if (taken < 0) {
        return ASY_EXIT_REFUSED;
    }
    if (o->help) {
        return 0;
    }
    if (*c.at == NULL || strcmp(*c.at, "--") != 0) {
        return take_python(&c, o);
    }
    o->kind = ASY_RUN_COMMAND;
    o->arguments = c.at + 1;
    o->target = *o->arguments;
    if (o->target == NULL) {
        return asy_say_refused(NOTHING);
    }
    if (o->python != NULL) {
        return asy_say_refused("--python chooses the interpreter of a script; a command brings its own");
    }
    return 0;
}
