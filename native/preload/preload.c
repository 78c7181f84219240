// preload.c: gets the agent into a Python that is about to start, before its first line runs.
// In any other program the constructor hides us and looks for one symbol; what it starts is offered to us by the wrappers (exec.c). In a Python it replaces the table of built-in
// modules by a copy in which two init functions are ours: `posix`, which every start-up imports first, asks for a pending call
// that starts the agent; `time`, imported next, comes when posix.environ exists and can be cleaned.
// One measured runtime at a time; a runtime that is finalised and initialised again is entered again.
// Threads: the constructor runs before there are any; the rest runs under the GIL.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/entry.h"
#include "core/arena.h"
#include "preload/blank.h"
#include "preload/dl.h"
#include "preload/environ.h"
#include "preload/exec.h"
#include "preload/exit.h"
#include "preload/hide.h"
#include "preload/loadable.h"
#include "preload/session.h"

typedef void *(*init_fn)(void);
typedef struct {
    const char *name;
    init_fn init;
} table_row; // struct _inittab of CPython

static struct {
    asy_session session;
    init_fn posix_init, time_init;
    int (*is_initialized)(void);
    int (*add_pending)(int (*)(void *), void *);
    const char *(*version)(void);
    const char *library;      // borrowed from the loader
    bool refused;             // a Python before 3.7
    asy_agent_start_fn start; // of the agent, once it is loaded
    asy_agent_lose_fn lose;
    asy_agent_head_fn head;
} state;

// "3.13.0 experimental free-threading build (…" → 0x030D0001 and the prefix of its agents' names. False: unreadable.
static bool
agent_prefix(uint64_t *hex, char *prefix, size_t size)
{
    const char *text = state.version();
    unsigned long major = 0, minor = 0;
    bool threaded = text != NULL && strstr(text, "free-threading") != NULL;
    char *dot = NULL, *end = NULL;

    if (text != NULL) {
        major = strtoul(text, &dot, 10);
        minor = *dot == '.' ? strtoul(dot + 1, &end, 10) : 0;
    }
    if (end == NULL || end == dot + 1 || major > 255 || minor > 255) {
        return false;
    }
    *hex = ((uint64_t)major << 24) | ((uint64_t)minor << 16) | (threaded ? ASY_REFUSED_THREADED : 0);
    snprintf(prefix, size, "_agent.cpython-%lu%lu%s-", major, minor, threaded ? "t" : "");
    return true;
}

// The agent's file beside our own: its name goes on with the platform. Empty: there is none.
static void
agent_find(const char *prefix, char *path, size_t size)
{
    const char *slash = strrchr(state.library, '/');
    int dir_len = slash != NULL ? (int)(slash - state.library) : 0;
    char dir[4096];
    struct dirent *entry;
    DIR *d;

    path[0] = '\0';
    snprintf(dir, sizeof dir, "%.*s", dir_len, state.library);
    d = slash != NULL ? opendir(dir) : NULL;
    if (d == NULL) {
        return;
    }
    while ((entry = readdir(d)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && len > 3 &&
            strcmp(entry->d_name + len - 3, ".so") == 0) {
            snprintf(path, size, "%s/%s", dir, entry->d_name);
        }
    }
    closedir(d);
}

// 0, or why there is no agent for this Python.
static uint64_t
agent_load(uint64_t *hex)
{
    char prefix[64], path[4400];
    void *start = NULL, *lose = NULL, *exec = NULL, *leave = NULL, *head = NULL;

    if (state.start != NULL) {
        return 0; // a runtime that was initialised again
    }
    if (!agent_prefix(hex, prefix, sizeof prefix)) {
        return ASY_REFUSED_VERSION;
    }
    agent_find(prefix, path, sizeof path);
    if (path[0] == '\0') {
        return ASY_REFUSED_VERSION;
    }
    if (asy_dl_open(path, &start, ASY_AGENT_START) == NULL || start == NULL) {
        return ASY_REFUSED_LOAD;
    }
    state.start = (asy_agent_start_fn)start;
    asy_dl_open(path, &lose, ASY_AGENT_LOSE);
    state.lose = (asy_agent_lose_fn)lose;
    asy_dl_open(path, &head, ASY_AGENT_HEAD);
    state.head = (asy_agent_head_fn)head;
    asy_dl_open(path, &exec, ASY_AGENT_EXEC);
    asy_exec_tell((asy_agent_exec_fn)exec);
    asy_dl_open(path, &leave, ASY_AGENT_EXIT);
    asy_exit_tell((asy_agent_exit_fn)leave);
    return 0;
}

static void
refuse(uint64_t version, uint64_t why)
{
    char name[4096];
    ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);

    name[n > 0 ? n : 0] = '\0';
    asy_session_refuse(&state.session, version, why, name);
}

// The pending call. Always "no error": what goes wrong is told to the program, not to the interpreter.
static int
start_measuring(void *unused)
{
    uint64_t hex = 0;
    uint64_t why = agent_load(&hex);
    int fd = -1;

    (void)unused;
    if (why == 0) {
        fd = asy_session_open(&state.session);
        if (fd < 0) {
            return 0; // the program has gone, or may not be asked
        }
        asy_agent_entry entry = {.abi = ASY_AGENT_ABI, .arena_fd = fd, .nonce = state.session.nonce};
        int st = state.start(&entry);

        close(fd);
        asy_session_know(state.head != NULL ? state.head() : NULL);
        why = st == ASY_OK ? 0 : ASY_REFUSED_START | ((uint64_t)st << 8);
    }
    if (why != 0) {
        refuse(hex, why);
    }
    return 0;
}

// A Python before 3.7 calls itself initialised before its start-up imports anything, and has no agent.
static void
refuse_old(void)
{
    uint64_t hex = 0;
    char prefix[64];

    if (!state.refused && agent_prefix(&hex, prefix, sizeof prefix) && hex < 0x03070000) {
        state.refused = true;
        refuse(hex, ASY_REFUSED_VERSION);
    }
}

// Before the runtime calls itself initialised only its main interpreter's start-up imports posix: a sub-interpreter or a
// repeated import comes later, and is passed over.
static void *
init_posix(void)
{
    void *module = state.posix_init();

    if (module != NULL && !state.is_initialized()) {
        state.add_pending(start_measuring, NULL);
    } else if (state.lose != NULL) {
        state.lose(ASY_LOSS_SUBINTERPS); // counts only what is not the main interpreter
    } else {
        refuse_old();
    }
    return module;
}

static void *
init_time(void)
{
    void *module = state.time_init();

    if (module != NULL) {
        asy_hide_session();
    }
    return module;
}

// Copies the table with our two functions in it. False: no memory, or not a table that we know.
static bool
wrap_table(table_row **table)
{
    table_row *old = *table;
    table_row *copy;
    size_t n = 0;

    while (old[n].name != NULL) {
        n++;
    }
    copy = malloc((n + 1) * sizeof *copy);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, old, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(copy[i].name, "posix") == 0 && state.posix_init == NULL) {
            state.posix_init = copy[i].init;
            copy[i].init = init_posix;
        } else if (strcmp(copy[i].name, "time") == 0 && state.time_init == NULL) {
            state.time_init = copy[i].init;
            copy[i].init = init_time;
        }
    }
    *table = copy; // stays for the life of the process
    return true;
}

__attribute__((constructor)) static void
asy_preload_begin(void)
{
    const char *value = getenv(ASY_SESSION_NAME);
    bool known = asy_session_parse(value, &state.session);
    table_row **table;

    state.library = asy_dl_file(&state);
    if (state.library == NULL) {
        return;
    }
    asy_environ_init(state.library);
    asy_loadable_init(state.library);
    asy_exec_init();
    if (known) {
        asy_exec_session(&state.session, value);
    }
    table = asy_dl_any("PyImport_Inittab");
    asy_blank_initial(known && (table == NULL || *table == NULL));
    if (!known || table == NULL || *table == NULL) {
        return;
    }
    state.is_initialized = (int (*)(void))asy_dl_any("Py_IsInitialized");
    state.add_pending = (int (*)(int (*)(void *), void *))asy_dl_any("Py_AddPendingCall");
    state.version = (const char *(*)(void))asy_dl_any("Py_GetVersion");
    if (state.is_initialized == NULL || state.add_pending == NULL || state.version == NULL) {
        return;
    }
    asy_hide_init();
    wrap_table(table);
}
