// environ.h: our two variables in an environment block.
// LD_PRELOAD holds our library last, after the user's own; ASSAY_SESSION is ours alone.
#ifndef ASY_PRELOAD_ENVIRON_H
#define ASY_PRELOAD_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t count;          // entries of the block
    size_t text;           // room for LD_PRELOAD without us, or with us
    bool library, session; // ours are in it
} asy_environ_size;

// Once: the path by which we were loaded, borrowed for good.
void asy_environ_init(const char *library_path);

asy_environ_size asy_environ_measure(char *const *env);

// `clean` (count + 1 entries) becomes `env` without us; `text` (room as measured) holds the user's LD_PRELOAD if there is one.
void asy_environ_strip(char *const *env, char **clean, char *text);

// `full` (count + 3 entries) becomes `env` with us: our library last in LD_PRELOAD, which `text` has room for, and `session`
// ("ASSAY_SESSION=…", borrowed) unless there is one already.
void asy_environ_offer(char *const *env, const char *session, char **full, char *text);

// Our library is in this value of LD_PRELOAD.
bool asy_environ_preload_is_ours(const char *value);

// A value of LD_PRELOAD without our library; `out` has room for strlen(value) + 1. False: it was ours alone, and not set before us (an
// empty one is ":OURS").
bool asy_environ_preload_without(const char *value, char *out);

#endif
