// status.c: the words for the one error type.
#include "core/status.h"

const char *
asy_status_text(asy_status st)
{
    switch (st) {
    case ASY_OK: return "no error";
    case ASY_ENOMEM: return "out of memory";
    case ASY_EINVAL: return "invalid argument";
    case ASY_ECORRUPT: return "damaged data";
    case ASY_EVERSION: return "unsupported version";
    case ASY_EIO: return "input/output error";
    case ASY_ENOSPC: return "no space left";
    case ASY_EPERM: return "not permitted";
    case ASY_ENOENT: return "not found";
    case ASY_EGONE: return "process has exited";
    case ASY_ELIMIT: return "limit reached";
    }
    return "unknown error";
}
