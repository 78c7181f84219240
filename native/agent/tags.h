// tags.h: assay.tag(...), what it puts on the stack, and how it follows contexts.
// The tags that are open in a context are an immutable chain of links in a context variable, so that every copy of the context
// inherits them. On the stack of a thread stands what applies to it: tags opened by its own frames, and above the call that
// entered a context those that the context inherited.
#ifndef ASY_AGENT_TAGS_H
#define ASY_AGENT_TAGS_H

#include "agent/thread.h"

// Make the types and the context variable, once a process, and add `tag` to the module. -1 with an exception set.
int asy_tags_init(PyObject *module);

// The calls of something of ours are never nodes: of a tag, its methods, the functions of the module.
// Rare: asked where a callable has no id, or an end does not match the stack.
bool asy_tags_ours(PyObject *callable);

// True for callables that asy_funcs_callable does not number, so that asy_tags_call sees every call of them: ours, and those that may
// enter a context. Decided at first sight.
bool asy_tags_special(PyObject *callable);

// A call of such a callable. Ours: nothing. Else its node, and above it what the context that it enters inherited.
// `argument`: the first one (borrowed), NULL where there is none. May run Python code, and may leave an exception set.
void asy_tags_call(asy_agent_thread *t, PyObject *callable, PyObject *argument, uint64_t token);

// The running context may be another one than at the last look: what it inherited is put on the stack, what an earlier one inherited and
// still lies on top is taken off. How that is noticed: by a watcher where the interpreter has one; else by C calls that enter a context, and
// where those are not all that is seen (3.11 shows no call of a partial; C calls may not be measured at all) by a look at each event.
// May run Python code (asy_tag_ready). False: that ended the measurement, or set an exception: leave `t` alone.
bool asy_tags_context_slow(asy_agent_thread *t);

// Hot: one load and a test that fails.
static inline bool
asy_tags_context(asy_agent_thread *t)
{
    if (__builtin_expect(asy_the_agent.looks != 0, 0) && (asy_the_agent.looks & ASY_LOOK_CONTEXT) != 0 &&
        asy_cpython_context_ver() != t->context_ver) {
        return asy_tags_context_slow(t);
    }
    return true;
}

// Tags that are open in the running context, for a stack that is read in the middle.
#define ASY_TAGS_OPEN 32u
typedef struct {
    uint32_t count;
    struct {
        uint32_t func;
        bool framed; // its frame is on the stack
        uint64_t token, frame;
    } open[ASY_TAGS_OPEN]; // outermost first
} asy_tags_chain;

// The texts of these tags, before a thread's state is looked at: may run Python code, which is not measured. False with an exception set.
bool asy_tags_ready(void);
// Those whose texts are made. Runs no Python code.
void asy_tags_read(asy_agent_thread *t, asy_tags_chain *chain);
// `frame` is on the stack.
void asy_tags_claim(asy_tags_chain *chain, uint64_t frame);
// Push those that `frame` opened; with 0 those whose frame is not on the stack.
void asy_tags_inherit(asy_agent_thread *t, const asy_tags_chain *chain, uint64_t frame);

#endif
