// wrap.c: wrapping is Python's work (assay._wrap): wrapped functions stay functions.
#include "agent/wrap.h"

PyObject *
asy_wrap_call(PyObject *manager, PyObject *args, PyObject *names, const char *what)
{
    PyObject *wrap, *wrapped;

    if ((names != NULL && PyDict_GET_SIZE(names) != 0) || PyTuple_GET_SIZE(args) != 1) {
        return PyErr_Format(PyExc_TypeError, "%s is called with a function, to decorate it", what);
    }
    wrap = PyImport_ImportModule("assay._wrap");
    wrapped = wrap != NULL ? PyObject_CallMethod(wrap, "within", "OO", manager, PyTuple_GET_ITEM(args, 0)) : NULL;
    Py_XDECREF(wrap);
    return wrapped;
}
