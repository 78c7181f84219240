// sessions.c: one measurement of this process begins or ends at a time.
#include "agent/sessions.h"

#include "agent/engine.h"

int
asy_sessions_init(void)
{
    asy_agent *a = &asy_the_agent;

    if (a->sessions == NULL) {
        a->sessions = PyThread_allocate_lock();
    }
    if (a->sessions == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

PyObject *
asy_sessions_raise(asy_status st)
{
    const char *why = st == ASY_EGONE    ? "measuring ended here: the process was forked, or its session is over"
                      : st == ASY_ELIMIT ? "no monitoring tool id is free"
                      : st == ASY_ENOSPC ? "the limit on the size of files (ulimit -f) leaves too little for the counts"
                      : st == ASY_EVERSION ? "this interpreter cannot be measured"
                                           : asy_status_text(st);

    if (PyErr_Occurred()) {
        return NULL; // a signal came in between
    }
    if (st == ASY_ENOMEM) {
        return PyErr_NoMemory();
    }
    return PyErr_Format(PyExc_RuntimeError, "cannot profile: %s", why);
}

bool
asy_sessions_lock(void)
{
    asy_agent *a = &asy_the_agent;
    unsigned long self = PyThread_get_thread_ident();

    if (asy_engine_forked()) {
        asy_agent_settle(); // who held it has stayed behind: it is another lock then
    }
    if (__atomic_load_n(&a->sessions_owner, __ATOMIC_RELAXED) == self) {
        PyErr_SetString(PyExc_RuntimeError, "another profile is just beginning or ending in this thread");
        return false;
    }
    if (!PyThread_acquire_lock(a->sessions, NOWAIT_LOCK)) {
        Py_BEGIN_ALLOW_THREADS PyThread_acquire_lock(a->sessions, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    __atomic_store_n(&a->sessions_owner, self, __ATOMIC_RELAXED);
    return true;
}

void
asy_sessions_unlock(void)
{
    __atomic_store_n(&asy_the_agent.sessions_owner, 0, __ATOMIC_RELAXED);
    PyThread_release_lock(asy_the_agent.sessions);
}
