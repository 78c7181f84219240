// module.c: the extension module assay._agent.
#include "agent/module.h"

#include "agent/dropin.h"
#include "agent/entry.h"
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

// ---- one agent a process ----

#define CAPSULE "assay._agent.abi"

// What an agent leaves in the interpreter's dict, so that another copy of it finds it.
typedef struct {
    uint32_t abi;
    PyObject *(*init)(void);
} agent_abi;

static PyObject *module_init(void);
static const agent_abi own_abi = {ASY_AGENT_ABI, module_init};

// The agent that is in this interpreter already: ours, or another copy of the file; NULL with no exception set: none.
static const agent_abi *
abi_find(PyObject *dict)
{
    PyObject *capsule = dict != NULL ? PyDict_GetItemString(dict, CAPSULE) : NULL; // borrowed
    const agent_abi *found = capsule != NULL ? PyCapsule_GetPointer(capsule, CAPSULE) : NULL;

    PyErr_Clear();
    return found;
}

// A runtime that began anew after Py_Finalize: what the one before owned has died with it.
static void
objects_forget(asy_agent *a)
{
    a->tag_type = a->link_type = a->profile_type = a->loaded_type = a->column_type = NULL;
    a->profiler_type = a->entry_type = a->subentry_type = NULL;
    a->profilers_name = NULL;
    a->profilers = 0;
    a->timed = 0;
    a->tag_var = a->name_get = a->recording_error = a->started = NULL;
    a->tag_follows = 0;
    a->renew = a->proc != NULL;
    a->tool_ready = false;
}

bool
asy_module_claim(void)
{
    PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
    const agent_abi *found = abi_find(dict);
    PyObject *capsule;

    if (!asy_cpython_is_main_interpreter()) {
        return false; // knows nothing of the agent that lives in the main one
    }
    if (found != NULL) {
        return found == &own_abi;
    }
    capsule = dict != NULL ? PyCapsule_New((void *)(uintptr_t)&own_abi, CAPSULE, NULL) : NULL;
    if (capsule != NULL && PyDict_SetItemString(dict, CAPSULE, capsule) == 0) {
        objects_forget(&asy_the_agent);
    }
    Py_XDECREF(capsule);
    PyErr_Clear();
    return true;
}

static int
module_exec(PyObject *module)
{
    if (!asy_cpython_is_main_interpreter()) {
        PyErr_SetString(PyExc_ImportError, "assay measures the main interpreter only");
        return -1;
    }
    asy_module_claim();
    if (asy_tags_init(module) != 0 || asy_profile_type_init(module) != 0 || asy_recording_type_init(module) != 0) {
        return -1;
    }
    return asy_dropin_init(module);
}

static PyModuleDef_Slot module_slots[] = {
    ASY_CPYTHON_MODULE_SLOTS{Py_mod_exec, (void *)module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "assay._agent",
    .m_doc = "The agent of assay: counts calls in this process.",
    .m_slots = module_slots,
};

static PyObject *
module_init(void)
{
    return PyModuleDef_Init(&module_def);
}

// Where another copy of this file is the process's agent already, the module is that one's.
PyMODINIT_FUNC
PyInit__agent(void)
{
    const agent_abi *found = abi_find(PyInterpreterState_GetDict(PyInterpreterState_Get()));

    if (found == NULL || found == &own_abi) {
        return module_init();
    }
    if (found->abi != ASY_AGENT_ABI) {
        return PyErr_Format(PyExc_ImportError, "another assay, of ABI %u, measures this process; this one has ABI %u",
                            (unsigned)found->abi, (unsigned)ASY_AGENT_ABI);
    }
    return found->init();
}
