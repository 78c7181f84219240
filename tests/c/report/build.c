// build.c: see build.h.
#include "build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static asy_text
text(const char *s)
{
    return (asy_text){s, (uint32_t)strlen(s)};
}

void
build_begin_fd(build *b, int fd, const char *command, const char *directory, const char *script)
{
    asy_write_session s = {.start_unix_ns = 1700000000000000000,
                           .command = command,
                           .directory = directory,
                           .script = script,
                           .assay_version = "0.1.0"};

    *b = (build){.process = {.pid = 4000, .parent_pid = 1, .python_version = 0x030C0100, .main_thread = 0}};
    b->process.executable = text("/usr/bin/python3");
    b->process.cwd = text(directory);
    b->process.command = text(command);
    assert_int_equal(asy_writer_new(fd, &b->writer), ASY_OK);
    assert_int_equal(asy_write_session_begin(b->writer, &s), ASY_OK);
    assert_int_equal(asy_write_process_row(b->writer, &b->process), ASY_OK);
}

void
build_begin(build *b, const char *command, const char *directory, const char *script)
{
    build_begin_fd(b, -1, command, directory, script);
}

static uint32_t
add_func(build *b, uint16_t kind, uint32_t line, const char *const *strings, uint16_t count)
{
    asy_symbol head = {.kind = kind, .count = count, .line = line};
    asy_text texts[3];

    assert_true(b->funcs < 256);
    for (uint16_t i = 0; i < count; i++) {
        texts[i] = text(strings[i]);
    }
    assert_int_equal(asy_write_func(b->writer, b->funcs, &head, texts), ASY_OK);
    b->kind[b->funcs] = kind;
    return b->funcs++;
}

uint32_t
build_python(build *b, const char *name, const char *file, uint32_t line)
{
    return add_func(b, ASY_NODE_PY, line, (const char *const[]){name, name, file}, 3);
}

uint32_t
build_c(build *b, const char *name, const char *module)
{
    return add_func(b, ASY_NODE_C, 0, (const char *const[]){name, "", module}, 3);
}

uint32_t
build_tag(build *b, const char *key, const char *value)
{
    return add_func(b, ASY_NODE_TAG, 0, (const char *const[]){key, value}, 2);
}

uint32_t
build_thread_of(build *b, uint32_t process, const char *name)
{
    asy_write_thread t = {.id = b->threads,
                          .process = process,
                          .serial = b->threads + 1,
                          .native_id = 4000 + b->threads,
                          .flags = b->threads == 0 ? ASY_THREAD_F_MAIN : 0,
                          .ended = 1,
                          .name = text(name)};
    asy_write_counts none = {0};

    assert_true(b->threads < 64);
    assert_int_equal(asy_write_thread_row(b->writer, &t), ASY_OK);
    assert_int_equal(asy_write_node(b->writer, b->threads, 0, 0, UINT32_MAX, ASY_NODE_ROOT), ASY_OK);
    assert_int_equal(asy_write_node_counts(b->writer, b->threads, 0, &none), ASY_OK);
    b->nodes[b->threads] = 1;
    return b->threads++;
}

uint32_t
build_thread(build *b, const char *name)
{
    return build_thread_of(b, 0, name);
}

static uint32_t
add_node(build *b, uint32_t thread, uint32_t parent, uint32_t func, const asy_write_counts *c)
{
    uint32_t node = b->nodes[thread]++;

    assert_int_equal(asy_write_node(b->writer, thread, node, parent, func, b->kind[func]), ASY_OK);
    assert_int_equal(asy_write_node_counts(b->writer, thread, node, c), ASY_OK);
    return node;
}

uint32_t
build_node(build *b, uint32_t thread, uint32_t parent, uint32_t func, uint64_t calls, uint64_t self_ns,
           uint64_t wait_ns)
{
    asy_write_counts c = {.calls = calls, .self_ns = self_ns, .wait_ns = wait_ns};

    return add_node(b, thread, parent, func, &c);
}

void
build_process(build *b, uint32_t id)
{
    asy_write_process p = {.id = id, .pid = 4000 + id, .parent_pid = 4000, .main_thread = UINT32_MAX};

    assert_int_equal(asy_write_process_row(b->writer, &p), ASY_OK);
}

void
build_open(build *b, uint32_t thread, uint32_t node, uint64_t calls, uint64_t self_ns, uint32_t open)
{
    asy_write_counts c = {.calls = calls, .self_ns = self_ns, .open = open};

    assert_int_equal(asy_write_node_counts(b->writer, thread, node, &c), ASY_OK);
}

void
build_suspended(build *b, uint32_t thread, uint32_t node, uint64_t calls, uint64_t self_ns, uint64_t suspended_ns)
{
    asy_write_counts c = {.calls = calls, .resumes = calls, .self_ns = self_ns, .suspended_ns = suspended_ns};

    assert_int_equal(asy_write_node_counts(b->writer, thread, node, &c), ASY_OK);
}

void
build_note(build *b, const char *sentence)
{
    assert_int_equal(asy_write_note(b->writer, sentence), ASY_OK);
}

void
build_end(build *b, uint64_t duration_ns)
{
    if (b->process.program_node != 0 && b->process.program_ns == 0) {
        b->process.program_ns = 1;
        b->process.program_end_ns = duration_ns + 1;
    }
    assert_int_equal(asy_write_process_row(b->writer, &b->process), ASY_OK);
    assert_int_equal(asy_write_session_end(b->writer, duration_ns), ASY_OK);
}

asy_profile *
build_load(build *b)
{
    size_t len;
    const void *bytes = asy_writer_bytes(b->writer, &len);
    const char *problem = NULL;
    asy_profile *p;
    asy_status st = asy_profile_load_bytes(bytes, len, &p, &problem);

    if (st != ASY_OK) {
        print_error("not loaded: %s\n", problem == NULL ? asy_status_text(st) : problem);
    }
    assert_int_equal(st, ASY_OK);
    return p;
}

void
build_free(build *b)
{
    asy_writer_free(b->writer);
}

typedef struct {
    uint32_t threading, run, report, build, lookup, execute, append, acquire, get, queue_get;
} nightly;

static void
nightly_worker(build *b, const nightly *f, int worker, const uint32_t *tags)
{
    static const struct {
        uint64_t calls, lookup_ms;
    } load[4][2] = {{{4000, 3600}, {90, 60}}, {{600, 500}, {80, 50}}, {{24, 400}, {6, 40}}, {{8, 600}, {4, 80}}};
    uint32_t t = build_thread(b, "worker");
    uint32_t boot = build_node(b, t, 0, f->threading, 1, 1 * MS, 0);
    uint32_t run = build_node(b, t, boot, f->run, 1, 2 * MS, 0);
    uint32_t get = build_node(b, t, run, f->queue_get, 6, 1 * MS, 0);

    build_node(b, t, get, f->acquire, 6, 900 * MS, 899 * MS);
    for (int i = 0; i < 2; i++) {
        uint32_t tag = build_node(b, t, run, tags[worker < 2 ? i == 0 ? 0 : worker + 1 : 2 + i], 1, 1 * MS, 0);
        uint32_t report = build_node(b, t, tag, f->report, 3, 10 * MS, 0);
        uint32_t build_one =
            build_node(b, t, report, f->build, load[worker][i].calls, load[worker][i].lookup_ms * MS, 20 * MS);

        build_node(b, t, build_one, f->append, load[worker][i].calls * 100, load[worker][i].lookup_ms * MS / 100, 0);
        build_node(b, t, report, f->execute, load[worker][i].calls * 2, 40 * MS, 38 * MS);
    }
}

void
build_nightly(build *b)
{
    static const char *const customers[] = {"acme", "globex", "initech", "hooli"};
    nightly f;
    uint32_t tags[4], module, main_func, join, main_node, root;

    build_begin(b, "nightly_report.py", "/srv/job", "nightly_report.py");
    module = build_python(b, "<module>", "/srv/job/nightly_report.py", 1);
    main_func = build_python(b, "main", "/srv/job/nightly_report.py", 18);
    join = build_python(b, "Thread.join", "/usr/lib/python3.12/threading.py", 1087);
    f.threading = build_python(b, "Thread._bootstrap", "/usr/lib/python3.12/threading.py", 995);
    f.run = build_python(b, "work", "/srv/job/nightly/worker.py", 40);
    f.queue_get = build_python(b, "Queue.get", "/usr/lib/python3.12/queue.py", 154);
    f.report = build_python(b, "write_report", "/srv/job/nightly/report.py", 12);
    f.build = build_python(b, "build_lookup", "/srv/job/nightly/lookup.py", 31);
    f.lookup = f.build;
    f.execute = build_c(b, "Cursor.execute", "sqlite3");
    f.append = build_c(b, "list.append", "builtins");
    f.acquire = build_c(b, "lock.acquire", "_thread");
    for (int i = 0; i < 4; i++) {
        tags[i] = build_tag(b, "customer", customers[i]);
    }
    build_thread(b, "MainThread");
    root = build_node(b, 0, 0, build_python(b, "_run", "<frozen runpy>", 5), 1, 20 * MS, 0);
    b->process.program_node = build_node(b, 0, root, module, 1, 3 * MS, 0);
    main_node = build_node(b, 0, b->process.program_node, main_func, 1, 8 * MS, 0);
    build_node(b, 0, build_node(b, 0, main_node, join, 4, 1 * MS, 0), f.acquire, 4, 5900 * MS, 5899 * MS);
    for (int i = 0; i < 4; i++) {
        nightly_worker(b, &f, i, tags);
    }
    b->process.cost_py_in_ps = 30000;
    b->process.cost_py_out_ps = 20000;
    b->process.cost_c_in_ps = 20000;
    b->process.cost_c_out_ps = 10000;
    b->process.exited = 1;
    build_end(b, 6410 * MS);
}
