// refusals.c: rows of the arena's head, which anybody may have written to, as sentences.
#include "cli/refusals.h"

#include <stdio.h>
#include <string.h>

#include "core/status.h"

#define OLDEST_MINOR 11
#define NEWEST_MINOR 15

static bool
is_supported(unsigned major, unsigned minor)
{
    return major == 3 && minor >= OLDEST_MINOR && minor <= NEWEST_MINOR;
}

static void
version_text(unsigned major, unsigned minor, const char *threaded, char *text, size_t size)
{
    if (is_supported(major, minor)) {
        snprintf(text, size, "this assay was not built for Python %u.%u%s", major, minor, threaded);
    } else {
        snprintf(text, size, "Python %u.%u is not supported (3.%d to 3.%d are)", major, minor, OLDEST_MINOR,
                 NEWEST_MINOR);
    }
}

static void
reason_text(uint64_t key, char *text, size_t size)
{
    static const char *const reasons[ASY_REFUSED_KINDS] = {
        [ASY_REFUSED_MACHINE] = "made for another kind of machine, or for 32 bits",
        [ASY_REFUSED_STATIC] = "linked statically",
        [ASY_REFUSED_LOADER] = "made for another C library",
        [ASY_REFUSED_SANITIZER] = "built with AddressSanitizer",
        [ASY_REFUSED_PRIVILEGES] = "set-user-ID or set-group-ID",
        [ASY_REFUSED_HIDDEN] = "where it runs our files cannot be seen (chroot)",
        [ASY_REFUSED_OTHER] = "no CPython",
        [ASY_REFUSED_USER] = "run as another user",
    };
    unsigned major = (unsigned)(key >> 56) & 255, minor = (unsigned)(key >> 48) & 255;
    const char *threaded = (key >> 32 & ASY_REFUSED_THREADED) != 0 ? "t" : "";
    uint64_t why = key & 255;

    if (why == ASY_REFUSED_VERSION) {
        version_text(major, minor, threaded, text, size);
    } else if (why == ASY_REFUSED_START) {
        snprintf(text, size, "the agent could not begin (%s)", asy_status_text((asy_status)(key >> 8 & 255)));
    } else if (why == ASY_REFUSED_LOAD) {
        snprintf(text, size, "the agent for Python %u.%u%s does not load", major, minor, threaded);
    } else {
        snprintf(text, size, "%s", why < ASY_REFUSED_KINDS && reasons[why] != NULL ? reasons[why] : "?");
    }
}

bool
asy_refusal_note(const asy_refusal *row, bool measured, char *text, size_t size)
{
    uint64_t key = __atomic_load_n(&row->key, __ATOMIC_RELAXED), count = __atomic_load_n(&row->count, __ATOMIC_ACQUIRE);
    uint64_t len = __atomic_load_n(&row->name_bytes, __ATOMIC_ACQUIRE);
    char why[128], name[ASY_REFUSAL_NAME];

    if (key == 0 || count == 0) {
        return false;
    }
    len = len < sizeof name ? len : sizeof name;
    memcpy(name, row->name, len);
    reason_text(key, why, sizeof why);
    if (!measured) {
        snprintf(text, size, "%s: ran unprofiled", why);
    } else {
        snprintf(text, size, "%llu more Python%s ran unprofiled: %s%s%.*s", (unsigned long long)count,
                 count > 1 ? "s" : "", why, len > 0 ? ": " : "", (int)len, name);
    }
    return true;
}
