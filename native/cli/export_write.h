// export_write.h: a profile's view to the bytes of a format.
#ifndef ASY_CLI_EXPORT_WRITE_H
#define ASY_CLI_EXPORT_WRITE_H

#include "report/report.h"
#include "report/words.h"

typedef enum { ASY_TO_PSTATS, ASY_TO_CALLGRIND, ASY_TO_COLLAPSED, ASY_TO_SPEEDSCOPE, ASY_TO_JSON } asy_export_format;

// Write what `r` selects. *error: errno of a failed write. *problem (the caller frees): a sentence about the selection, ASY_EINVAL.
// `remarks` gets what is missing or uncertain in it, where the format has no place for that.
// Errors: ASY_ENOMEM, ASY_EIO, ASY_ENOSPC, ASY_EINVAL.
asy_status asy_export_write(const asy_profile *p, const asy_report *r, asy_export_format to, int fd, int *error,
                            char **problem, asy_words *remarks);

#endif
