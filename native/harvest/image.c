// image.c: what is known of a process image by itself: its functions and its command line.
// A fork child begins with its parent's: it refers to it, so that nothing is read or written twice. Images are counted; one that has died
// is kept for a while, because a child may show itself only later.
#include "harvest/model.h"

#include <stdlib.h>
#include <string.h>

static asy_model_image *
find(asy_harvest *h, uint64_t serial)
{
    for (uint32_t i = 0; i < ASY_PROC_MAX; i++) {
        asy_model_image *image = h->processes[i] != NULL ? h->processes[i]->image : NULL;

        if (image != NULL && image->serial == serial) {
            return image;
        }
    }
    for (uint32_t i = 0; i < ASY_IMAGES_KEPT; i++) {
        if (h->kept[i] != NULL && h->kept[i]->serial == serial) {
            return h->kept[i];
        }
    }
    return NULL;
}

asy_status
asy_image_new(asy_harvest *h, uint64_t serial, uint64_t parent, uint64_t limit, asy_model_image **out)
{
    asy_model_image *image = calloc(1, sizeof(*image));

    if (image == NULL) {
        return ASY_ENOMEM;
    }
    image->serial = serial;
    image->limit = limit;
    image->users = 1;
    image->parent = parent != 0 && parent < serial ? find(h, parent) : NULL;
    if (image->parent != NULL) {
        image->parent->users++;
    }
    *out = image;
    return ASY_OK;
}

void
asy_image_drop(asy_model_image *image)
{
    while (image != NULL && --image->users == 0) {
        asy_model_image *parent = image->parent;

        asy_map_clear(&image->funcs);
        free(image->used);
        free(image->texts);
        free(image);
        image = parent;
    }
}

void
asy_image_keep(asy_harvest *h, asy_model_image *image)
{
    uint32_t at = h->kept_next++ % ASY_IMAGES_KEPT;

    asy_image_drop(h->kept[at]);
    h->kept[at] = image;
}

// ---- functions ----

bool
asy_image_func(const asy_model_image *image, uint32_t func, uint32_t *id)
{
    uint64_t known;

    for (; func != 0 && image != NULL; image = image->parent) {
        if (asy_map_get(&image->funcs, func, &known)) {
            *id = (uint32_t)known;
            return true;
        }
        if (func >= image->limit) {
            break;
        }
    }
    return false;
}

static asy_status
mark_used(asy_model_image *image, uint32_t id)
{
    uint32_t bytes = image->used_bytes == 0 ? 256 : image->used_bytes;
    uint8_t *used;

    while (id / 8 >= bytes) {
        bytes *= 2;
    }
    if (bytes > image->used_bytes) {
        used = realloc(image->used, bytes);
        if (used == NULL) {
            return ASY_ENOMEM;
        }
        memset(used + image->used_bytes, 0, bytes - image->used_bytes);
        image->used = used;
        image->used_bytes = bytes;
    }
    image->used[id / 8] |= (uint8_t)(1u << id % 8);
    return ASY_OK;
}

asy_status
asy_image_put(asy_model_image *image, uint32_t func, uint32_t id)
{
    asy_status st = mark_used(image, id);

    return st == ASY_OK ? asy_map_put(&image->funcs, func, id) : st;
}

bool
asy_image_uses(const asy_model_image *image, uint32_t id)
{
    return id / 8 < image->used_bytes && (image->used[id / 8] & (1u << id % 8)) != 0;
}

// ---- the command line ----

const asy_model_image *
asy_image_named(const asy_model_image *image)
{
    while (image != NULL && image->texts == NULL) {
        image = image->parent;
    }
    return image;
}

// Needs no quotes in a shell.
static bool
is_plain(asy_text t)
{
    static const char odd[] = " \t\n'\"\\$`!*?[](){}<>|&;#~";

    for (uint32_t i = 0; i < t.len; i++) {
        if (memchr(odd, t.bytes[i], sizeof(odd) - 1) != NULL) {
            return false;
        }
    }
    return t.len > 0;
}

static char *
put(char *to, const char *bytes, uint32_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static char *
put_argument(char *to, asy_text t)
{
    if (is_plain(t)) {
        return put(to, t.bytes, t.len);
    }
    *to++ = '\'';
    for (uint32_t i = 0; i < t.len; i++) {
        to = t.bytes[i] == '\'' ? put(to, "'\\''", 4) : put(to, &t.bytes[i], 1);
    }
    *to++ = '\'';
    return to;
}

// The PROCESS record: executable, cwd, arguments. The last one counts.
asy_status
asy_image_texts(asy_model_image *image, const asy_text *strings, uint32_t count)
{
    size_t room = 1;
    char *texts, *to, *command;

    if (count < 2) {
        return ASY_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        room += (size_t)strings[i].len * 4 + 3;
    }
    texts = malloc(room);
    if (texts == NULL) {
        return ASY_ENOMEM;
    }
    to = put(texts, strings[0].bytes, strings[0].len);
    to = put(to, strings[1].bytes, strings[1].len);
    command = to;
    for (uint32_t i = 2; i < count; i++) {
        to = put_argument(i == 2 ? to : put(to, " ", 1), strings[i]);
    }
    free(image->texts);
    image->texts = texts;
    image->executable = (asy_text){texts, strings[0].len};
    image->cwd = (asy_text){texts + strings[0].len, strings[1].len};
    image->command = (asy_text){command, (uint32_t)(to - command)};
    return ASY_OK;
}
