// report_cmd.c: `assay report`: options to a view, and the view to a page.
#include "cli/report_cmd.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "record/profile.h"
#include "report/report.h"

#define ROWS 30
#define TREE_LINES 200
#define WIDTH_OF_FILES 100 // where there is no terminal to ask

static const char help[] =
    "usage: assay report [FILE] [options]     (no FILE: the newest *.assay here)\n"
    "\n"
    "what to show\n"
    "  --by self|total|cpu|calls|name   functions, in this order (default: self)\n"
    "  --by tag                         time by the values of each tag\n"
    "  --tree                           who called what, from 1 % of the time on\n"
    "  --callers F, --callees F         what called function F; what it called\n"
    "\n"
    "of what\n"
    "  --thread T      one thread, by name or number\n"
    "  --process PID   one process\n"
    "  --tag K=V       only what ran with this tag\n"
    "  --only PATTERN  functions whose name or file matches: part of it, or with * and ?\n"
    "  --startup       the interpreter's start-up and shutdown in place of the program\n"
    "\n"
    "how\n"
    "  --limit N       rows (default: 30, a tree's 200; 0: all)\n"
    "  --format text|json\n"
    "  --color auto|always|never\n"
    "\n"
    "self: in the function itself; total: with all it called; cpu: the part of self that ran and did not wait.\n"
    "\n"
    "examples:\n"
    "  assay report --by cpu --limit 10\n"
    "  assay report --callers build_lookup\n"
    "  assay report --tag customer=acme --tree\n";

typedef enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color_mode;

typedef struct {
    asy_report r;
    char *tag;    // owned: "key\0value"
    char *newest; // owned
    bool json, limited, help;
    color_mode color;
} options;

// ---- options ----

static int
choose(const char *option, const char *value, const char *const *choices)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(value, choices[i]) == 0) {
            return i;
        }
    }
    asy_say("report: %s cannot be %s; see assay report --help", option, value);
    return -1;
}

static int
set_by(options *o, const char *value)
{
    static const char *const choices[] = {"self", "total", "cpu", "calls", "name", "tag", NULL};
    static const asy_rows_order orders[] = {ASY_ROWS_SELF, ASY_ROWS_TOTAL, ASY_ROWS_CPU, ASY_ROWS_CALLS, ASY_ROWS_NAME};
    int i = choose("--by", value, choices);

    if (i < 0) {
        return -1;
    }
    o->r.by_tag = i == 5;
    o->r.order = i == 5 ? ASY_ROWS_SELF : orders[i];
    return 0;
}

static int
set_tag(options *o, const char *value)
{
    char *equals;

    free(o->tag);
    o->tag = strdup(value);
    equals = o->tag == NULL ? NULL : strchr(o->tag, '=');
    if (equals == NULL) {
        asy_say("report: --tag takes KEY=VALUE, not %s", value);
        return -1;
    }
    *equals = '\0';
    o->r.select.tag_key = o->tag;
    o->r.select.tag_value = equals + 1;
    return 0;
}

static int
set_number(const char *option, const char *value, uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long n;

    errno = 0;
    n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || n > max) {
        asy_say("report: %s takes a number, not %s", option, value);
        return -1;
    }
    *out = n;
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
    case 'c': o->r.callers = value; return 0;
    case 'e': o->r.callees = value; return 0;
    case 'T': o->r.select.thread = value; return 0;
    case 'o': o->r.only = value; return 0;
    case 's': o->r.select.part = ASY_VIEW_STARTUP; return 0;
    case 'h': o->help = true; return 0;
    case 'p': return set_number("--process", value, UINT64_MAX, &o->r.select.pid);
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

static int
parse(int argc, char **argv, options *o)
{
    static const struct option known[] = {
        {"by", required_argument, NULL, 'b'},      {"tree", no_argument, NULL, 't'},
        {"callers", required_argument, NULL, 'c'}, {"callees", required_argument, NULL, 'e'},
        {"thread", required_argument, NULL, 'T'},  {"tag", required_argument, NULL, 'g'},
        {"only", required_argument, NULL, 'o'},    {"process", required_argument, NULL, 'p'},
        {"startup", no_argument, NULL, 's'},       {"limit", required_argument, NULL, 'l'},
        {"format", required_argument, NULL, 'f'},  {"color", required_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int which;

    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (which == '?' || which == ':') {
            asy_say("report: %s %s; see assay report --help", argv[optind - 1],
                    which == ':' ? "needs a value" : "is not an option");
            return -1;
        }
        if (set_option(o, which, optarg) != 0) {
            return -1;
        }
    }
    if (argc - optind > 1) {
        asy_say("report: one recording at a time, not %s and %s", argv[optind], argv[optind + 1]);
        return -1;
    }
    o->r.path = optind < argc ? argv[optind] : NULL;
    if (!o->limited) {
        o->r.limit = o->r.tree ? TREE_LINES : ROWS;
    }
    if (o->json && (o->r.only != NULL || o->r.callers != NULL || o->r.callees != NULL)) {
        asy_say("report: JSON holds every function: --only, --callers and --callees are for text");
        return -1;
    }
    return 0;
}

// ---- the recording ----

static char *
find_newest(void)
{
    glob_t found = {0};
    struct timespec best = {0};
    char *newest = NULL;

    if (glob("*.assay", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            struct stat s;
            bool newer;

            if (stat(found.gl_pathv[i], &s) != 0 || !S_ISREG(s.st_mode)) {
                continue;
            }
            newer =
                s.st_mtim.tv_sec > best.tv_sec || (s.st_mtim.tv_sec == best.tv_sec && s.st_mtim.tv_nsec > best.tv_nsec);
            if (newest == NULL || newer) {
                free(newest);
                newest = strdup(found.gl_pathv[i]);
                best = s.st_mtim;
            }
        }
    }
    globfree(&found);
    return newest;
}

static const char progress[] = "assay: reading the recording …";
static volatile sig_atomic_t progress_shown;

static void
on_alarm(int signal)
{
    int saved = errno;

    (void)signal;
    if (write(STDERR_FILENO, progress, sizeof progress - 1) > 0) {
        progress_shown = 1;
    }
    errno = saved;
}

// A line on a terminal if reading and computing take more than a second.
static void
progress_begin(void)
{
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

    if (isatty(STDERR_FILENO)) {
        sigaction(SIGALRM, &act, NULL);
        alarm(1);
    }
}

static void
progress_end(void)
{
    alarm(0);
    if (progress_shown) {
        static const char erase[] = "\r\033[K";

        progress_shown = write(STDERR_FILENO, erase, sizeof erase - 1) < 0;
    }
}

static int
load(const char *path, asy_profile **out)
{
    const char *problem = NULL;
    asy_status st = asy_profile_load_file(path, out, &problem);

    if (st == ASY_OK) {
        return 0;
    }
    progress_end();
    if (st == ASY_ENOENT) {
        return asy_say_refused("%s does not exist", path);
    }
    return asy_say_refused("%s cannot be read: %s", path, problem != NULL ? problem : asy_status_text(st));
}

// ---- the page ----

static int
find_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize w;
    int width = columns == NULL ? 0 : atoi(columns);

    if (width > 0) {
        return width;
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

    progress_end();
    if (st == ASY_EINVAL && problem != NULL) {
        out->len = 0; // a page without its content is worth nothing
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

static int
print(const options *o)
{
    asy_profile *p;
    asy_out out;
    char *problem = NULL;
    asy_status st;
    int status;

    progress_begin();
    status = load(o->r.path, &p);
    if (status != 0) {
        return status;
    }
    asy_out_open(&out, STDOUT_FILENO, find_width(), wants_color(o->color));
    st = o->json ? asy_report_json(p, &o->r, &out, &problem) : asy_report_text(p, &o->r, &out, &problem);
    status = finish(&out, st, problem);
    free(problem);
    asy_profile_free(p);
    return status;
}

static int
print_named_or_newest(options *o)
{
    if (o->r.path == NULL) {
        o->newest = find_newest();
        o->r.path = o->newest;
    }
    return o->r.path != NULL ? print(o) : asy_say_refused("no recording (*.assay) here; assay run makes one");
}

int
asy_report_cmd(int argc, char **argv)
{
    options o = {0};
    int status = ASY_EXIT_REFUSED;

    if (parse(argc, argv, &o) == 0) {
        status = o.help ? (fputs(help, stdout) < 0 || fflush(stdout) != 0) : print_named_or_newest(&o);
    }
    free(o.newest);
    free(o.tag);
    return status;
}
