// refusals.h: Pythons that were not measured, in sentences.
#ifndef ASY_CLI_REFUSALS_H
#define ASY_CLI_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"

#define ASY_REFUSAL_TEXT 320u

// "2 more Pythons ran unprofiled: Python 3.10 is not supported (3.11 to 3.15 are): /usr/bin/python3.10"; where nothing else was measured:
// "Python 3.10 is not supported (3.11 to 3.15 are): ran unprofiled". False: the row says nothing.
bool asy_refusal_note(const asy_refusal *row, bool measured, char *text, size_t size);

#endif
