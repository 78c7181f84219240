// environ.c: take our variables out of an environment block. Allocates nothing: it runs between vfork and exec too.
#include "preload/environ.h"

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
    asy_environ_size size = {0, 0};
    bool ours = false;

    for (; env != NULL && env[size.count] != NULL; size.count++) {
        const char *value = value_of(env[size.count], "LD_PRELOAD");

        if (value != NULL && asy_environ_preload_is_ours(value)) {
            ours = true;
            size.text = strlen(env[size.count]) + 1;
        } else if (value_of(env[size.count], ASY_SESSION_NAME) != NULL) {
            ours = true;
        }
    }
    return ours ? size : (asy_environ_size){0, 0};
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
