// calibrate.c: empty calls with and without events, smallest of several rounds.
// The scratch tree lies in private memory; what its functions left in the tables is taken out again.
#include "agent/calibrate.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/backend.h"
#include "agent/codes.h"

#define CALLS 400
#define ROUNDS 7
// Share of an unmeasured call that runs between its first and its last event: the rest is its caller's. An empty function
// does nothing but RESUME and RETURN.
#define INSIDE_NUM 1
#define INSIDE_DEN 4

static const char SOURCE[] = "def f(): pass\n"
                             "def py(r):\n for _ in r: f()\n"
                             "def c(r, g=len, x=()):\n for _ in r: g(x)\n";

static void *
scratch_chunk(void *ctx, uint32_t kind, uint32_t ordinal)
{
    (void)ctx, (void)kind, (void)ordinal;
    return NULL;
}

// Shortest of the rounds, in ticks. 0 with an exception set.
static uint64_t
rounds_run(PyObject *loop, PyObject *range, uint64_t *inside, asy_node *node)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t self = node != NULL ? node->self_ticks : 0;
        uint64_t start = asy_agent_ticks();
        PyObject *r = PyObject_CallFunctionObjArgs(loop, range, NULL);
        uint64_t span = asy_agent_ticks() - start;
        Py_XDECREF(r);
        if (r == NULL) {
            return 0;
        }
        best = span < best ? span : best;
        if (node != NULL && node->self_ticks - self < *inside) {
            *inside = node->self_ticks - self;
        }
    }
    return best;
}

// The node that was called most.
static asy_node *
busiest(asy_tree *t)
{
    asy_node *best = asy_tree_node(t, 0);

    for (uint32_t i = 1; i < t->thread->node_count; i++) {
        if (asy_tree_node(t, i)->calls > best->calls) {
            best = asy_tree_node(t, i);
        }
    }
    return best;
}

static void
measure(PyObject *loop, PyObject *range, uint64_t *cost_in, uint64_t *cost_out)
{
    asy_agent *a = &asy_the_agent;
    uint64_t off = rounds_run(loop, range, NULL, NULL), on, inside = UINT64_MAX, base_inside, total;
    asy_agent_thread *t = off != 0 ? asy_thread_scratch(scratch_chunk) : NULL;

    if (t == NULL) {
        return;
    }
    asy_thread_tls = t;
    a->measuring = 1;
    on = asy_backend_on() == ASY_OK ? rounds_run(loop, range, NULL, NULL) : 0;
    on = on != 0 ? rounds_run(loop, range, &inside, busiest(&t->tree)) : 0;
    if (on != 0) {
        base_inside = off * INSIDE_NUM / INSIDE_DEN;
        total = on > off ? on - off : 0;
        inside = inside > base_inside && inside != UINT64_MAX ? inside - base_inside : 0;
        inside = inside < total ? inside : total;
        *cost_in = inside * 1024 / CALLS;
        *cost_out = (total - inside) * 1024 / CALLS;
    }
    asy_backend_off();
    a->measuring = 0;
    asy_thread_scratch_end(t);
}

static void
tables_forget(asy_agent *a)
{
    madvise(a->codes.rows, ((size_t)a->codes.mask + 1) * sizeof(asy_func_row), MADV_DONTNEED);
    madvise(a->callables.rows, ((size_t)a->callables.mask + 1) * sizeof(asy_func_row), MADV_DONTNEED);
    madvise(a->living.rows, ((size_t)a->living.mask + 1) * sizeof(asy_func_row), MADV_DONTNEED);
    a->codes.used = a->callables.used = a->living.used = 0;
    asy_codes_forget(); // their deaths are not heard of any more
}

// What our own code may raise is no matter: it goes without. All else is a signal's handler, whose exception is the program's.
static bool
passed(void)
{
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_MemoryError) || PyErr_ExceptionMatches(PyExc_NameError))) {
        PyErr_Clear();
    }
    return !PyErr_Occurred();
}

bool
asy_calibrate(void)
{
    asy_agent *a = &asy_the_agent;
    asy_cpython_hooks hooks = asy_cpython_hooks_take();
    PyObject *globals = PyDict_New();
    PyObject *code = Py_CompileString(SOURCE, ASY_CALIBRATE_FILE, Py_file_input);
    PyObject *range = PyObject_CallFunction((PyObject *)&PyRange_Type, "i", CALLS);
    PyObject *done = NULL;

    if (globals != NULL && code != NULL && range != NULL &&
        PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0) {
        done = PyEval_EvalCode(code, globals, globals);
    }
    if (done != NULL) {
        measure(PyDict_GetItemString(globals, "py"), range, &a->proc->cost_py_in, &a->proc->cost_py_out);
    }
    if (done != NULL && passed()) {
        measure(PyDict_GetItemString(globals, "c"), range, &a->proc->cost_c_in, &a->proc->cost_c_out);
    }
    asy_cpython_hooks_back(hooks);
    tables_forget(a);
    Py_XDECREF(done);
    Py_XDECREF(range);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    return passed();
}
