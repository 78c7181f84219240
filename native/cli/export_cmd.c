// export_cmd.c: `assay export`: options, and a recording or pstats file to another format.
#include "cli/export_cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/export_file.h"
#include "cli/export_write.h"
#include "cli/progress.h"
#include "cli/recordings.h"
#include "cli/say.h"

static const char help[] = "assay export: write a recording or a pstats file in another tool's format\n"
                           "\n"
                           "  assay export [FILE] --to FORMAT [options]\n"
                           "\n"
                           "Without FILE it is the newest *.assay here that can be read.\n"
                           "\n"
                           "formats, and the name of what is written to this directory\n"
                           "  --to pstats       functions and callers as cProfile writes them: FILE.prof,\n"
                           "                    for pstats, snakeviz, tuna, gprof2dot, flameprof\n"
                           "  --to callgrind    the same with wall and CPU time: callgrind.out.FILE, for\n"
                           "                    KCachegrind and callgrind_annotate\n"
                           "  --to collapsed    stacks, in ns: FILE.collapsed, for flamegraph.pl, inferno\n"
                           "  --to speedscope   each thread's tree: FILE.speedscope.json, for speedscope\n"
                           "  --to json         every number: FILE.json, see assay report --format json\n"
                           "\n"
                           "A pstats file has no tree: it can be written as pstats, callgrind and json.\n"
                           "\n"
                           "of what, all of\n"
                           "  --thread T        one thread, by name or number\n"
                           "  --process PID     one process\n"
                           "  --tag KEY=VALUE   only what ran with this tag; several: with all of them\n"
                           "  --startup         the interpreter's start-up and shutdown, not the program\n"
                           "\n"
                           "where\n"
                           "  -o FILE           to this file; -o - to standard output\n"
                           "  --force           over a file that is there\n"
                           "  -h, --help        this\n"
                           "\n"
                           "examples:\n"
                           "  assay export --to speedscope\n"
                           "  assay export nightly.assay --to pstats -o nightly.prof\n"
                           "  assay export --to collapsed -o - | flamegraph.pl > nightly.svg\n"
                           "  assay export app.prof --to callgrind && kcachegrind callgrind.out.app\n";

typedef struct {
    asy_report r;
    const char *tags[ASY_VIEW_LABELS]; // borrowed
    const char *to, *output;           // borrowed; NULL = not given
    asy_export_format format;
    bool force, help;
} options;

static const char *const formats[] = {"pstats", "callgrind", "collapsed", "speedscope", "json", NULL};

// ---- options ----

static int
refuse(const char *option, const char *why, const char *value)
{
    asy_say("export: %s %s%s%s; see assay export --help", option, why, value == NULL ? "" : " ",
            value == NULL      ? ""
            : value[0] == '\0' ? "''"
                               : value);
    return -1;
}

static int
set_format(options *o, const char *value)
{
    for (int i = 0; formats[i] != NULL; i++) {
        if (strcmp(value, formats[i]) == 0) {
            o->to = formats[i];
            o->format = (asy_export_format)i;
            return 0;
        }
    }
    return refuse("--to", "cannot be", value);
}

static int
set_process(options *o, const char *value)
{
    char *end;

    errno = 0;
    o->r.select.pid = strtoull(value, &end, 10);
    return value[0] < '1' || value[0] > '9' || *end != '\0' || errno != 0
               ? refuse("--process", "takes the number of a process, not", value)
               : 0;
}

static int
set_tag(options *o, const char *value)
{
    if (strchr(value, '=') == NULL) {
        return refuse("--tag", "takes KEY=VALUE, not", value);
    }
    if (o->r.tag_count == ASY_VIEW_LABELS) {
        return refuse("--tag", "cannot be given so often", NULL);
    }
    o->tags[o->r.tag_count++] = value;
    return 0;
}

static int
set_once(const char *option, const char *value, const char **out)
{
    if (*out != NULL) {
        return refuse(option, "can be given once, not also as", value);
    }
    *out = value;
    return 0;
}

static int
set_option(options *o, int which, const char *value)
{
    switch (which) {
    case 't': return o->to != NULL ? refuse("--to", "can be given once, not also as", value) : set_format(o, value);
    case 'o': return set_once("-o", value, &o->output);
    case 'T': return set_once("--thread", value, &o->r.select.thread);
    case 'p': return set_process(o, value);
    case 'g': return set_tag(o, value);
    case 's': o->r.select.part = ASY_VIEW_STARTUP; return 0;
    case 'f': o->force = true; return 0;
    case 'h': o->help = true; return 0;
    default: return -1;
    }
}

// What getopt_long does not take; for one of several letters it has not moved on to the next argument yet.
static int
say_unknown(const char *argument, bool value_missing)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    bool has_value = strncmp(argument, "--", 2) == 0 && strchr(argument, '=') != NULL;

    if (value_missing) {
        return refuse(argument, "needs a value", NULL);
    }
    if (optopt != 0 && has_value) {
        return refuse(argument, "takes no value", NULL);
    }
    return refuse(optopt != 0 ? letter : argument, "is not an option", NULL);
}

static int
parse(int argc, char **argv, options *o)
{
    static const struct option known[] = {
        {"to", required_argument, NULL, 't'},
        {"output", required_argument, NULL, 'o'},
        {"thread", required_argument, NULL, 'T'},
        {"tag", required_argument, NULL, 'g'},
        {"process", required_argument, NULL, 'p'},
        {"startup", no_argument, NULL, 's'},
        {"force", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int which;

    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, ":ho:", known, NULL)) != -1) {
        if (which == '?' || which == ':') {
            return say_unknown(argv[optind - 1], which == ':');
        }
        if (set_option(o, which, optarg) != 0) {
            return -1;
        }
    }
    if (o->help) {
        return 0;
    }
    if (argc - optind > 1) {
        asy_say("export: one file at a time, not %s and %s", argv[optind], argv[optind + 1]);
        return -1;
    }
    if (o->to == NULL) {
        return refuse("--to FORMAT", "is needed: pstats, callgrind, collapsed, speedscope or json", NULL);
    }
    o->r.path = optind < argc ? argv[optind] : NULL;
    o->r.tags = o->tags;
    return 0;
}

// ---- names ----

// "runs/nightly.assay" → "nightly.prof", in this directory.
static int
name_output(const char *input, asy_export_format format, char out[ASY_PATH_ROOM])
{
    static const char *const endings[] = {".prof", "", ".collapsed", ".speedscope.json", ".json"};
    static const char *const known[] = {".assay", ".prof", ".pstats", ".pstat", ".cprof", ".profile"};
    const char *slash = strrchr(input, '/'), *base = slash == NULL ? input : slash + 1;
    size_t len = strlen(base);
    int n;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t ending = strlen(known[i]);

        if (len > ending && strcmp(base + len - ending, known[i]) == 0) {
            len -= ending;
            break;
        }
    }
    n = snprintf(out, ASY_PATH_ROOM, "%s%.*s%s", format == ASY_TO_CALLGRIND ? "callgrind.out." : "", (int)len, base,
                 endings[format]);
    return n > 0 && n < (int)ASY_PATH_ROOM ? 0 : asy_say_refused("export: the name of %.100s… is too long", base);
}

// ---- the export ----

// What a file without threads and tree does not have. True: it was said.
static bool
asks_too_much(const options *o, const asy_profile *p)
{
    const asy_view_select *s = &o->r.select;
    const char *option = s->thread != NULL                ? "--thread"
                         : s->pid != 0                    ? "--process"
                         : o->r.tag_count > 0             ? "--tag"
                         : s->part != ASY_VIEW_PROGRAM    ? "--startup"
                         : o->format == ASY_TO_COLLAPSED  ? "--to collapsed"
                         : o->format == ASY_TO_SPEEDSCOPE ? "--to speedscope"
                                                          : NULL;

    if (p->edges == NULL || option == NULL) {
        return false;
    }
    asy_say(
        "export: %s is for recordings: the pstats file %s has functions and their callers, no tree, threads or tags",
        option, o->r.path);
    return true;
}

static int
say_failed(const asy_export_file *f, asy_status st, int error, const char *problem)
{
    if (st == ASY_EINVAL && problem != NULL) {
        return asy_say_refused("%s", problem);
    }
    if (error == EPIPE && f->standard) {
        return 1; // whoever read has had enough
    }
    return asy_say_refused("%s cannot be written: %s", f->standard ? "the export" : f->path,
                           error != 0 ? strerror(error) : asy_status_text(st));
}

static int
write_to(const options *o, const asy_profile *p, const char *output)
{
    asy_export_file f;
    asy_words remarks = {0};
    char *problem = NULL;
    int error, status = asy_export_file_open(&f, output, o->force);
    asy_status st;

    if (status != 0) {
        return status;
    }
    asy_progress_begin();
    st = asy_export_write(p, &o->r, o->format, f.fd, &error, &problem, &remarks);
    asy_progress_end();
    if (st != ASY_OK) {
        asy_export_file_discard(&f);
        status = say_failed(&f, st, error, problem);
    } else {
        status = asy_export_file_keep(&f);
    }
    if (status == 0 && o->output == NULL) {
        asy_say("wrote %s", output);
    }
    for (uint32_t i = 0; status == 0 && i < remarks.count; i++) {
        asy_say("%s", remarks.text[i]);
    }
    asy_words_clear(&remarks);
    free(problem);
    return status;
}

static int
export_profile(const options *o, const asy_profile *p)
{
    char named[ASY_PATH_ROOM];

    if (asks_too_much(o, p)) {
        return ASY_EXIT_REFUSED;
    }
    if (o->output != NULL) {
        return write_to(o, p, o->output);
    }
    return name_output(o->r.path, o->format, named) == 0 ? write_to(o, p, named) : ASY_EXIT_REFUSED;
}

int
asy_export_cmd(int argc, char **argv)
{
    options o = {0};
    asy_words said = {0};
    asy_profile *p;
    char *path;
    int status;

    if (parse(argc, argv, &o) != 0) {
        return ASY_EXIT_REFUSED;
    }
    if (o.help) {
        return asy_say_page(help);
    }
    asy_progress_begin();
    status = asy_recordings_open(o.r.path, &p, &path, &said);
    asy_progress_end();
    for (uint32_t i = 0; i < said.count; i++) {
        asy_say("%s", said.text[i]);
    }
    asy_words_clear(&said);
    if (status == 0) {
        o.r.path = path;
        status = export_profile(&o, p);
        asy_profile_free(p);
    }
    free(path);
    return status;
}
