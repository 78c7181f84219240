// hide.c: clean posix.environ, whose keys and values are bytes.
#include "preload/hide.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "preload/dl.h"
#include "preload/environ.h"
#include "preload/session.h"

typedef struct object object; // PyObject: never looked into

static struct {
    object *(*modules)(void);                         // borrowed
    object *(*get_item)(object *, const char *);      // borrowed
    object *(*get_attribute)(object *, const char *); // new
    object *(*bytes)(const char *);                   // new
    int (*set_item)(object *, object *, object *);
    int (*delete_item)(object *, object *);
    void (*clear_error)(void);
    void (*release)(object *);
    bool ready;
} py;

void
asy_hide_init(void)
{
    py.modules = (object * (*)(void)) asy_dl_any("PyImport_GetModuleDict");
    py.get_item = (object * (*)(object *, const char *)) asy_dl_any("PyDict_GetItemString");
    py.get_attribute = (object * (*)(object *, const char *)) asy_dl_any("PyObject_GetAttrString");
    py.bytes = (object * (*)(const char *)) asy_dl_any("PyBytes_FromString");
    py.set_item = (int (*)(object *, object *, object *))asy_dl_any("PyDict_SetItem");
    py.delete_item = (int (*)(object *, object *))asy_dl_any("PyDict_DelItem");
    py.clear_error = (void (*)(void))asy_dl_any("PyErr_Clear");
    py.release = (void (*)(object *))asy_dl_any("Py_DecRef");
    py.ready = py.modules != NULL && py.get_item != NULL && py.get_attribute != NULL && py.bytes != NULL &&
               py.set_item != NULL && py.delete_item != NULL && py.clear_error != NULL && py.release != NULL;
}

// Put `value` back under `name`, or take the name out where value is NULL.
static void
restore(object *environ, const char *name, const char *value)
{
    object *key = py.bytes(name);
    object *old = value != NULL ? py.bytes(value) : NULL;

    if (key != NULL && old != NULL) {
        py.set_item(environ, key, old);
    } else if (key != NULL && value == NULL) {
        py.delete_item(environ, key);
    }
    py.clear_error(); // a key that is not there
    if (key != NULL) {
        py.release(key);
    }
    if (old != NULL) {
        py.release(old);
    }
}

// LD_PRELOAD as it was before us, unless the program has set it anew.
static void
restore_preload(object *environ)
{
    const char *value = getenv("LD_PRELOAD");
    char *before = value != NULL && asy_environ_preload_is_ours(value) ? malloc(strlen(value) + 1) : NULL;

    if (before != NULL) {
        restore(environ, "LD_PRELOAD", asy_environ_preload_without(value, before) ? before : NULL);
    }
    free(before);
}

void
asy_hide_session(void)
{
    object *modules = py.ready ? py.modules() : NULL;
    object *posix = modules != NULL ? py.get_item(modules, "posix") : NULL;
    object *environ = posix != NULL ? py.get_attribute(posix, "environ") : NULL;

    if (environ == NULL) {
        if (posix != NULL) {
            py.clear_error();
        }
        return;
    }
    restore(environ, ASY_SESSION_NAME, NULL);
    restore_preload(environ);
    py.release(environ);
}
