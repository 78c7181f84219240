// session.c: the engine is opened once; measuring begins and ends.
#include "agent/session.h"

#include <string.h>

#include "agent/backend.h"
#include "agent/calibrate.h"
#include "agent/codes.h"
#include "agent/delegates.h"
#include "agent/funcs.h"
#include "agent/greenlets.h"

static void
thread_gone(void *t)
{
    asy_thread_end(t);
}

static asy_status
names_make(asy_agent *a)
{
    if (a->name_threading == NULL) {
        a->name_threading = PyUnicode_InternFromString("threading");
        a->name_active = PyUnicode_InternFromString("_active");
        a->name_name = PyUnicode_InternFromString("_name");
    }
    a->bound_slot_type = asy_cpython_bound_slot_type();
    if (a->name_threading == NULL || a->name_active == NULL || a->name_name == NULL) {
        PyErr_Clear();
        return ASY_ENOMEM;
    }
    return ASY_OK;
}

// Slots hold function ids.
static void
slot_freed(void *func)
{
    asy_codes_gone((uint32_t)(uintptr_t)func);
}

// A code object to prove the direct read of code-extra slots with.
static asy_status
extra_open(asy_agent *a)
{
    PyCodeObject *code;

    if (!ASY_CPYTHON_CODE_SLOTS || a->extra_slot >= 0) {
        return ASY_OK;
    }
    a->extra_slot = asy_cpython_extra_request(slot_freed);
    if (a->extra_slot < 0) {
        return ASY_ELIMIT;
    }
    code = PyCode_NewEmpty("", "", 1);
    a->extra_direct = code != NULL && asy_cpython_extra_check(code, a->extra_slot);
    Py_XDECREF(code);
    PyErr_Clear();
    return a->extra_direct ? ASY_OK : ASY_EVERSION;
}

static uint64_t
costs_key(const asy_agent *a)
{
    return (a->proc->flags << 32 | a->proc->python_version) + 1;
}

// What an interpreter like this one has calibrated before in this session.
static bool
costs_take(asy_agent *a)
{
    const asy_costs *rows = a->arena.head->costs;

    for (uint32_t i = 0; i < ASY_COSTS; i++) {
        if (__atomic_load_n(&rows[i].key, __ATOMIC_ACQUIRE) == costs_key(a)) {
            memcpy(&a->proc->cost_py_in, rows[i].cost, sizeof(rows[i].cost));
            return true;
        }
    }
    return false;
}

static void
costs_give(asy_agent *a)
{
    asy_costs *rows = a->arena.head->costs;

    for (uint32_t i = 0; i < ASY_COSTS; i++) {
        uint64_t key = 0;

        if (__atomic_compare_exchange_n(&rows[i].key, &key, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            memcpy(rows[i].cost, a->costs, sizeof(rows[i].cost));
            __atomic_store_n(&rows[i].key, costs_key(a), __ATOMIC_RELEASE);
            return;
        }
        if (key == costs_key(a)) {
            return;
        }
    }
}

asy_status
asy_session_engine(int fd, uint64_t nonce)
{
    asy_agent *a = &asy_the_agent;
    asy_status st = names_make(a);

    if (st == ASY_OK) {
        st = extra_open(a);
    }
    if (st == ASY_OK && !a->thread_key_made) {
        st = pthread_key_create(&a->thread_key, thread_gone) == 0 ? ASY_OK : ASY_ELIMIT;
        a->thread_key_made = st == ASY_OK;
    }
    if (st == ASY_OK && a->proc == NULL) { // else an earlier try got that far
        st = asy_agent_open(fd, nonce);
    }
    if (st == ASY_OK) {
        st = asy_funcs_watch();
    }
    if (st == ASY_OK) {
        st = asy_backend_open();
    }
    if (st == ASY_OK) {
        a->tool_ready = costs_take(a) || asy_calibrate();
        st = a->tool_ready ? ASY_OK : ASY_EINVAL;
        memcpy(a->costs, &a->proc->cost_py_in, sizeof(a->costs));
        costs_give(a);
    }
    return st;
}

// What died with the runtime is forgotten, not released.
static void
objects_forget(asy_agent *a)
{
    a->name_threading = a->name_active = a->name_name = NULL;
    a->monitoring = NULL; // the module's own: asy_module_claim
    a->tool_id = -1;
    a->tool_name = NULL;
    a->tool_whole = false;
    a->tool_ready = false;
    a->extra_slot = -1;
    a->code_watcher = 0;
    a->greenlets = false;
}

asy_status
asy_session_renew(void)
{
    asy_agent *a = &asy_the_agent;
    asy_status st;

    __atomic_store_n(&a->measuring, 0, __ATOMIC_RELEASE);
    asy_thread_pause_all();
    objects_forget(a);
    asy_funcs_forget_addresses();
    st = names_make(a);
    if (st == ASY_OK) {
        st = extra_open(a);
    }
    if (st == ASY_OK) {
        st = asy_funcs_watch();
    }
    if (st == ASY_OK) {
        st = asy_backend_open();
    }
    a->tool_ready = st == ASY_OK;
    a->renew = !a->tool_ready;
    return st;
}

asy_status
asy_session_measure(bool on)
{
    asy_agent *a = &asy_the_agent;

    if (!on) {
        asy_backend_off();
        __atomic_store_n(&a->measuring, 0, __ATOMIC_RELEASE);
        asy_thread_pause_all();
        return ASY_OK;
    }
    asy_greenlets_look();
    a->suspend.since = asy_agent_ticks();
    asy_delegates_forget();
    __atomic_add_fetch(&a->epoch, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&a->measuring, 1, __ATOMIC_RELEASE);
    return asy_backend_on();
}
