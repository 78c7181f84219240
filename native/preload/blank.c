// blank.c: the block of strings that a program starts with lies on the stack, below the name that AT_EXECFN points to.
#include "preload/blank.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "preload/environ.h"
#include "preload/session.h"

#define PRELOAD "LD_PRELOAD="
#define SESSION ASY_SESSION_NAME "="

static bool
is_initial(const char *text)
{
    char here = 0; // the stack grows down: what was on it before us lies above
    uintptr_t at = (uintptr_t)text;

    return at > (uintptr_t)&here && at < (uintptr_t)getauxval(AT_EXECFN);
}

// What is to be shown of an entry of ours; `out` has room for it. False: it is not ours.
static bool
shown_form(const char *entry, char *out)
{
    size_t prefix = strlen(PRELOAD);

    out[0] = '\0';
    if (strncmp(entry, SESSION, strlen(SESSION)) == 0) {
        return true;
    }
    if (strncmp(entry, PRELOAD, prefix) != 0 || !asy_environ_preload_is_ours(entry + prefix)) {
        return false;
    }
    if (asy_environ_preload_without(entry + prefix, out + prefix)) {
        memcpy(out, PRELOAD, prefix);
    }
    return true;
}

// False: without memory it stays as it is.
static bool
blank(char **entry, bool drop)
{
    size_t room = strlen(*entry) + 1;
    char *copy = malloc(room), *form = malloc(room);
    bool done = copy != NULL && form != NULL && shown_form(*entry, form);

    if (done) {
        memcpy(copy, *entry, room);
        memset(*entry, 0, room);
        memcpy(*entry, form, strlen(form));
    }
    if (done && !drop) {
        *entry = copy; // stays for the life of the process
        copy = NULL;
    }
    free(copy);
    free(form);
    return done;
}

void
asy_blank_initial(bool drop)
{
    char **to = environ;

    for (char **e = environ; e != NULL && *e != NULL; e++) {
        bool may = strncmp(*e, PRELOAD, strlen(PRELOAD)) == 0 || strncmp(*e, SESSION, strlen(SESSION)) == 0;
        bool blanked = may && is_initial(*e) && blank(e, drop);

        if (!blanked || !drop || **e != '\0') {
            *to++ = *e;
        }
    }
    if (to != NULL) {
        *to = NULL;
    }
}
