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
    struct asy_tag_link *links;    // its activations, borrowed, in no order; asy_tag_links_lock
} asy_tag;

// One activation of a tag in a context. Immutable but for `ended`: it ended in another context than it began in, and no chain heeds it any
// more.
typedef struct asy_tag_link {
    PyObject_HEAD struct asy_tag_link *parent; // owned; NULL: the outermost
    asy_tag *tag;                              // owned
    PyObject *owner;                           // owned weak reference to the context that it was opened in
    uint64_t token;                            // on stacks
    uint64_t frame;                            // that opened it
    uint64_t epoch;                            // asy_agent.epoch then
    struct asy_tag_link *next, **previous;     // in tag->links
    uint32_t length;                           // of the chain below, this one included, at most
    uint32_t check;                            // atomic; the length at which to look for ended ones
    bool ended;                                // atomic
} asy_tag_link;

#define ASY_TAG_CHECK 64u // chains that are shorter are not looked through

// Types, once a process. -1 with an exception set.
int asy_tag_types(void);

// With all fields but parent and tag empty. New; NULL with MemoryError set.
asy_tag_link *asy_tag_link_new(asy_tag_link *parent, asy_tag *tag);

// Make the texts of the labels, unless they are there: calls str() of the values, which may run anything. Exceptions become a text;
// false: one that is no Exception (KeyboardInterrupt) is set.
bool asy_tag_ready(asy_tag *tag);

// The id of the labels. 0: there are none, their texts are not made, or no memory. Runs no Python code.
uint32_t asy_tag_func(asy_agent_thread *t, asy_tag *tag);

// The labels of a tag as texts, in `room` of ASY_SCRATCH_BYTES: key, value, … Each may have what is left, evenly. `parts` has room for
// ASY_SYMBOL_STRINGS. How many; 0: as for asy_tag_func. Runs no Python code.
uint32_t asy_tag_labels(const asy_tag *tag, char *room, asy_text *parts);

// Contexts that have it do not heed it any more. False: it is on the stack of some thread.
bool asy_tag_release(asy_tag *tag);

extern PyMethodDef asy_tag_methods[];

// Lists of activations: nothing that runs Python code, or gives up the thread, while it is held. With the GIL that is the lock.
#if ASY_CPYTHON_FREETHREADED
void asy_tag_links_lock(void);
void asy_tag_links_unlock(void);
#else
static inline void
asy_tag_links_lock(void)
{
}
static inline void
asy_tag_links_unlock(void)
{
}
#endif

static inline bool
asy_tag_link_ended(const asy_tag_link *l)
{
    return __atomic_load_n(&l->ended, __ATOMIC_RELAXED);
}

// tags.c. False with an exception set.
bool asy_tags_enter(asy_tag *tag);
bool asy_tags_exit(asy_tag *tag);

#endif
