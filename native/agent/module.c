// module.c: the extension module assay._agent.
#include "agent/module.h"

#include "agent/profile_type.h"
#include "agent/recording_type.h"
#include "agent/tag.h"
#include "agent/tags.h"

static bool
among(const PyMethodDef *def, const PyMethodDef *methods)
{
    while (methods->ml_name != NULL && methods != def) {
        methods++;
    }
    return methods->ml_name != NULL;
}

bool
asy_module_owns(const PyMethodDef *def)
{
    return among(def, asy_tag_methods) || among(def, asy_profile_type_methods) || among(def, asy_profile_functions);
}

static int
module_exec(PyObject *module)
{
    if (!asy_cpython_is_main_interpreter()) {
        PyErr_SetString(PyExc_ImportError, "assay measures the main interpreter only");
        return -1;
    }
    if (asy_tags_init(module) != 0 || asy_profile_type_init(module) != 0 || asy_recording_type_init(module) != 0) {
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    ASY_CPYTHON_MODULE_SLOTS
    {Py_mod_exec, (void *)module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "assay._agent",
    .m_doc = "The agent of assay: counts calls in this process.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__agent(void)
{
    return PyModuleDef_Init(&module_def);
}
