// rows.h: a block's raw bytes to rows. The inner half of the reader.
#ifndef ASY_RECORD_ROWS_H
#define ASY_RECORD_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "record/reader.h"

// Hand the rows of a block to the handler. Types that are not known are passed over. *why: see asy_reader_result.
// Errors: ASY_ECORRUPT, and what the handler returns.
asy_status asy_rows_read(uint32_t type, const uint8_t *raw, size_t len, const asy_reader_handler *handler,
                         const char **why);

#endif
