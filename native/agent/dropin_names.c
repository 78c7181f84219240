// dropin_names.c: names of C functions, as cProfile makes them of a method's class and of a function's module.
#include "agent/dropin_names.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 1024u
#define NAME_MAX_BYTES 4096u

// What cProfile asks for its text: the attribute of the class, if that is of a kind whose text runs no code of the program's.
static PyObject *
class_attribute_text(PyCFunctionObject *f)
{
    PyObject *found = asy_cpython_type_lookup(Py_TYPE(f->m_self), f->m_ml->ml_name);
    PyObject *text = NULL;

    if (found != NULL && (Py_TYPE(found) == &PyMethodDescr_Type || Py_TYPE(found) == &PyClassMethodDescr_Type ||
                          Py_TYPE(found) == &PyWrapperDescr_Type || Py_TYPE(found) == &PyCFunction_Type ||
                          Py_TYPE(found) == &PyFunction_Type)) {
        text = PyObject_Repr(found);
    }
    Py_XDECREF(found);
    PyErr_Clear();
    return text;
}

static PyObject *
function_text(PyCFunctionObject *f)
{
    PyObject *module = f->m_module; // borrowed, may be NULL
    PyObject *text = NULL;

    if (f->m_self != NULL && !PyModule_Check(f->m_self)) {
        text = class_attribute_text(f);
    }
    if (text == NULL && module != NULL && PyUnicode_Check(module)) {
        text = PyUnicode_FromFormat("<built-in method %U.%s>", module, f->m_ml->ml_name);
    } else if (text == NULL && module != NULL && PyModule_Check(module)) {
        const char *name = PyModule_GetName(module);
        text = name != NULL ? PyUnicode_FromFormat("<built-in method %s.%s>", name, f->m_ml->ml_name) : NULL;
        PyErr_Clear();
    }
    return text != NULL ? text : PyUnicode_FromFormat("<built-in method %s>", f->m_ml->ml_name);
}

// Owned; NULL: not shown, or no memory.
static char *
text_make(PyObject *callable)
{
    asy_cpython_raised raised = asy_cpython_raised_take();
    char buffer[NAME_MAX_BYTES + 1];
    PyObject *text = NULL;
    uint32_t len = 0;

    if (PyCFunction_Check(callable)) {
        text = function_text((PyCFunctionObject *)callable);
    } else if (Py_TYPE(callable) == &PyMethodDescr_Type) {
        text = PyObject_Repr(callable);
    }
    if (text != NULL) {
        len = asy_cpython_utf8(text, buffer, NAME_MAX_BYTES);
        Py_DECREF(text);
    }
    asy_cpython_raised_back(raised);
    buffer[len] = '\0';
    return len != 0 ? strdup(buffer) : NULL;
}

static bool
table_reserve(asy_agent *a, uint32_t func)
{
    uint32_t room = a->dropin_names.room == 0 ? TABLE_FIRST : a->dropin_names.room;
    asy_dropin_name *bigger;

    while (room <= func) {
        room *= 2;
    }
    if (room == a->dropin_names.room) {
        return true;
    }
    bigger = asy_agent_alloc(room * sizeof(*bigger), false);
    if (bigger == NULL) {
        return false;
    }
    if (a->dropin_names.at != NULL) {
        memcpy(bigger, a->dropin_names.at, a->dropin_names.room * sizeof(*bigger));
        asy_agent_release(a->dropin_names.at, a->dropin_names.room * sizeof(*bigger));
    }
    a->dropin_names.at = bigger;
    a->dropin_names.room = room;
    return true;
}

// All C classes share one definition of `__new__`; cProfile goes by definitions.
static bool
is_new(PyObject *callable)
{
    const PyCFunctionObject *f = (const PyCFunctionObject *)callable;

    return PyCFunction_Check(callable) && f->m_self != NULL && PyType_Check(f->m_self) &&
           strcmp(f->m_ml->ml_name, "__new__") == 0;
}

void
asy_dropin_names_met(uint32_t func, PyObject *callable)
{
    asy_agent *a = &asy_the_agent;
    char *text = text_make(callable);
    uint32_t same = func;

    if (text == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    if (is_new(callable)) {
        a->dropin_names.first_new = a->dropin_names.first_new != 0 ? a->dropin_names.first_new : func;
        same = a->dropin_names.first_new;
    }
    if (table_reserve(a, func) && a->dropin_names.at[func].text == NULL) {
        a->dropin_names.at[func] = (asy_dropin_name){text, same};
        text = NULL;
    }
    pthread_mutex_unlock(&a->lock);
    free(text);
}

asy_dropin_name
asy_dropin_names_find(uint32_t func)
{
    asy_agent *a = &asy_the_agent;
    asy_dropin_name found = {NULL, func};

    pthread_mutex_lock(&a->lock);
    if (func < a->dropin_names.room && a->dropin_names.at[func].text != NULL) {
        found = a->dropin_names.at[func];
    }
    pthread_mutex_unlock(&a->lock);
    return found;
}
