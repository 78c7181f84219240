// environ.c: our variables out of an environment block, and into one. Allocates nothing: it runs between vfork and exec too.
#include "preload/environ.h"

#include <stdint.h>
#include <string.h>

#include "preload/session.h"

static const char *own_path = "";

void
asy_environ_init(const char *library_path)
{
    own_path = library_path;
}

// The value if `entry` is "name=value", else NULL.
static const char *
value_of(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncmp(entry, name, n) == 0 && entry[n] == '=' ? entry + n + 1 : NULL;
}

bool
asy_environ_preload_without(const char *value, char *out)
{
    bool set = strcmp(value, own_path) != 0;
    size_t own = strlen(own_path);
    size_t len = 0;

    // Items end at a colon or a space; the separator before what is left out goes with it.
    while (*value != '\0') {
        size_t gap = strspn(value, ": ");
        size_t item = strcspn(value + gap, ": ");

        if (item != own || memcmp(value + gap, own_path, own) != 0) {
            memcpy(out + len, value, gap + item);
            len += gap + item;
        } else if (gap > 1) {
            memcpy(out + len, value, gap - 1);
            len += gap - 1;
        }
        value += gap + item;
    }
    out[len] = '\0';
    return set;
}

bool
asy_environ_preload_is_ours(const char *value)
{
    return own_path[0] != '\0' && strstr(value, own_path) != NULL;
}

asy_environ_size
asy_environ_measure(char *const *env)
{
    asy_environ_size size = {.text = strlen("LD_PRELOAD=") + strlen(own_path) + 1};

    for (; env != NULL && env[size.count] != NULL; size.count++) {
        const char *value = value_of(env[size.count], "LD_PRELOAD");

        if (value != NULL) {
            size.library = size.library || asy_environ_preload_is_ours(value);
            size.text += strlen(value) + 1;
        } else if (value_of(env[size.count], ASY_SESSION_NAME) != NULL) {
            size.session = true;
        }
    }
    return size;
}

void
asy_environ_strip(char *const *env, char **clean, char *text)
{
    size_t prefix = strlen("LD_PRELOAD=");
    size_t n = 0;

    for (size_t i = 0; env[i] != NULL; i++) {
        const char *value = value_of(env[i], "LD_PRELOAD");

        if (value_of(env[i], ASY_SESSION_NAME) != NULL) {
            continue;
        }
        if (value == NULL || !asy_environ_preload_is_ours(value)) {
            clean[n++] = env[i];
        } else if (asy_environ_preload_without(value, text + prefix)) {
            memcpy(text, "LD_PRELOAD=", prefix);
            clean[n++] = text;
        }
    }
    clean[n] = NULL;
}

// "LD_PRELOAD=VALUE:OURS"
static void
put_preload(char *to, const char *value)
{
    size_t prefix = strlen("LD_PRELOAD="), len = value != NULL ? strlen(value) : 0;

    memcpy(to, "LD_PRELOAD=", prefix);
    to += prefix;
    if (value != NULL) {
        memcpy(to, value, len);
        to[len] = ':';
        to += len + 1;
    }
    memcpy(to, own_path, strlen(own_path) + 1);
}

void
asy_environ_offer(char *const *env, const char *session, char **full, char *text)
{
    asy_environ_size size = asy_environ_measure(env);
    size_t n = 0;

    for (size_t i = 0; i < size.count; i++) {
        const char *value = value_of(env[i], "LD_PRELOAD");

        full[n++] = env[i];
        if (value != NULL && !size.library) {
            full[n - 1] = text;
            put_preload(text, value);
            size.library = true;
        }
    }
    if (!size.library) {
        full[n++] = text;
        put_preload(text, NULL);
    }
    if (!size.session) {
        full[n++] = (char *)(uintptr_t)session;
    }
    full[n] = NULL;
}
