// sample.c: a recording with something of everything, and what a profile of it must say.
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

asy_text
sample_text(const char *s)
{
    return (asy_text){s, (uint32_t)strlen(s)};
}

static const asy_write_session session = {.start_unix_ns = 1700000000000000000,
                                          .command = "assay run job.py",
                                          .directory = "/srv",
                                          .script = "job.py",
                                          .assay_version = "0.1.0"};

static asy_write_process
process(uint32_t id)
{
    asy_write_process p = {
        .id = id,
        .pid = 4000 + id,
        .parent_pid = id == 0 ? 1 : 4000,
        .image = id,
        .start_ns = 10 + id,
        .end_ns = 9000000 + id,
        .python_version = 0x030C0100,
        .flags = ASY_PROC_F_SETPROFILE * id,
        .main_thread = id == 0 ? 0 : UINT32_MAX,
        .program_node = id == 0 ? 3 : 0,
        .program_ns = 500,
        .program_end_ns = 8000000,
        .exited = 1 + (int)id,
        .status = id == 0 ? 3 : 9,
        .cost_py_in_ps = 41000,
        .cost_py_out_ps = 12000,
        .cost_c_in_ps = 30000,
        .cost_c_out_ps = 9000,
        .resident_bytes = 1 << 20,
        .executable = sample_text("/usr/bin/python3"),
        .cwd = sample_text("/srv"),
        .command = sample_text("python job.py"),
    };

    p.losses[ASY_LOSS_FOLDS] = 7 + id;
    return p;
}

static asy_write_thread
thread(uint32_t id)
{
    static const char *const names[] = {"MainThread", "w\xC3\xB6rker", ""};

    return (asy_write_thread){
        .id = id,
        .process = id == 2,
        .serial = 1 + id,
        .native_id = 4000 + id,
        .start_ns = 20 + id,
        .end_ns = 8500000 + id,
        .cpu_ns = 7000000,
        .flags = id == 0 ? ASY_THREAD_F_MAIN : ASY_THREAD_F_DAEMON,
        .merged = id == 2 ? 12 : 0,
        .overhead_ns = 321,
        .overhead_events = 12,
        .ended = id != 1,
        .name = sample_text(names[id % 3]),
    };
}

typedef struct {
    uint16_t kind;
    uint16_t count;
    uint32_t line;
    const char *strings[4];
    const char *name, *file, *module; // as a profile says it
} function;

static const function functions[] = {
    {ASY_NODE_PHASE, 1, 0, {"start-up"}, "start-up", "", ""},
    {ASY_NODE_PY, 3, 31, {"Job.run", "run", "/srv/job.py"}, "Job.run", "/srv/job.py", ""},
    {ASY_NODE_PY, 3, 5, {"", "plain", "/srv/job.py"}, "plain", "/srv/job.py", ""},
    {ASY_NODE_C, 3, 0, {"Cursor.execute", "", "sqlite3"}, "Cursor.execute", "", "sqlite3"},
    {ASY_NODE_CLASS, 3, 0, {"dict", "", ""}, "dict", "", ""},
    {ASY_NODE_OBJECT, 1, 0, {"partial"}, "partial", "", ""},
    {ASY_NODE_TAG, 4, 0, {"customer", "acme", "day", "3"}, "customer=acme, day=3", "", ""},
    {ASY_NODE_TAG, 0, 0, {NULL}, "", "", ""},
    {ASY_NODE_PY,
     3,
     9,
     {"caf\xC3\xA9", "caf\xC3\xA9", "bad\xFF\xED\xA0\x80.py"},
     "caf\xC3\xA9",
     "bad\xEF\xBF\xBD\xEF\xBF\xBD.py",
     ""},
};
#define FUNCTIONS (sizeof functions / sizeof *functions)

static asy_status
write_functions(asy_writer *w)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < FUNCTIONS && st == ASY_OK; i++) {
        const function *f = &functions[i];
        asy_symbol head = {.kind = f->kind, .count = f->count, .line = f->line, .flags = i};
        asy_text strings[4];

        for (unsigned k = 0; k < f->count; k++) {
            strings[k] = sample_text(f->strings[k]);
        }
        st = asy_write_func(w, i, &head, strings);
    }
    return st;
}

static uint32_t
nodes_of(uint32_t thread_id)
{
    return thread_id == 0 ? SAMPLE_NODES : thread_id == 1 ? 5 : 1;
}

static asy_profile_node
node(uint32_t thread_id, uint32_t i)
{
    uint32_t func = i == 0 ? UINT32_MAX : (i * 7 + thread_id) % (uint32_t)FUNCTIONS;
    uint32_t kind = i == 0 ? ASY_NODE_ROOT : functions[func].kind | (i % 50 == 0 ? ASY_NODE_F_FOLDED : 0);

    return (asy_profile_node){
        .parent = i == 0 ? 0 : i - 1 - i * 7 % 13 % i,
        .func = func,
        .kind = kind,
        .open = i < 4,
        .calls = i * 1000ULL,
        .resumes = i % 3,
        .unwinds = i % 5,
        .self_ns = i * 1000003ULL,
        .wait_ns = i * 999983ULL,
        .suspended_ns = i % 7 == 0 ? 1ULL << 40 : 0,
    };
}

static asy_status
write_nodes(asy_writer *w)
{
    asy_status st = ASY_OK;

    for (uint32_t t = 0; t < 3; t++) {
        for (uint32_t i = 0; i < nodes_of(t) && st == ASY_OK; i++) {
            asy_profile_node n = node(t, i);

            st = asy_write_node(w, t, i, n.parent, n.func, n.kind);
        }
    }
    return st;
}

static asy_status
write_counts(asy_writer *w)
{
    asy_status st = ASY_OK;

    for (uint32_t t = 0; t < 3; t++) {
        for (uint32_t i = 0; i < nodes_of(t) && st == ASY_OK; i++) {
            asy_profile_node n = node(t, i);

            st = asy_write_node_counts(
                w, t, i,
                &(asy_write_counts){n.calls, n.resumes, n.unwinds, n.self_ns, n.wait_ns, n.suspended_ns, n.open});
        }
    }
    return st;
}

static asy_status
write_rest(asy_writer *w)
{
    uint64_t losses[ASY_LOSS_COUNT] = {[ASY_LOSS_EXECS] = 2, [ASY_LOSS_COUNT - 1] = 1};
    asy_status st = asy_write_note(w, "1 PyPy ran unprofiled");

    return st == ASY_OK ? asy_write_losses(w, losses) : st;
}

static asy_status
write_owners(asy_writer *w)
{
    asy_status st = ASY_OK;

    for (uint32_t i = 0; i < 2 && st == ASY_OK; i++) {
        asy_write_process p = process(i);

        st = asy_write_process_row(w, &p);
    }
    for (uint32_t i = 0; i < 3 && st == ASY_OK; i++) {
        asy_write_thread t = thread(i);

        st = asy_write_thread_row(w, &t);
    }
    return st;
}

asy_status
sample_write(asy_writer *w, bool flush)
{
    static asy_status (*const steps[])(asy_writer *) = {write_owners, write_functions, write_nodes, write_counts,
                                                        write_rest};
    asy_status st = asy_write_session_begin(w, &session);

    for (size_t i = 0; i < sizeof steps / sizeof *steps && st == ASY_OK; i++) {
        st = steps[i](w);
        if (st == ASY_OK && flush) {
            st = asy_writer_flush(w);
        }
    }
    return st == ASY_OK ? asy_write_session_end(w, 9500000) : st;
}

unsigned char *
sample_bytes(bool flush, size_t *len)
{
    asy_writer *w = NULL;
    unsigned char *copy;

    assert_int_equal(asy_writer_new(-1, &w), ASY_OK);
    assert_int_equal(sample_write(w, flush), ASY_OK);
    (void)asy_writer_bytes(w, len);
    copy = malloc(*len);
    assert_non_null(copy);
    memcpy(copy, asy_writer_bytes(w, len), *len);
    asy_writer_free(w);
    return copy;
}

static void
check_process(const asy_profile_process *p, uint32_t id, bool whole)
{
    asy_write_process q = process(id);

    assert_int_equal(p->pid, q.pid);
    assert_int_equal(p->parent_pid, q.parent_pid);
    assert_int_equal(p->image, q.image);
    assert_int_equal(p->start_ns, q.start_ns);
    assert_int_equal(p->end_ns, q.end_ns);
    assert_int_equal(p->python_version, q.python_version);
    assert_int_equal(p->flags, q.flags);
    assert_string_equal(p->executable, "/usr/bin/python3");
    assert_string_equal(p->cwd, "/srv");
    assert_string_equal(p->command, "python job.py");
    if (whole || p->main_thread != UINT32_MAX) {
        assert_int_equal(p->main_thread, q.main_thread);
    }
    if (whole || p->program_node != 0) {
        assert_int_equal(p->program_node, q.program_node);
    }
    assert_int_equal(p->program_ns, q.program_ns);
    assert_int_equal(p->program_end_ns, q.program_end_ns);
    assert_int_equal(p->exited, q.exited);
    assert_int_equal(p->status, q.status);
    assert_int_equal(p->cost_py_in_ps, q.cost_py_in_ps);
    assert_int_equal(p->cost_py_out_ps, q.cost_py_out_ps);
    assert_int_equal(p->cost_c_in_ps, q.cost_c_in_ps);
    assert_int_equal(p->cost_c_out_ps, q.cost_c_out_ps);
    assert_int_equal(p->resident_bytes, q.resident_bytes);
    assert_memory_equal(p->losses, q.losses, sizeof q.losses);
}

static void
check_thread(const asy_profile_thread *p, uint32_t id)
{
    asy_write_thread q = thread(id);

    assert_int_equal(p->process, q.process);
    assert_int_equal(p->serial, q.serial);
    assert_int_equal(p->native_id, q.native_id);
    assert_int_equal(p->start_ns, q.start_ns);
    assert_int_equal(p->end_ns, q.end_ns);
    assert_int_equal(p->cpu_ns, q.cpu_ns);
    assert_int_equal(p->flags, q.flags);
    assert_int_equal(p->merged, q.merged);
    assert_int_equal(p->ended, q.ended);
    assert_int_equal(p->overhead_ns, q.overhead_ns);
    assert_int_equal(p->overhead_events, q.overhead_events);
    assert_int_equal(strlen(p->name), q.name.len);
    assert_memory_equal(p->name, q.name.bytes, q.name.len);
}

static void
check_nodes(const asy_profile_thread *t, uint32_t id, bool whole)
{
    assert_true(t->node_count <= nodes_of(id));
    for (uint32_t i = 0; i < t->node_count; i++) {
        asy_profile_node n = node(id, i);
        asy_profile_node bare = {.parent = n.parent, .func = n.func, .kind = n.kind};

        if (whole || memcmp(&t->nodes[i], &bare, sizeof n) != 0) {
            assert_memory_equal(&t->nodes[i], &n, sizeof n);
        }
    }
}

static void
check_func(const asy_profile_func *p, uint32_t id)
{
    const function *f = &functions[id];

    assert_int_equal(p->kind, f->kind);
    assert_int_equal(p->flags, id);
    assert_int_equal(p->line, f->line);
    assert_string_equal(p->name, f->name);
    assert_string_equal(p->file, f->file);
    assert_string_equal(p->module, f->module);
    assert_int_equal(p->label_count, f->kind == ASY_NODE_TAG ? f->count : 0);
    for (uint32_t i = 0; i < p->label_count; i++) {
        assert_string_equal(p->labels[i], f->strings[i]);
    }
}

static void
check_session(const asy_profile *p)
{
    assert_int_equal(p->start_unix_ns, session.start_unix_ns);
    assert_string_equal(p->command, session.command);
    assert_string_equal(p->directory, session.directory);
    assert_string_equal(p->script, session.script);
    assert_string_equal(p->assay_version, session.assay_version);
}

void
sample_check(const asy_profile *p, bool whole)
{
    assert_null(invariant_broken(p));
    if (whole || p->start_unix_ns != 0) {
        check_session(p);
    }
    for (uint32_t i = 0; i < p->process_count; i++) {
        check_process(&p->processes[i], i, whole);
    }
    for (uint32_t i = 0; i < p->thread_count; i++) {
        check_thread(&p->threads[i], i);
        check_nodes(&p->threads[i], i, whole);
    }
    for (uint32_t i = 0; i < p->func_count; i++) {
        check_func(&p->funcs[i], i);
    }
    if (whole || p->note_count > 0) {
        assert_int_equal(p->note_count, 1);
        assert_string_equal(p->notes[0], "1 PyPy ran unprofiled");
    }
    if (whole || p->losses[ASY_LOSS_EXECS] != 0) {
        assert_int_equal(p->losses[ASY_LOSS_EXECS], 2);
        assert_int_equal(p->losses[ASY_LOSS_COUNT - 1], 1);
    }
    assert_int_equal(p->complete, whole);
    if (whole) {
        assert_int_equal(p->process_count, 2);
        assert_int_equal(p->thread_count, 3);
        assert_int_equal(p->func_count, FUNCTIONS);
        assert_int_equal(p->threads[0].node_count, nodes_of(0));
        assert_int_equal(p->threads[1].node_count, nodes_of(1));
        assert_int_equal(p->duration_ns, 9500000);
        assert_int_equal(p->cut_at, 0);
    }
}
