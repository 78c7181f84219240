// wait.c: what waiting in a function waits for, by the names of modules, types and functions.
#include "report/wait.h"

#include <string.h>

typedef struct {
    const char *text, *wait;
    bool secondary;
} wait_rule;

static bool
is_method_of(const char *name, const char *type)
{
    size_t len = strlen(type);

    return strncmp(name, type, len) == 0 && name[len] == '.';
}

// By the type of a method, then by the name of a function.
static const wait_rule *
find_rule(const asy_profile_func *f)
{
    static const wait_rule types[] = {
        {"lock", "lock", true},
        {"RLock", "lock", true},
        {"_ThreadHandle", "join", true},
        {"SimpleQueue", "queue", true},
        {"_queue.SimpleQueue", "queue", true},
        {"poll", "poll", true},
        {"epoll", "poll", true},
        {"select.epoll", "poll", true},
        {"select.poll", "poll", true},
        {"_thread.lock", "lock", true},
        {"_thread.RLock", "lock", true},
        {"socket", "socket", false},
        {"_socket.socket", "socket", false},
        {"SemLock", "lock", true},
        {"_multiprocessing.SemLock", "lock", true},
    };
    static const wait_rule names[] = {
        {"sleep", "sleep", false},
        {"select", "poll", true},
        {"waitpid", "child process", false},
        {"wait4", "child process", false},
        {"wait3", "child process", false},
        {"waitid", "child process", false},
        {"wait", "child process", false},
        {"fork_exec", "child process", false},
        {"posix_spawn", "child process", false},
        {"posix_spawnp", "child process", false},
        {"system", "child process", false},
        {"input", "input", false},
        {"sigwait", "signal", false},
        {"pause", "signal", false},
        {"getaddrinfo", "name lookup", false},
        {"open", "file", false},
        {"print", "file", false},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is_method_of(f->name, types[i].text)) {
            return &types[i];
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(f->name, names[i].text) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

// The first `len` bytes of `word` are in `list`, in which a space stands before and after each word.
static bool
is_listed(const char *list, const char *word, size_t len)
{
    const char *end = list + strlen(list), *at = list;

    while (len > 0 && (at = memmem(at, (size_t)(end - at), word, len)) != NULL) {
        if (at > list && at[-1] == ' ' && at[len] == ' ') {
            return true;
        }
        at++;
    }
    return false;
}

static bool
is_word_of(const char *list, const char *word)
{
    return is_listed(list, word, strlen(word));
}

// A method of one of these types, or the type itself.
static bool
is_of_type(const char *list, const char *name)
{
    return is_listed(list, name, strcspn(name, "."));
}

// A C function or method that waits for a file, a device or their directory.
static bool
is_file_call(const asy_profile_func *f)
{
    static const char in_memory[] = " StringIO BytesIO IncrementalNewlineDecoder ";
    static const char entries[] = " DirEntry ScandirIterator ";
    // Of a module that holds as much that has nothing to do with files.
    static const char calls[] =
        " access chdir chmod chown chroot close closerange copy_file_range fchdir fchmod fchown fdatasync fpathconf "
        "fstat fstatvfs fsync ftruncate getcwd getcwdb getxattr lchmod lchown link listdir listxattr lockf lseek "
        "lstat mkdir mkfifo mknod open pathconf posix_fadvise posix_fallocate pread preadv pwrite pwritev read "
        "readlink readv remove removexattr rename replace rmdir scandir sendfile setxattr splice stat statvfs "
        "symlink sync truncate unlink utime write writev _path_exists _path_isdir _path_isfile _path_islink "
        "_path_lexists ";

    if (is_word_of(" _io io ", f->module)) {
        return !is_of_type(in_memory, f->name);
    }
    return is_word_of(" posix os ", f->module) && (is_word_of(calls, f->name) || is_of_type(entries, f->name));
}

// Modules of the interpreter that only compute, as far as nothing above speaks of them: a wait in them is the GIL's or the scheduler's
// doing.
static bool
only_computes(const char *module)
{
    static const char computing[] =
        " _io io posix os time builtins sys gc marshal weakref _weakref _weakrefset _imp _thread _abc abc _ast "
        "atexit itertools functools _functools operator _operator collections _collections _collections_abc math "
        "cmath _random random _sre re _json json _pickle pickle _struct struct array _bisect _heapq _statistics "
        "_decimal decimal _datetime datetime _csv csv _string _codecs codecs unicodedata types _types binascii "
        "_hashlib hashlib _sha2 _md5 _blake2 zlib _bz2 _lzma _warnings _contextvars contextvars _asyncio _symtable "
        "_tokenize _opcode _stat _typing typing errno _locale _tracemalloc _monitoring sys.monitoring _elementtree "
        "pyexpat _uuid ";

    return module[0] == '\0' || is_word_of(computing, module);
}

void
asy_wait_name(const asy_profile_func *f, asy_origin *o)
{
    const wait_rule *rule = f->kind == ASY_NODE_C ? find_rule(f) : NULL;

    o->wait = f->kind == ASY_NODE_PY ? ASY_WAIT_NO_EVENT : ASY_WAIT_TURN;
    o->turn = true;
    o->secondary = true;
    if (f->kind != ASY_NODE_C) {
        return;
    }
    if (rule != NULL) {
        o->wait = rule->wait;
    } else if (is_file_call(f)) {
        o->wait = "file";
    } else if (!only_computes(f->module)) {
        o->wait = f->module + (f->module[0] == '_' && f->module[1] != '\0');
    } else {
        return;
    }
    o->turn = false;
    o->secondary = rule != NULL && rule->secondary;
}

const char *
asy_wait_idle(const char *path, const char *name)
{
    static const struct {
        const char *path, *name, *idle; // name NULL = any
    } rules[] = {
        {"queue.py", NULL, "queue"},
        {"threading.py", "Thread.join", "join"},
        {"threading.py", "Thread._wait_for_tstate_lock", "join"},
        {"threading.py", "_shutdown", "join"},
        {"threading.py", "Event.wait", "event"},
        {"threading.py", "Condition.wait", "condition"},
        {"threading.py", "Condition.wait_for", "condition"},
        {"threading.py", "Barrier.wait", "barrier"},
        {"concurrent/futures/thread.py", "_worker", "queue"},
        {"concurrent/futures/_base.py", NULL, "result"},
        {"concurrent/futures/process.py", NULL, "result"},
        {"selectors.py", NULL, "poll"},
        {"socketserver.py", NULL, "poll"},
        {"multiprocessing/queues.py", NULL, "queue"},
        {"multiprocessing/pool.py", NULL, "queue"},
        {"multiprocessing/popen_fork.py", NULL, "join"},
        {"multiprocessing/connection.py", NULL, "poll"},
    };

    for (size_t i = 0; path != NULL && i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(path, rules[i].path) == 0 && (rules[i].name == NULL || strcmp(name, rules[i].name) == 0)) {
            return rules[i].idle;
        }
    }
    return NULL;
}
