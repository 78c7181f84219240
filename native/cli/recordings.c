// recordings.c: find recordings in a directory, newest first, and load one.
#include "cli/recordings.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/say.h"
#include "record/pstats.h"

typedef struct {
    char *path; // owned
    struct timespec changed;
} found;

static int
newer_first(const void *x, const void *y)
{
    const found *a = x, *b = y;

    if (a->changed.tv_sec != b->changed.tv_sec) {
        return a->changed.tv_sec < b->changed.tv_sec ? 1 : -1;
    }
    if (a->changed.tv_nsec != b->changed.tv_nsec) {
        return a->changed.tv_nsec < b->changed.tv_nsec ? 1 : -1;
    }
    return strcmp(a->path, b->path);
}

// The files here, newest first. Returns how many; the caller frees the list and its paths.
static size_t
find_all(found **list)
{
    glob_t matches = {0};
    size_t n = 0;

    *list = NULL;
    if (glob("*.assay", 0, NULL, &matches) == 0) {
        *list = calloc(matches.gl_pathc, sizeof **list);
        for (size_t i = 0; *list != NULL && i < matches.gl_pathc; i++) {
            struct stat s;
            char *path = stat(matches.gl_pathv[i], &s) == 0 && S_ISREG(s.st_mode) ? strdup(matches.gl_pathv[i]) : NULL;

            if (path != NULL) {
                (*list)[n++] = (found){path, s.st_mtim};
            }
        }
    }
    globfree(&matches);
    if (n > 0) {
        qsort(*list, n, sizeof **list, newer_first);
    }
    return n;
}

// *why is a phrase of static storage. `is_pstats`: it is to be read as a pstats file.
static asy_status
load(const char *path, asy_profile **p, bool is_pstats, const char **why)
{
    struct stat s;
    asy_status st = ASY_EIO;

    *p = NULL;
    *why = "it is a directory";
    if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode)) {
        st = is_pstats ? asy_pstats_load_file(path, p, why) : asy_profile_load_file(path, p, why);
        *why = *why == NULL ? asy_status_text(st) : *why;
    }
    return st;
}

static const char *
shown(const char *path)
{
    return path[0] == '\0' ? "''" : path;
}

static int
open_named(const char *named, asy_profile **p, char **path, asy_words *said)
{
    const char *why;
    bool is_pstats = asy_pstats_looks_like(named);
    asy_status st = load(named, p, is_pstats, &why);

    if (st == ASY_OK) {
        *path = strdup(named);
    } else if (st == ASY_ENOENT) {
        asy_words_add(said, "%s does not exist", shown(named));
    } else if (is_pstats && (st == ASY_ECORRUPT || st == ASY_EVERSION)) {
        asy_words_add(said, "%s is not a pstats file: %s", shown(named), why);
    } else {
        asy_words_add(said, "%s cannot be read: %s", shown(named), why);
    }
    return st == ASY_OK ? 0 : ASY_EXIT_REFUSED;
}

// The newest one's sentence stands for all.
static void
say_none(const found *list, size_t count, const char *newest_why, asy_words *said)
{
    asy_words_clear(said);
    if (count == 0) {
        asy_words_add(said, "no recording (*.assay) here; assay run makes one");
    } else if (count == 1) {
        asy_words_add(said, "%s, the only recording here, cannot be read: %s", list[0].path, newest_why);
    } else {
        asy_words_add(said, "none of the %zu recordings here can be read; the newest, %s: %s", count, list[0].path,
                      newest_why);
    }
}

static int
open_newest(asy_profile **p, char **path, asy_words *said)
{
    found *list;
    size_t count = find_all(&list);
    char newest_why[200] = "";

    for (size_t i = 0; i < count && *p == NULL; i++) {
        const char *why;
        asy_status st = load(list[i].path, p, false, &why);

        if (st == ASY_OK && !(*p)->complete && (*p)->process_count == 0) {
            asy_profile_free(*p);
            *p = NULL;
            st = ASY_ECORRUPT;
            why = "it breaks off before anything was measured";
        }
        if (st == ASY_OK) {
            *path = list[i].path; // moved
            list[i].path = NULL;
            break;
        }
        asy_words_add(said, "skipped %s: %s", list[i].path, why);
        if (i == 0) {
            snprintf(newest_why, sizeof newest_why, "%s", why);
        }
    }
    if (*p == NULL) {
        say_none(list, count, newest_why, said);
    }
    for (size_t i = 0; i < count; i++) {
        free(list[i].path);
    }
    free(list);
    return *p != NULL ? 0 : ASY_EXIT_REFUSED;
}

int
asy_recordings_open(const char *named, asy_profile **p, char **path, asy_words *said)
{
    *p = NULL;
    *path = NULL;
    return named != NULL ? open_named(named, p, path, said) : open_newest(p, path, said);
}
