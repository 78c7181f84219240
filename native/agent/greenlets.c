// greenlets.c: told of every switch by the greenlet package, after it has happened.
// Runs in the thread that switches, with the GIL.
#include "agent/greenlets.h"

#include <string.h>

#include "agent/tags.h"

#define TAIL "/greenlet/__init__.py"

void
asy_greenlets_file(const char *file, uint32_t len)
{
    size_t tail = sizeof(TAIL) - 1;

    if (!asy_the_agent.greenlets && len >= tail && memcmp(file + len - tail, TAIL, tail) == 0) {
        asy_the_agent.greenlets = true;
    }
}

// A greenlet that began before it was looked at: its frames, and the C call in which it switched away.
static void
stack_inherit(asy_agent_thread *t)
{
    PyFrameObject *f = PyEval_GetFrame();
    PyCodeObject *code = f != NULL ? PyFrame_GetCode(f) : NULL;

    if (code != NULL) {
        asy_thread_inherit(t, ASY_FIRST_CALLS);
        t->open_call = (uint64_t)(uintptr_t)code | 1u;
        Py_DECREF(code);
    }
}

static void
switch_to(asy_agent_thread *t, uint64_t target, uint64_t now)
{
    bool known = asy_tree_knows(&t->tree, target);

    asy_tree_switch(&t->tree, target, now);
    if (!known) {
        stack_inherit(t);
    }
}

static bool
followed(const asy_agent_thread *t)
{
    return t != NULL && t->tree.thread != NULL && t->greenlets_hooked && asy_the_agent.measuring;
}

// (event, (origin, target)), called in the target.
static PyObject *
on_switch(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    uint64_t now = asy_agent_ticks();
    asy_agent_thread *t = asy_thread_tls;

    (void)self;
    if (followed(t) && nargs == 2 && PyTuple_Check(args[1]) && PyTuple_GET_SIZE(args[1]) == 2) {
        uint64_t target = (uint64_t)(uintptr_t)PyTuple_GET_ITEM(args[1], 1);
        target = target == t->greenlet_first ? 0 : target;
        if (!asy_tree_knows(&t->tree, target) && !asy_tags_ready()) {
            return NULL;
        }
        if (followed(t)) {
            switch_to(t, target, now);
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef switch_def = {"assay_switch", (PyCFunction)(void (*)(void))on_switch, METH_FASTCALL, NULL};

// The greenlet that runs becomes context 0. False: not to be had.
static bool
first_learn(asy_agent_thread *t, PyObject *module)
{
    PyObject *now = PyObject_CallMethod(module, "getcurrent", NULL);

    t->greenlet_first = (uint64_t)(uintptr_t)now; // an address to compare with
    Py_XDECREF(now);
    return now != NULL;
}

static bool
trace_set(PyObject *module)
{
    PyObject *before = PyObject_CallMethod(module, "gettrace", NULL);
    bool ours = before != NULL && PyCFunction_Check(before) && ((PyCFunctionObject *)before)->m_ml == &switch_def;
    PyObject *hook = before == Py_None ? PyCFunction_New(&switch_def, NULL) : NULL;
    PyObject *done = hook != NULL ? PyObject_CallMethod(module, "settrace", "O", hook) : NULL;

    Py_XDECREF(before);
    Py_XDECREF(hook);
    Py_XDECREF(done);
    return done != NULL || ours;
}

// Borrowed; NULL: it is not there, or its import is still under way.
static PyObject *
package(void)
{
    PyObject *key = PyUnicode_FromString("greenlet");
    PyObject *module = key != NULL ? asy_cpython_module(key) : NULL;

    Py_XDECREF(key);
    if (module == NULL || !PyModule_Check(module) ||
        PyDict_GetItemString(PyModule_GetDict(module), "settrace") == NULL) {
        module = NULL;
    }
    PyErr_Clear();
    return module;
}

void
asy_greenlets_look(void)
{
    asy_the_agent.greenlets = asy_the_agent.greenlets || package() != NULL;
}

void
asy_greenlets_hook_slow(asy_agent_thread *t)
{
    PyObject *module = PyErr_Occurred() ? NULL : package();
    bool collects;

    if (module == NULL) {
        return;
    }
    collects = asy_cpython_gc_hold();
    t->greenlets_hooked = true;
    if (!first_learn(t, module) || !trace_set(module)) {
        asy_arena_lose(&asy_the_agent.arena, asy_the_agent.slot, ASY_LOSS_CONTEXTS, 1);
    }
    asy_cpython_gc_release(collects);
    PyErr_Clear();
}
