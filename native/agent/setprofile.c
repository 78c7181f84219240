// setprofile.c: PyEval_SetProfile, where there is no sys.monitoring (3.11).
#include "agent/backend.h"

#if !ASY_CPYTHON_MONITORING

asy_status
asy_backend_open(void)
{
    return ASY_EVERSION;
}

asy_status
asy_backend_on(void)
{
    return ASY_EVERSION;
}

void
asy_backend_off(void)
{
}

void
asy_backend_forked(void)
{
}

#endif
