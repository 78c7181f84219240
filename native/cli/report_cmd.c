// report_cmd.c: `assay report`: options to a view, and the view to a page.
#include "cli/report_cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/recordings.h"
#include "cli/say.h"
#include "record/profile.h"
#include "report/report.h"
#include "report/summary.h"

#define ROWS 30
#define TREE_LINES 200
#define WIDTH_OF_FILES 100 // where there is no terminal to ask

static const char help[] = "assay report: look at a recording\n"
                           "\n"
                           "  assay report [FILE] [options]\n"
                           "\n"
                           "Without FILE it is the newest *.assay here that can be read. FILE may be\n"
                           "a pstats file too (x.prof, of cProfile): functions, --callers and --callees.\n"
                           "\n"
                           "what to show, one of\n"
                           "  (nothing)         functions, the largest self time first, without those\n"
                           "                    in which threads only wait for each other or for work\n"
                           "  --by ORDER        functions by self, total, cpu, suspended, calls or name\n"
                           "  --by tag          time by the values of each tag\n"
                           "  --by process      the processes, those that ran longest first\n"
                           "  --tree            who called what, from 1 % of the time on\n"
                           "  --callers F       what called function F; --by orders it, --only chooses\n"
                           "  --callees F       what F called; may stand beside --callers\n"
                           "  --summary         what a run says at its end; --limit is of its table\n"
                           "\n"
                           "F is a name as it is shown (Store.lines), its last part (lines), file:line\n"
                           "(store.py:75), or a pattern as for --only.\n"
                           "\n"
                           "of what, all of\n"
                           "  --thread T        one thread, by name or number\n"
                           "  --process PID     one process\n"
                           "  --tag KEY=VALUE   only what ran with this tag; several: with all of them\n"
                           "  --only PATTERN    functions whose name or file:line has PATTERN in it, or is\n"
                           "                    like it, if it has * ? [; a tree shows the way to them too\n"
                           "  --startup         the interpreter's start-up and shutdown, not the program\n"
                           "\n"
                           "how\n"
                           "  --limit N         this many rows; otherwise 30, of a tree 200, of a\n"
                           "                    summary 8; 0: all\n"
                           "  --format FORMAT   text, or json: every number, for programs\n"
                           "  --color WHEN      auto, always or never\n"
                           "  -h, --help        this\n"
                           "\n"
                           "columns\n"
                           "  self        time in the function itself\n"
                           "  total       with all that it called; recursion counts once\n"
                           "  cpu         the part of self in which it ran; in the rest it waited\n"
                           "  suspended   of generators and coroutines: from a yield or await until they\n"
                           "              went on; no part of self or total\n"
                           "  calls       with recursion 3/20: 20 calls, 3 of them not below another\n"
                           "  per call    total by calls\n"
                           "  *           your own code\n"
                           "\n"
                           "examples:\n"
                           "  assay report --by cpu --limit 10\n"
                           "  assay report --callers build_lookup\n"
                           "  assay report before.assay --tag customer=acme --tree\n"
                           "  assay report --only 'store.py:*'\n"
                           "  assay report app.prof --by total\n";

typedef enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_mode;

typedef struct {
    asy_report r;
    const char *tags[ASY_VIEW_LABELS]; // borrowed
    const char *by;                    // as given
    bool json, summary, limited, help;
    color_mode color;
} options;

// ---- options ----

static const char *
shown(const char *value)
{
    return value[0] == '\0' ? "''" : value;
}

static int
choose(const char *option, const char *value, const char *const *choices)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(value, choices[i]) == 0) {
            return i;
        }
    }
    asy_say("report: %s cannot be %s; see assay report --help", option, shown(value));
    return -1;
}

static int
set_by(options *o, const char *value)
{
    static const char *const choices[] = {"self", "total", "cpu", "calls", "suspended", "name", "tag", "process", NULL};
    static const asy_rows_order orders[] = {ASY_ROWS_SELF,      ASY_ROWS_TOTAL, ASY_ROWS_CPU,  ASY_ROWS_CALLS,
                                            ASY_ROWS_SUSPENDED, ASY_ROWS_NAME,  ASY_ROWS_SELF, ASY_ROWS_SELF};
    int i = choose("--by", value, choices);

    if (i < 0) {
        return -1;
    }
    o->by = value;
    o->r.by_tag = strcmp(value, "tag") == 0;
    o->r.by_process = strcmp(value, "process") == 0;
    o->r.order = orders[i];
    return 0;
}

static int
set_tag(options *o, const char *value)
{
    if (strchr(value, '=') == NULL) {
        asy_say("report: --tag takes KEY=VALUE, not %s", shown(value));
        return -1;
    }
    if (o->r.tag_count == ASY_VIEW_LABELS) {
        asy_say("report: at most %u --tag at once", ASY_VIEW_LABELS);
        return -1;
    }
    o->tags[o->r.tag_count++] = value;
    return 0;
}

static int
set_once(const char *option, const char *value, const char **out)
{
    if (*out != NULL) {
        asy_say("report: one %s at a time, not %s and %s", option, shown(*out), shown(value));
        return -1;
    }
    *out = value;
    return 0;
}

static int
set_pattern(const char *option, const char *value, const char **out)
{
    if (value[0] == '\0') {
        asy_say("report: %s needs the name of a function, or a part of it", option);
        return -1;
    }
    return set_once(option, value, out);
}

static int
set_number(const char *option, const char *value, uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long n;

    errno = 0;
    n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || n > max) {
        asy_say("report: %s takes a number, not %s", option, shown(value));
        return -1;
    }
    *out = n;
    return 0;
}

static int
set_process(options *o, const char *value)
{
    uint64_t before = o->r.select.pid;

    if (set_number("--process", value, UINT64_MAX, &o->r.select.pid) != 0) {
        return -1;
    }
    if (o->r.select.pid == 0 || (before != 0 && before != o->r.select.pid)) {
        asy_say("report: --process takes the number of one process, not %s", before == 0 ? "0" : "several");
        return -1;
    }
    return 0;
}

static int
set_option(options *o, int which, const char *value)
{
    static const char *const formats[] = {"text", "json", NULL};
    static const char *const colors[] = {"auto", "always", "never", NULL};
    uint64_t n = 0;
    int i = 0;

    switch (which) {
    case 'b': return set_by(o, value);
    case 'g': return set_tag(o, value);
    case 't': o->r.tree = true; return 0;
    case 'c': return set_pattern("--callers", value, &o->r.callers);
    case 'e': return set_pattern("--callees", value, &o->r.callees);
    case 'T': return set_once("--thread", value, &o->r.select.thread);
    case 'o': return set_pattern("--only", value, &o->r.only);
    case 's': o->r.select.part = ASY_VIEW_STARTUP; return 0;
    case 'S': o->summary = true; return 0;
    case 'h': o->help = true; return 0;
    case 'p': return set_process(o, value);
    case 'l':
        i = set_number("--limit", value, UINT32_MAX, &n);
        o->r.limit = (uint32_t)n;
        o->limited = true;
        return i;
    case 'f':
        i = choose("--format", value, formats);
        o->json = i == 1;
        return i < 0 ? -1 : 0;
    case 'C':
        i = choose("--color", value, colors);
        o->color = i < 0 ? COLOR_AUTO : (color_mode)i;
        return i < 0 ? -1 : 0;
    default: return -1;
    }
}

// The first option that chooses or orders what a summary is not asked about; NULL: none.
static const char *
beside_summary(const options *o)
{
    const asy_report *r = &o->r;

    return o->json                              ? "--format json"
           : r->tree                            ? "--tree"
           : r->callers != NULL                 ? "--callers"
           : r->callees != NULL                 ? "--callees"
           : o->by != NULL                      ? "--by"
           : r->only != NULL                    ? "--only"
           : r->tag_count > 0                   ? "--tag"
           : r->select.thread != NULL           ? "--thread"
           : r->select.pid != 0                 ? "--process"
           : r->select.part == ASY_VIEW_STARTUP ? "--startup"
                                                : NULL;
}

// Options that would not be heeded beside others.
static int
check_together(const options *o)
{
    const asy_report *r = &o->r;
    const char *around = r->callers != NULL ? "--callers" : r->callees != NULL ? "--callees" : NULL;
    const char *for_text = r->tree                       ? "--tree"
                           : around != NULL              ? around
                           : o->by != NULL               ? "--by"
                           : r->only != NULL             ? "--only"
                           : o->limited && r->limit != 0 ? "--limit"
                                                         : NULL;

    if (o->summary && beside_summary(o) != NULL) {
        asy_say("report: a summary is of the whole recording, in its own order: %s is for other reports",
                beside_summary(o));
    } else if (o->json && for_text != NULL) {
        asy_say("report: JSON holds every function and every path: %s is for text", for_text);
    } else if (r->tree && around != NULL) {
        asy_say("report: --tree and %s are two reports: one at a time", around);
    } else if (r->by_process && (r->tree || around != NULL)) {
        asy_say("report: %s and --by process are two reports: one at a time", r->tree ? "--tree" : around);
    } else if (r->by_process && r->only != NULL) {
        asy_say("report: --by process lists processes, not functions: --only goes with --process PID");
    } else if (r->tree && r->by_tag) {
        asy_say("report: --tree and --by tag are two reports: one at a time");
    } else if (r->tree && o->by != NULL) {
        asy_say("report: a tree is always in the order of total time: --by is for lists of functions");
    } else if (r->by_tag && around != NULL) {
        asy_say("report: --by tag and %s are two reports: one at a time", around);
    } else if (r->by_tag && r->only != NULL) {
        asy_say("report: --by tag lists tags, not functions: --only goes with --tag KEY=VALUE");
    } else {
        return 0;
    }
    return -1;
}

// What getopt_long does not take; for one of several letters it has not moved on to the next argument yet.
static int
say_unknown(const char *argument, bool value_missing)
{
    bool has_value = strncmp(argument, "--", 2) == 0 && strchr(argument, '=') != NULL;

    if (value_missing) {
        asy_say("report: %s needs a value; see assay report --help", argument);
    } else if (optopt != 0 && has_value) {
        asy_say("report: %.*s takes no value; see assay report --help", (int)strcspn(argument, "="), argument);
    } else if (optopt != 0) {
        asy_say("report: -%c is not an option; see assay report --help", optopt);
    } else {
        asy_say("report: %s is not an option; see assay report --help", argument);
    }
    return -1;
}

static int
parse(int argc, char **argv, options *o)
{
    static const struct option known[] = {
        {"by", required_argument, NULL, 'b'},
        {"tree", no_argument, NULL, 't'},
        {"callers", required_argument, NULL, 'c'},
        {"callees", required_argument, NULL, 'e'},
        {"thread", required_argument, NULL, 'T'},
        {"tag", required_argument, NULL, 'g'},
        {"only", required_argument, NULL, 'o'},
        {"process", required_argument, NULL, 'p'},
        {"startup", no_argument, NULL, 's'},
        {"limit", required_argument, NULL, 'l'},
        {"format", required_argument, NULL, 'f'},
        {"color", required_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},
        {"summary", no_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    int which;

    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (which == '?' || which == ':') {
            return say_unknown(argv[optind - 1], which == ':');
        }
        if (set_option(o, which, optarg) != 0) {
            return -1;
        }
    }
    if (argc - optind > 1) {
        asy_say("report: one recording at a time, not %s and %s", shown(argv[optind]), shown(argv[optind + 1]));
        return -1;
    }
    o->r.path = optind < argc ? argv[optind] : NULL;
    o->r.tags = o->tags;
    if (!o->limited) {
        o->r.limit = o->r.tree ? TREE_LINES : o->summary ? ASY_SUMMARY_ROWS : ROWS;
    }
    o->r.plain = o->by == NULL;
    return o->help ? 0 : check_together(o);
}

// ---- the page ----

static int
find_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize w;
    long width = columns == NULL ? 0 : strtol(columns, NULL, 10);

    if (width > 0) {
        return width < ASY_WIDTH_MAX ? (int)width : ASY_WIDTH_MAX;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
        return w.ws_col;
    }
    return WIDTH_OF_FILES;
}

static bool
wants_color(color_mode mode)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (mode != COLOR_AUTO) {
        return mode == COLOR_ALWAYS;
    }
    return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static int
finish(asy_out *out, asy_status st, const char *problem)
{
    asy_status closed;

    asy_progress_end();
    if (st == ASY_EINVAL && problem != NULL) {
        asy_out_discard(out); // a page without its content is worth nothing
        asy_out_close(out);
        return asy_say_refused("%s", problem);
    }
    closed = asy_out_close(out);
    if (closed != ASY_OK && out->error == EPIPE) {
        return 1; // whoever read has had enough
    }
    if (closed != ASY_OK && out->error != 0) {
        return asy_say_refused("the report cannot be written: %s", strerror(out->error));
    }
    return st == ASY_OK && closed == ASY_OK
               ? 0
               : asy_say_refused("no report: %s", asy_status_text(st != ASY_OK ? st : closed));
}

// A pipe or a file without a name cannot be asked again.
static const char *
lasting(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ? "" : path;
}

static int
print(options *o, const asy_profile *p)
{
    asy_out out;
    char *problem = NULL;
    asy_status st;
    int status;

    asy_out_open(&out, STDOUT_FILENO, find_width(), wants_color(o->color));
    out.before = asy_progress_end; // a pager has the terminal from then on
    st = o->json      ? asy_report_json(p, &o->r, &out, &problem)
         : o->summary ? asy_summary_page(p, lasting(o->r.path), o->r.limit, &out)
                      : asy_report_text(p, &o->r, &out, &problem);
    status = finish(&out, st, problem);
    free(problem);
    return status;
}

// What a file without threads and tree cannot show. True: it was said.
static bool
asks_too_much(const options *o, const asy_profile *p)
{
    const asy_report *r = &o->r;
    const char *option = o->summary                           ? "--summary"
                         : r->tree                            ? "--tree"
                         : r->by_tag                          ? "--by tag"
                         : r->order == ASY_ROWS_CPU           ? "--by cpu"
                         : r->order == ASY_ROWS_SUSPENDED     ? "--by suspended"
                         : r->select.thread != NULL           ? "--thread"
                         : r->select.pid != 0                 ? "--process"
                         : r->tag_count > 0                   ? "--tag"
                         : r->select.part == ASY_VIEW_STARTUP ? "--startup"
                                                              : NULL;

    if (p->edges == NULL || option == NULL) {
        return false;
    }
    asy_say("report: %s is for recordings: the pstats file %s has functions and their callers, no tree, threads, tags "
            "or CPU time",
            option, r->path);
    return true;
}

static int
open_and_print(options *o)
{
    asy_words said = {0};
    asy_profile *p;
    char *path;
    int status;

    asy_progress_begin();
    status = asy_recordings_open(o->r.path, &p, &path, &said);
    asy_progress_end();
    for (uint32_t i = 0; i < said.count; i++) {
        asy_say("%s", said.text[i]);
    }
    asy_words_clear(&said);
    if (status == 0) {
        o->r.path = path;
        asy_progress_begin();
        status = asks_too_much(o, p) ? ASY_EXIT_REFUSED : print(o, p);
        asy_progress_end();
        asy_profile_free(p);
    }
    free(path);
    return status;
}

int
asy_report_cmd(int argc, char **argv)
{
    options o = {0};

    if (parse(argc, argv, &o) != 0) {
        return ASY_EXIT_REFUSED;
    }
    if (o.help) {
        return asy_say_page(help);
    }
    if (asy_say_is_closed(STDOUT_FILENO)) {
        return asy_say_refused("the report cannot be written: standard output is closed");
    }
    return open_and_print(&o);
}
