// dropin_stats.c: from rows to the entries of getstats().
#include "agent/dropin.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codes.h"
#include "agent/dropin_entries.h"
#include "agent/dropin_names.h"

// ---- code objects ----

static uint32_t
codes_slot(const asy_dropin_codes *c, uint32_t func)
{
    uint32_t i = func * 0x9E3779B9u & c->mask;

    while (c->funcs[i] != 0 && c->funcs[i] != func) {
        i = (i + 1) & c->mask;
    }
    return i;
}

static bool
codes_grow(asy_dropin_codes *c)
{
    uint32_t size = c->funcs == NULL ? 64 : (c->mask + 1) * 2;
    asy_dropin_codes bigger = {calloc(size, sizeof(*bigger.funcs)), calloc(size, sizeof(*bigger.codes)), size - 1,
                               c->used};

    if (c->funcs != NULL && c->used < c->mask / 2) {
        free(bigger.funcs);
        free(bigger.codes);
        return true;
    }
    if (bigger.funcs == NULL || bigger.codes == NULL) {
        free(bigger.funcs);
        free(bigger.codes);
        return false;
    }
    for (uint32_t i = 0; c->funcs != NULL && i <= c->mask; i++) {
        if (c->funcs[i] != 0) {
            uint32_t slot = codes_slot(&bigger, c->funcs[i]);
            bigger.funcs[slot] = c->funcs[i];
            bigger.codes[slot] = c->codes[i];
        }
    }
    free(c->funcs);
    free(c->codes);
    *c = bigger;
    return true;
}

// Borrowed; NULL with an exception set.
static PyObject *
codes_keep(asy_dropin_codes *c, uint32_t func)
{
    PyObject *code;
    uint32_t slot;

    if (!codes_grow(c)) {
        return PyErr_NoMemory();
    }
    slot = codes_slot(c, func);
    if (c->funcs[slot] == 0) {
        code = asy_codes_get(func);
        if (code == NULL) {
            return NULL;
        }
        c->funcs[slot] = func;
        c->codes[slot] = code;
        c->used++;
    }
    return c->codes[slot];
}

static void
codes_clear(asy_dropin_codes *c)
{
    asy_dropin_codes old = *c;

    *c = (asy_dropin_codes){0};
    for (uint32_t i = 0; old.funcs != NULL && i <= old.mask; i++) {
        Py_XDECREF(old.codes[i]);
    }
    free(old.funcs);
    free(old.codes);
}

// ---- the sum ----

// Calls of C functions are nobody's but their callers'.
static void
fold_builtins(asy_window_row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        if ((row->nodes[i].kind & 0xffu) == ASY_NODE_C) {
            row->nodes[i].kind = (row->nodes[i].kind & ~0xffu) | ASY_NODE_OBJECT;
        }
    }
}

static bool
keep_codes(asy_profiler *p, const asy_window_row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        const asy_window_node *n = &row->nodes[i];
        if (n->kind == ASY_NODE_PY && codes_keep(&p->codes, n->func) == NULL) {
            return false;
        }
    }
    return true;
}

bool
asy_dropin_add(asy_profiler *p, asy_window_row *row, bool builtins)
{
    bool done;

    if (!builtins) {
        fold_builtins(row);
    }
    if (!keep_codes(p, row)) {
        asy_window_row_free(row);
        return false;
    }
    if (p->sum == NULL && asy_window_row_merge(row, NULL)) {
        p->sum = row;
        return true;
    }
    done = p->sum != NULL && asy_window_row_merge(p->sum, row);
    asy_window_row_free(row);
    if (!done) {
        PyErr_NoMemory();
    }
    return done;
}

void
asy_dropin_clear(asy_profiler *p)
{
    if (p->sum != NULL) {
        asy_window_row_free(p->sum);
        p->sum = NULL;
    }
    codes_clear(&p->codes);
}

// ---- entries ----

static uint32_t
shown(uint32_t func)
{
    asy_dropin_name name = asy_dropin_names_find(func);

    return name.text != NULL ? name.same : 0;
}

// New: the code object, or the name of a C function.
static PyObject *
subject(asy_profiler *p, const asy_dropin_entry *e)
{
    if (e->kind == ASY_NODE_PY) {
        return Py_XNewRef(codes_keep(&p->codes, e->func));
    }
    return PyUnicode_FromString(asy_dropin_names_find(e->func).text);
}

static double
factor(const asy_profiler *p)
{
    asy_agent *a = &asy_the_agent;
    asy_clock_pair now;

    if (p->timed != NULL) {
        return asy_timed_factor(p->timed);
    }
    now = asy_clock_take_pair(a->clock);
    return (double)(now.ns - a->begin.ns) / (double)(now.ticks - a->begin.ticks) * 1e-9;
}

// A structseq of the counts; takes `code` and `calls` (NULL: it has no such field).
static PyObject *
counts_object(PyTypeObject *type, PyObject *code, const asy_dropin_counts *n, double unit, PyObject *calls)
{
    PyObject *o = PyStructSequence_New(type);
    PyObject *fields[] = {code,
                          PyLong_FromUnsignedLongLong(n->calls),
                          PyLong_FromUnsignedLongLong(n->recursive),
                          PyFloat_FromDouble((double)n->total * unit),
                          PyFloat_FromDouble((double)n->self * unit),
                          calls};
    Py_ssize_t count = calls != NULL ? 6 : 5;
    bool whole = o != NULL;

    for (Py_ssize_t i = 0; i < count; i++) {
        whole = whole && fields[i] != NULL;
        if (o != NULL) {
            PyStructSequence_SetItem(o, i, fields[i]);
        } else {
            Py_XDECREF(fields[i]);
        }
    }
    if (!whole) {
        Py_CLEAR(o);
    }
    return o;
}

// The list of an entry's subentries, new; None where there is none.
static PyObject *
pairs_list(const asy_dropin_table *table, const asy_dropin_entry *e, PyObject *const *subjects, double unit)
{
    PyObject *list = e->first != UINT32_MAX ? PyList_New(0) : Py_NewRef(Py_None);

    for (uint32_t i = e->first; list != NULL && i != UINT32_MAX; i = table->pairs[i].next) {
        const asy_dropin_pair *pair = &table->pairs[i];
        PyObject *one = pair->n.calls != 0 ? counts_object(asy_the_agent.subentry_type,
                                                           Py_NewRef(subjects[pair->callee]), &pair->n, unit, NULL)
                                           : Py_NewRef(Py_None);

        if (one == NULL || (one != Py_None && PyList_Append(list, one) != 0)) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *
entries_list(asy_profiler *p, const asy_dropin_table *table)
{
    PyObject **subjects = calloc((size_t)table->entry_count + 1, sizeof(*subjects));
    PyObject *list;
    double unit = factor(p);

    if (subjects == NULL) {
        return PyErr_NoMemory();
    }
    list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < table->entry_count; i++) {
        subjects[i] = subject(p, &table->entries[i]);
        if (subjects[i] == NULL) {
            Py_CLEAR(list);
        }
    }
    for (uint32_t i = 0; list != NULL && i < table->entry_count; i++) {
        const asy_dropin_entry *e = &table->entries[i];
        PyObject *one = NULL, *calls;

        if (e->n.calls == 0) {
            continue; // none has ended yet
        }
        calls = p->subcalls ? pairs_list(table, e, subjects, unit) : Py_NewRef(Py_None);
        if (calls != NULL) {
            one = counts_object(asy_the_agent.entry_type, Py_NewRef(subjects[i]), &e->n, unit, calls);
        }
        if (one == NULL || PyList_Append(list, one) != 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    for (uint32_t i = 0; i < table->entry_count; i++) {
        Py_XDECREF(subjects[i]);
    }
    free(subjects);
    return list;
}

// What was counted up to now, in one row that is the caller's; NULL with an exception set, or where nothing was (*nothing).
static asy_window_row *
row_now(asy_profiler *p, bool *nothing)
{
    asy_window_row *all = p->sum != NULL ? asy_window_row_copy(p->sum) : NULL, *rows = NULL;
    bool whole = p->sum == NULL || all != NULL;

    *nothing = false;
    if (whole && p->timed != NULL) {
        rows = asy_timed_row(p->timed, false);
        whole = rows != NULL;
    } else if (whole && p->window != NULL) {
        whole = asy_window_look(p->window, &rows);
    }
    while (whole && rows != NULL) {
        asy_window_row *row = rows;

        rows = row->next;
        if (!p->builtins) {
            fold_builtins(row);
        }
        whole = asy_window_row_merge(all != NULL ? all : row, all != NULL ? row : NULL);
        if (all == NULL) {
            all = row;
        } else {
            asy_window_row_free(row);
        }
    }
    asy_window_rows_free(rows);
    if (!whole) {
        if (all != NULL) {
            asy_window_row_free(all);
        }
        PyErr_NoMemory();
        return NULL;
    }
    *nothing = all == NULL;
    return all;
}

PyObject *
asy_dropin_stats(asy_profiler *p)
{
    asy_dropin_table table;
    PyObject *list;
    asy_status st;
    bool nothing;
    asy_window_row *row = row_now(p, &nothing);

    if (row == NULL) {
        return nothing ? PyList_New(0) : NULL;
    }
    st = asy_dropin_entries_make(row, shown, p->window != NULL, &table);
    asy_window_row_free(row);
    if (st != ASY_OK) {
        return PyErr_NoMemory();
    }
    list = entries_list(p, &table);
    asy_dropin_table_free(&table);
    return list;
}

// ---- types ----

static PyStructSequence_Field entry_fields[] = {
    {"code", "code object or built-in function name"},
    {"callcount", "how many times this was called"},
    {"reccallcount", "how many times called recursively"},
    {"totaltime", "total time in this entry"},
    {"inlinetime", "inline time in this entry (not in subcalls)"},
    {"calls", "details of the calls"},
    {NULL, NULL},
};

static PyStructSequence_Field subentry_fields[] = {
    {"code", "called code object or built-in function name"},      {"callcount", "how many times this is called"},
    {"reccallcount", "how many times this is called recursively"}, {"totaltime", "total time spent in this call"},
    {"inlinetime", "inline time (not in further subcalls)"},       {NULL, NULL},
};

static PyStructSequence_Desc entry_desc = {"_lsprof.profiler_entry", NULL, entry_fields, 6};
static PyStructSequence_Desc subentry_desc = {"_lsprof.profiler_subentry", NULL, subentry_fields, 5};

int
asy_dropin_stats_init(PyObject *module)
{
    asy_agent *a = &asy_the_agent;

    if (a->entry_type == NULL) {
        a->entry_type = PyStructSequence_NewType(&entry_desc);
    }
    if (a->subentry_type == NULL) {
        a->subentry_type = PyStructSequence_NewType(&subentry_desc);
    }
    if (a->entry_type == NULL || a->subentry_type == NULL ||
        PyModule_AddObjectRef(module, "profiler_entry", (PyObject *)a->entry_type) != 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "profiler_subentry", (PyObject *)a->subentry_type);
}
