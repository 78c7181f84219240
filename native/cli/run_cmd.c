// run_cmd.c: `assay run`: check everything, start the program, stand by, tell.
#include "cli/run_cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/measure.h"
#include "cli/out_file.h"
#include "cli/places.h"
#include "cli/run_options.h"
#include "cli/say.h"
#include "cli/watch.h"
#include "core/arena.h"
#include "os/os.h"
#include "record/profile.h"
#include "report/summary.h"

#define DESCRIPTORS 5 // at once, when the child is started: the recording, the counts, signals, both ends of a pipe

static const char no_memory[] = "there is no memory: is a limit on it set (ulimit -v)?";
static const char help[] = "assay run: run a Python program, count and time its calls, say what dominates\n"
                           "\n"
                           "  assay run [options] [python options] script.py [arguments]\n"
                           "  assay run [options] [python options] -m module [arguments]\n"
                           "  assay run [options] [python options] -c code [arguments]\n"
                           "  assay run [options] [python options] - [arguments]    code from stdin\n"
                           "  assay run [options] -- command [arguments]            what starts a Python\n"
                           "\n"
                           "options, before Python's own\n"
                           "  --calls        count and time every call (the default)\n"
                           "  --no-c-calls   only calls of Python functions: cheaper; the time of C\n"
                           "                 functions and classes is then their caller's\n"
                           "  -o FILE        the recording (--output FILE); otherwise NAME.assay here, after\n"
                           "                 the script or module; the one before is kept as NAME.old.assay\n"
                           "  --python P     the interpreter; otherwise python3 beside assay, then of the\n"
                           "                 virtual environment, then on PATH\n"
                           "  --arena SIZE   at most this much memory for the counts: 64M, 2G; otherwise 1G,\n"
                           "                 of which only what is used is taken\n"
                           "  -q, --quiet    no summary at the end\n"
                           "  -h, --help     this\n"
                           "\n"
                           "The program's own output is left alone; the summary follows it on stderr, and\n"
                           "assay report shows more of the recording. Both come also when it is killed.\n"
                           "\n"
                           "The exit status is the program's own; 2 where it was not started, 126 and 127\n"
                           "where its command could not be.\n"
                           "\n"
                           "examples:\n"
                           "  assay run nightly_report.py --day monday\n"
                           "  assay run -o before.assay -m pytest -x tests\n"
                           "  assay run -X dev -W error worker.py\n"
                           "  assay run --no-c-calls -c 'import json.tool'\n"
                           "  assay run -- gunicorn app:server\n";

typedef struct {
    asy_run_options options;
    char library[ASY_PATH_ROOM];
    char program[ASY_PATH_ROOM];
    char recording[ASY_PATH_ROOM]; // as it is to be named
    asy_out_file out;
    char directory[ASY_PATH_ROOM];
    char script[2 * ASY_PATH_ROOM + 2]; // absolute; "" where it is none
    char *command;                      // owned: the arguments given to assay, for people
    char **argv;                        // owned: of the child
} run;

// ---- before the start ----

// Better now than when some are taken already.
static int
check_descriptors(void)
{
    int fds[DESCRIPTORS], n = 0;
    bool few = false;

    while (n < DESCRIPTORS && !few) {
        fds[n] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        few = fds[n] < 0 && errno == EMFILE;
        n++;
    }
    for (int i = 0; i < n; i++) {
        close(fds[i]);
    }
    return few ? asy_say_refused("the limit on open files (ulimit -n) leaves too few for us: %d are needed",
                                 DESCRIPTORS)
               : 0;
}

static int
check_script(run *r)
{
    const char *target = r->options.target;

    if (r->options.kind != ASY_RUN_SCRIPT) {
        return 0;
    }
    if (access(target, R_OK) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? asy_say_refused("there is no script %s", *target != '\0' ? target : "''")
                   : asy_say_refused("cannot read %s: %s", target, strerror(errno));
    }
    snprintf(r->script, sizeof r->script, "%s%s%s", *target == '/' ? "" : r->directory, *target == '/' ? "" : "/",
             target);
    return 0;
}

static size_t
quoted(const char *argument, FILE *out)
{
    if (*argument != '\0' && strpbrk(argument, " \t\n'\"\\$&|;<>()*?[]{}#~`!") == NULL) {
        return (size_t)fputs(argument, out);
    }
    fputc('\'', out);
    for (const char *p = argument; *p != '\0'; p++) {
        if (*p == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*p, out);
        }
    }
    return (size_t)fputc('\'', out);
}

// "assay run -o x script.py 'two words'". NULL: no memory.
static char *
join(int argc, char **argv)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    fputs("assay", out);
    for (int i = 0; i < argc; i++) {
        fputc(' ', out);
        quoted(argv[i], out);
    }
    fclose(out);
    return text;
}

// The child's arguments: the command's own, or the interpreter before Python's.
static char **
make_argv(run *r)
{
    bool command = r->options.kind == ASY_RUN_COMMAND;
    char **argv;
    size_t n = 0;

    while (r->options.arguments[n] != NULL) {
        n++;
    }
    argv = calloc(n + 2, sizeof *argv);
    if (argv != NULL) {
        argv[0] = r->program;
        memcpy(argv + !command, r->options.arguments, n * sizeof *argv);
    }
    return argv;
}

static int
plan(run *r, int argc, char **argv)
{
    int rc = check_descriptors();

    if (rc != 0) {
        return rc;
    }
    if (getcwd(r->directory, sizeof r->directory) == NULL) {
        strcpy(r->directory, ".");
    }
    rc = check_script(r);
    if (rc == 0) {
        rc = r->options.kind == ASY_RUN_COMMAND ? asy_places_command(r->options.target, r->program)
                                                : asy_places_python(r->options.python, r->program);
    }
    if (rc == 0) {
        rc = asy_places_preload(r->library);
    }
    if (rc == 0) {
        rc = asy_places_recording(&r->options, r->recording);
    }
    if (rc == 0) {
        r->command = join(argc, argv);
        r->argv = make_argv(r);
        rc = r->command == NULL || r->argv == NULL ? asy_say_refused(no_memory) : 0;
    }
    return rc;
}

// ---- after the end ----

static bool
wants_color(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    return (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

// Something of the program itself is in it.
static bool
holds_program(const asy_profile *p)
{
    for (uint32_t i = 0; i < p->process_count; i++) {
        if (p->processes[i].program_ns != 0) {
            return true;
        }
    }
    return p->complete;
}

// From memory what the file has no room for; else by descriptor: it may have no name any more.
static asy_status
load(const run *r, const asy_measure *m, asy_profile **profile, const char **problem)
{
    size_t len;
    const void *bytes = asy_measure_bytes(m, &len);
    char own[64];

    if (bytes != NULL) {
        return asy_profile_load_bytes(bytes, len, profile, problem);
    }
    snprintf(own, sizeof own, "/proc/self/fd/%d", r->out.fd);
    return asy_profile_load_file(own, profile, problem);
}

// `path`: of the recording, for more of it; NULL: there is no more.
static void
tell_summary(const run *r, const asy_measure *m, const char *path)
{
    int width = asy_os_terminal_width(STDERR_FILENO);
    const char *problem = NULL;
    asy_profile *profile = NULL;
    asy_status st = load(r, m, &profile, &problem);

    if (st == ASY_OK && holds_program(profile)) {
        st = asy_summary_print(profile, path, STDERR_FILENO, width, width > 0 && wants_color());
    }
    if (st != ASY_OK) {
        asy_say("there is no summary: %s: %s", r->out.path, problem != NULL ? problem : asy_status_text(st));
    }
    asy_profile_free(profile);
}

// A run that went wrong at once does not take the place of a recording, nor does one for which there was no room at all. Where it was
// named, somebody expects it.
static bool
is_worth_keeping(const run *r, const asy_measure *m, asy_measured measured)
{
    bool command = r->options.kind == ASY_RUN_COMMAND;

    return r->options.output != NULL ||
           (asy_measure_saved(m) && measured >= (command ? ASY_MEASURED_START : ASY_MEASURED_PROGRAM));
}

// Where the recording is, if that is not where it was asked for. False: it is lost.
static bool
tell_place(run *r, asy_out_file_state state)
{
    const asy_out_file *f = &r->out;

    if (state == ASY_OUT_FILE_REMOVED) {
        asy_say("the recording %s was removed while the program ran: there is none", f->asked);
    } else if (state == ASY_OUT_FILE_AGAIN) {
        asy_say("the recording %s was removed while the program ran: %s is written again", f->asked, f->path);
    } else if (state == ASY_OUT_FILE_MOVED) {
        asy_say("the recording was moved while the program ran: it is %s", f->path);
    } else if (strcmp(f->path, f->asked) != 0 && r->options.output != NULL) {
        asy_say("%s was being written by another run: this recording is %s", f->asked, f->path);
    }
    return state != ASY_OUT_FILE_REMOVED;
}

// What went wrong, in sentences.
static void
tell_problems(const run *r, const asy_measure *m, asy_status st, bool kept)
{
    size_t len;
    bool whole = asy_measure_bytes(m, &len) != NULL && !r->options.quiet;

    if (st != ASY_OK) {
        asy_say(kept ? "the recording %s breaks off: %s%s" : "there is no recording %s: %s%s", r->out.path,
                asy_status_text(st), whole ? "; the summary is complete" : "");
    }
    if (*asy_measure_unmeasured(m) != '\0') {
        asy_say("%s: %s", r->options.kind == ASY_RUN_COMMAND ? r->options.target : r->program,
                asy_measure_unmeasured(m));
    }
}

// The recording first: what is said may find nobody who reads it, and whoever is tired of waiting then may end us.
static void
finish(run *r, const asy_child_given *given, asy_measure *m)
{
    asy_measured measured = ASY_MEASURED_NOTHING;
    asy_status st = asy_measure_finish(m, &measured);
    asy_out_file_state state = ASY_OUT_FILE_THERE;
    bool kept = is_worth_keeping(r, m, measured), in_memory, found;
    size_t len;

    if (kept) {
        state = asy_out_file_settle(&r->out);
    } else {
        asy_out_file_put_back(&r->out);
    }
    asy_child_heed_signals(given);
    tell_problems(r, m, st, kept);
    in_memory = asy_measure_bytes(m, &len) != NULL;
    found = kept && tell_place(r, state);
    if (!kept && st == ASY_OK && measured == ASY_MEASURED_START && !r->options.quiet) {
        asy_say("the program did not begin: there is no recording of it");
    } else if ((kept || in_memory) && measured != ASY_MEASURED_NOTHING && !r->options.quiet) {
        tell_summary(r, m, found && !in_memory ? r->out.path : NULL);
    }
}

// ---- in between ----

static int
start_failed(const run *r, int why)
{
    asy_say("cannot run %s: %s", r->program, strerror(why));
    return why == ENOENT ? 127 : 126;
}

static int
session_new(run *r, asy_measure **m)
{
    struct timespec now;
    asy_write_session session = {
        .command = r->command, .directory = r->directory, .script = r->script, .assay_version = ASY_VERSION};
    asy_measure_plan plan = {r->options.arena_bytes, r->options.no_c_calls ? ASY_OPT_NO_C_CALLS : 0};
    const char *problem = NULL;

    clock_gettime(CLOCK_REALTIME, &now);
    session.start_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return asy_measure_new(&plan, r->out.fd, &session, m, &problem) == ASY_OK
               ? 0
               : asy_say_refused("cannot begin the recording %s: %s", r->out.path, problem);
}

// 0 and the running child, or the exit status after a sentence.
static int
start(run *r, const asy_child_given *given, const asy_measure *m, pid_t *child)
{
    char session[96];
    char **env;
    int why;

    asy_measure_session_value(m, session, sizeof session);
    env = asy_child_environ(environ, r->library, session);
    if (env == NULL) {
        return asy_say_refused(no_memory);
    }
    why = asy_child_start(given, r->program, r->argv, env, child);
    free(env); // its strings live as long as we do
    return why != 0 ? start_failed(r, why) : 0;
}

static int
go(run *r)
{
    asy_child_given given;
    asy_measure *m = NULL;
    asy_watch_end end;
    int signal_fd, rc;
    pid_t child = 0;

    asy_child_prepare(&given, &signal_fd);
    rc = session_new(r, &m);
    if (rc == 0) {
        rc = start(r, &given, m, &child);
    }
    if (rc != 0) {
        asy_measure_free(m);
        return rc;
    }
    if (r->options.output != NULL) {
        asy_out_file_keep(&r->out);
    }
    end = asy_watch_child(child, r->options.arguments, signal_fd, m);
    finish(r, &given, m);
    asy_watch_repeat(end); // the kernel frees faster than we could
}

// What Python only answers (-V): nothing is measured, nothing is left.
static int
ask(run *r)
{
    int rc = asy_places_python(r->options.python, r->program);

    if (rc != 0) {
        return rc;
    }
    r->argv = make_argv(r);
    if (r->argv == NULL) {
        return asy_say_refused(no_memory);
    }
    execv(r->program, r->argv);
    return start_failed(r, errno);
}

int
asy_run_cmd(int argc, char **argv)
{
    run *r = calloc(1, sizeof *r);
    int rc;

    if (r == NULL) {
        return asy_say_refused(no_memory);
    }
    rc = asy_run_options_parse(argc, argv, &r->options);
    if (rc == 0 && r->options.help) {
        rc = asy_say_page(help);
    } else if (rc == 0 && r->options.kind == ASY_RUN_QUESTION) {
        rc = ask(r);
    } else if (rc == 0) {
        rc = plan(r, argc, argv);
        rc = rc == 0 ? asy_out_file_open(&r->out, r->recording, r->options.output != NULL) : rc;
        if (rc == 0) {
            rc = go(r); // returns only if nothing was started
            asy_out_file_put_back(&r->out);
        }
    }
    free(r->command);
    free(r->argv);
    free(r);
    return rc;
}
