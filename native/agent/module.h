// module.h: the extension module assay._agent.
#ifndef ASY_AGENT_MODULE_H
#define ASY_AGENT_MODULE_H

#include "cpython/api.h"

// True for methods of the module's own types and for its functions.
bool asy_module_owns(const PyMethodDef *def);

// Be the agent of this interpreter's process, found by other copies of this file that are imported. False: another copy is it.
bool asy_module_claim(void);

#endif
