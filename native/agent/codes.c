// codes.c: code objects by function number.
// Without the GIL a borrowed one might be dying in another thread while it is taken: there only what is met while somebody holds is kept.
#include "agent/codes.h"

#include <stdlib.h>
#include <string.h>

#include "agent/log.h"

#define TABLE_FIRST 4096u

static bool
table_reserve(asy_agent *a, uint32_t func)
{
    uint32_t room = a->code_objects.room == 0 ? TABLE_FIRST : a->code_objects.room;
    PyObject **bigger;

    while (room <= func) {
        room *= 2;
    }
    if (room == a->code_objects.room) {
        return true;
    }
    bigger = asy_agent_alloc(room * sizeof(*bigger), false);
    if (bigger == NULL) {
        return false;
    }
    if (a->code_objects.at != NULL) {
        memcpy(bigger, a->code_objects.at, a->code_objects.room * sizeof(*bigger));
        asy_agent_release(a->code_objects.at, a->code_objects.room * sizeof(*bigger));
    }
    a->code_objects.at = bigger;
    a->code_objects.room = room;
    return true;
}

void
asy_codes_met(uint32_t func, PyCodeObject *code)
{
    asy_agent *a = &asy_the_agent;
    bool held = a->code_objects.holds != 0;

    if (func == 0 || (ASY_CPYTHON_FREETHREADED && !held) || !table_reserve(a, func) ||
        a->code_objects.at[func] != NULL) {
        return;
    }
    a->code_objects.at[func] = (PyObject *)code;
    a->code_objects.end = func >= a->code_objects.end ? func + 1 : a->code_objects.end;
    if (held) {
        Py_INCREF(code);
    }
}

void
asy_codes_gone(uint32_t func)
{
    asy_agent *a = &asy_the_agent;

    if (a->alive == NULL || (!asy_agent_here() && !asy_agent_settle())) {
        return; // a fork child: whoever held the lock at the fork is not here
    }
    pthread_mutex_lock(&a->lock);
    if (func != 0 && func < a->code_objects.room &&
        a->code_objects.holds == 0) { // else it was another one of that number
        a->code_objects.at[func] = NULL;
    }
    pthread_mutex_unlock(&a->lock);
}

void
asy_codes_forget(void)
{
    asy_agent *a = &asy_the_agent;

    if (a->code_objects.at != NULL) {
        memset(a->code_objects.at, 0, a->code_objects.room * sizeof(*a->code_objects.at));
    }
    a->code_objects.holds = 0;
}

void
asy_codes_hold(void)
{
    asy_agent *a = &asy_the_agent;

    pthread_mutex_lock(&a->lock);
    if (a->code_objects.holds++ == 0) {
        for (uint32_t i = 0; i < a->code_objects.end; i++) {
            Py_XINCREF(a->code_objects.at[i]);
        }
    }
    pthread_mutex_unlock(&a->lock);
}

// All that are held, in a list of their own: what dies asks for the lock. NULL where there is no memory: they live for ever then.
static PyObject **
held_take(asy_agent *a)
{
    PyObject **held = malloc((a->code_objects.end + 1) * sizeof(*held));
    size_t count = 0;

    for (uint32_t i = 0; held != NULL && i < a->code_objects.end; i++) {
        if (a->code_objects.at[i] != NULL) {
            held[count++] = a->code_objects.at[i];
        }
    }
    if (held != NULL) {
        held[count] = NULL;
    }
    if (ASY_CPYTHON_FREETHREADED && a->code_objects.room != 0) {
        memset(a->code_objects.at, 0, a->code_objects.room * sizeof(*a->code_objects.at));
    }
    return held;
}

void
asy_codes_release(void)
{
    asy_agent *a = &asy_the_agent;
    PyObject **held = NULL;

    pthread_mutex_lock(&a->lock);
    if (a->code_objects.holds != 0 && --a->code_objects.holds == 0) {
        held = held_take(a);
    }
    pthread_mutex_unlock(&a->lock);
    for (size_t i = 0; held != NULL && held[i] != NULL; i++) {
        Py_DECREF(held[i]);
    }
    free(held);
}

static PyObject *
text_of(const asy_text *text)
{
    return PyUnicode_DecodeUTF8(text->bytes, text->len, "surrogatepass");
}

// A code object that has never run, by the record in the log.
static PyObject *
stand_in(uint32_t func)
{
    const asy_symbol *record = asy_log_find(func);
    asy_text texts[ASY_SYMBOL_STRINGS] = {{"", 0}, {"?", 1}, {"", 0}};
    asy_symbol head = {.line = 0};
    PyObject *empty = (PyObject *)PyCode_NewEmpty("", "", 1), *replace = NULL, *named = NULL, *code = NULL;

    if (record != NULL) {
        asy_symbol_read(record, record->bytes, &head, texts);
    }
    if (empty != NULL) {
        replace = PyObject_GetAttrString(empty, "replace");
        named = Py_BuildValue("{s:N,s:N,s:N,s:I}", "co_qualname", text_of(&texts[0]), "co_name", text_of(&texts[1]),
                              "co_filename", text_of(&texts[2]), "co_firstlineno", head.line);
    }
    if (replace != NULL && named != NULL) {
        PyObject *none = PyTuple_New(0);
        code = none != NULL ? PyObject_Call(replace, none, named) : NULL;
        Py_XDECREF(none);
    }
    Py_XDECREF(named);
    Py_XDECREF(replace);
    Py_XDECREF(empty);
    return code;
}

PyObject *
asy_codes_get(uint32_t func)
{
    asy_agent *a = &asy_the_agent;
    PyObject *code = NULL;

    pthread_mutex_lock(&a->lock);
    if (func < a->code_objects.room) {
        code = Py_XNewRef(a->code_objects.at[func]);
    }
    pthread_mutex_unlock(&a->lock);
    return code != NULL ? code : stand_in(func);
}
