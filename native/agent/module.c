// module.c: the extension module assay._agent.
#include "cpython/api.h"

#include "agent/process.h"

static PyModuleDef_Slot module_slots[] = {
    ASY_CPYTHON_MODULE_SLOTS
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
