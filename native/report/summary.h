// summary.h: what a run says about itself at its end: the answer first, at most 25 lines with a table of ASY_SUMMARY_ROWS.
#ifndef ASY_REPORT_SUMMARY_H
#define ASY_REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "record/profile.h"
#include "report/out.h"

#define ASY_SUMMARY_ROWS 8u

// Write the summary to `fd` (borrowed). `recording_path` is shown as given, with the commands for more; NULL or "" = none was kept.
// `width` is in columns and is brought into 80 … 200. `color` allows escape sequences.
// Errors: ASY_ENOMEM, ASY_EIO, ASY_ENOSPC. Whatever the profile holds, nothing but text reaches `fd`.
asy_status asy_summary_print(const asy_profile *p, const char *recording_path, int fd, int width, bool color);

// The same to `o`, with a table of at most `rows` rows; 0 = all. Errors: ASY_ENOMEM; failures to write stick in `o`.
asy_status asy_summary_page(const asy_profile *p, const char *recording_path, uint32_t rows, asy_out *o);

#endif
