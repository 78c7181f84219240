// tag.h: the Python type assay.tag and the links of its chains.
#ifndef ASY_AGENT_TAG_H
#define ASY_AGENT_TAG_H

#include "agent/thread.h"

// Immutable but for `texts` and `func`, which are made once, when they are first needed: threads that race make the same.
typedef struct {
    PyObject_HEAD PyObject *names; // tuple of str, owned; NULL: no labels
    PyObject *values;              // tuple, as long, owned
    PyObject *texts;               // atomic; tuple of str: key, value, … sorted by key; owned, NULL until it is made
    uint32_t func;                 // atomic; 0 until it is made
} asy_tag;

// One activation of a tag in a context. Immutable.
typedef struct asy_tag_link {
    PyObject_HEAD struct asy_tag_link *parent; // owned; NULL: the outermost
    asy_tag *tag;                              // owned
    PyObject *owner;                           // owned weak reference to the context that it was opened in
    uint64_t token;                            // on stacks
    uint64_t frame;                            // that opened it
    uint64_t epoch;                            // asy_agent.epoch then
} asy_tag_link;

// Types, once a process. -1 with an exception set.
int asy_tag_types(void);

// With all fields but parent and tag empty. New; NULL with MemoryError set.
asy_tag_link *asy_tag_link_new(asy_tag_link *parent, asy_tag *tag);

// The id of the labels. 0: there are none, or no memory. May call str() of the values, whose exceptions become a text; one
// that is no Exception (KeyboardInterrupt) stays set, and the id is 0.
uint32_t asy_tag_func(asy_agent_thread *t, asy_tag *tag);

extern PyMethodDef asy_tag_methods[];

// tags.c. False with an exception set.
bool asy_tags_enter(asy_tag *tag);
bool asy_tags_exit(asy_tag *tag);

#endif
