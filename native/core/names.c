// names.c: one name for threads that differ in a number.
#include "core/names.h"

#include <stdbool.h>
#include <string.h>

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Where the function in parentheses begins, or the end.
static uint32_t
function_at(const char *name, uint32_t len)
{
    for (uint32_t i = 1; len > 0 && name[len - 1] == ')' && i + 1 < len; i++) {
        if (name[i] == ' ' && name[i + 1] == '(') {
            return i;
        }
    }
    return len;
}

uint32_t
asy_names_merged(const char *name, uint32_t len, char *out)
{
    uint32_t head = function_at(name, len), used = 0;
    bool after_digit = false;

    for (uint32_t i = 0; i < head; i++) {
        bool digit = is_digit(name[i]);

        if (!digit || !after_digit) {
            out[used++] = digit ? '*' : name[i];
        }
        after_digit = digit;
    }
    memmove(out + used, name + head, len - head);
    return used + len - head;
}
