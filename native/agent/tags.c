// tags.c: the chain of open tags in its context variable, and the stack.
// Links are immutable and shared by contexts; a tag's texts and id are made once, when they are first needed.
#include "agent/tags.h"

#include <string.h>

#include "agent/funcs.h"
#include "agent/module.h"
#include "agent/tag.h"

// Bits of a token that no code address has: 101 for a tag that a frame opened, 111 for one that is inherited.
#define OWN 5u
#define INHERITED 2u

// New; NULL of NULL.
static asy_tag_link *
link_ref(asy_tag_link *l)
{
    return (asy_tag_link *)Py_XNewRef((PyObject *)l);
}

static asy_tag_link *
chain_top(void)
{
    PyObject *value = NULL;

    if (PyContextVar_Get(asy_the_agent.tag_var, NULL, &value) != 0 || value == NULL ||
        !Py_IS_TYPE(value, asy_the_agent.link_type)) {
        Py_XDECREF(value);
        PyErr_Clear();
        return NULL;
    }
    return (asy_tag_link *)value; // new
}

// `top` (borrowed, NULL = nothing is open) is the chain of the running context from now on.
static bool
chain_set(asy_tag_link *top)
{
    PyObject *undo = PyContextVar_Set(asy_the_agent.tag_var, top != NULL ? (PyObject *)top : Py_None);

    Py_XDECREF(undo);
    return undo != NULL;
}

// The running context, by weak reference: its address alone may be another one's later. New.
static PyObject *
owner_make(void)
{
    if (asy_cpython_context() == NULL) {
        Py_XDECREF(PyContext_CopyCurrent()); // makes the thread's first one
    }
    return asy_cpython_context() != NULL ? PyWeakref_NewRef(asy_cpython_context(), NULL) : NULL;
}

static void on_switch(void);

// From the first tag on, contexts are followed.
static void
follow(asy_agent *a)
{
    int was = 0;

    if (!__atomic_compare_exchange_n(&a->tag_follows, &was, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    if (!asy_cpython_watch_contexts(on_switch) && (!ASY_CPYTHON_MONITORING || !a->c_calls)) {
        __atomic_or_fetch(&a->looks, ASY_LOOK_CONTEXT, __ATOMIC_RELAXED);
    }
}

// ---- texts ----

// The texts of a chain, made before any thread's state is used: str() of a value may run anything, and even end the measurement. Events
// inside are not measured: a tag of this very chain may be among them. False with an exception set.
static bool
chain_ready(asy_tag_link *top)
{
    bool inside = asy_thread_unmeasured, done = true;

    asy_thread_unmeasured = true;
    for (const asy_tag_link *l = top; l != NULL; l = l->parent) {
        done = done && asy_tag_ready(l->tag);
    }
    asy_thread_unmeasured = inside;
    return done;
}

bool
asy_tags_ready(void)
{
    asy_tag_link *top;
    bool done;

    if (asy_the_agent.tag_count == 0 || PyErr_Occurred()) {
        return true;
    }
    top = chain_top();
    done = chain_ready(top);
    Py_XDECREF(top);
    return done;
}

// ---- in and out ----

static bool
measured(asy_agent_thread **t)
{
    *t = __atomic_load_n(&asy_the_agent.measuring, __ATOMIC_RELAXED) ? asy_thread_get(ASY_FIRST_CALLS) : NULL;
    return *t != NULL;
}

// The chain without one of its links, or (NULL) without none but ended ones: those above it are made anew, but for ended ones. New; NULL
// also for an empty one, *ok tells.
static asy_tag_link *
chain_without(const asy_tag_link *top, const asy_tag_link *gone, bool *ok)
{
    asy_tag_link *first = NULL, **end = &first;
    bool collects = asy_cpython_gc_hold();

    for (*ok = true; *ok && top != gone; top = top->parent) {
        asy_tag_link *copy = asy_tag_link_ended(top) ? NULL : asy_tag_link_new(NULL, top->tag);
        if (copy == NULL) {
            *ok = asy_tag_link_ended(top);
            continue;
        }
        copy->owner = Py_NewRef(top->owner);
        copy->token = top->token;
        copy->frame = top->frame;
        copy->epoch = top->epoch;
        copy->length = top->length;
        copy->check = __atomic_load_n(&top->check, __ATOMIC_RELAXED);
        *end = copy;
        end = &copy->parent;
    }
    asy_cpython_gc_release(collects);
    if (!*ok) {
        Py_XDECREF((PyObject *)first);
        return NULL;
    }
    *end = gone != NULL ? link_ref(gone->parent) : NULL;
    return first;
}

// A chain most of which has ended elsewhere is made anew without that, so that chains do not grow by it. Takes `top` over; new, or NULL.
static asy_tag_link *
chain_shorten(asy_tag_link *top)
{
    uint32_t all = 0, live = 0;
    asy_tag_link *shorter;
    bool ok;

    for (const asy_tag_link *l = top; l != NULL; l = l->parent) {
        all++;
        live += !asy_tag_link_ended(l);
    }
    __atomic_store_n(&top->check, all < ASY_TAG_CHECK / 2 ? ASY_TAG_CHECK : 2 * all, __ATOMIC_RELAXED);
    if (live >= all - live) {
        return top;
    }
    shorter = chain_without(top, NULL, &ok);
    if (!ok) {
        PyErr_Clear(); // no memory: another time
        return top;
    }
    Py_DECREF((PyObject *)top);
    for (asy_tag_link *l = shorter; l != NULL; l = l->parent, live -= live > 0) {
        l->length = live;
        l->check = 2 * live + ASY_TAG_CHECK;
    }
    return shorter;
}

// The chain of the running context from its last tag on that has not ended elsewhere. New, or NULL.
static asy_tag_link *
chain_live(void)
{
    asy_tag_link *top = chain_top();

    while (top != NULL && asy_tag_link_ended(top)) {
        Py_SETREF(top, link_ref(top->parent));
    }
    return top != NULL && top->length >= __atomic_load_n(&top->check, __ATOMIC_RELAXED) ? chain_shorten(top) : top;
}

bool
asy_tags_enter(asy_tag *tag)
{
    asy_agent *a = &asy_the_agent;
    asy_tag_link *parent = chain_live();
    asy_tag_link *l = asy_tag_link_new(parent, tag);
    asy_agent_thread *t;
    bool done;

    Py_XDECREF(parent);
    if (l == NULL) {
        return false;
    }
    l->owner = owner_make();
    l->token = __atomic_add_fetch(&a->tag_count, 1, __ATOMIC_RELAXED) << 3 | OWN;
    l->frame = asy_cpython_frame();
    l->epoch = __atomic_load_n(&a->epoch, __ATOMIC_RELAXED);
    done = l->owner != NULL && (!__atomic_load_n(&a->measuring, __ATOMIC_RELAXED) || asy_tag_ready(tag));
    if (done && measured(&t)) {
        uint32_t func = asy_tag_func(t, tag);
        follow(a);
        if (func != 0) {
            asy_tree_tag_in(&t->tree, func, l->token, asy_agent_ticks());
        }
    }
    done = done && !PyErr_Occurred() && chain_set(l);
    Py_DECREF(l);
    return done;
}

// The activation of `tag` that ends here: the last one that this frame opened, else the last one.
static asy_tag_link *
activation_find(asy_tag_link *top, const asy_tag *tag, uint64_t frame)
{
    asy_tag_link *last = NULL;

    for (asy_tag_link *l = top; l != NULL; l = l->parent) {
        if (asy_tag_link_ended(l)) {
            continue;
        }
        if (l->tag == tag && l->frame == frame) {
            return l;
        }
        if (l->tag == tag && last == NULL) {
            last = l;
        }
    }
    return last;
}

static void
stack_out(asy_agent_thread *t, uint64_t token)
{
    uint64_t now = asy_agent_ticks();

    if (t->tree.thread->overflow != 0 || asy_tree_find(&t->tree, token) != 0) {
        asy_tree_tag_out(&t->tree, token, now);
    } else if (asy_tree_find(&t->tree, token | INHERITED) != 0) {
        asy_tree_tag_out(&t->tree, token | INHERITED, now);
    }
}

// ---- a generator that one context begins and another one ends ----

// The token of what this very generator opened, whatever its context; 0: it is no generator, or opened nothing. (Frames of other functions
// share their addresses with those before them.)
static uint64_t
handed_over(const asy_tag *tag, uint64_t frame)
{
    const asy_tag_link *l;
    uint64_t token;

    asy_tag_links_lock();
    for (l = tag->links; l != NULL && (l->frame != frame || asy_tag_link_ended(l));) {
        l = l->next;
    }
    token = l != NULL ? l->token : 0;
    asy_tag_links_unlock();
    return token != 0 && asy_cpython_in_generator() ? token : 0;
}

// The token of the topmost frame of these labels on the stack; 0 if there is none.
static uint64_t
topmost(const asy_agent_thread *t, uint32_t func)
{
    for (uint64_t d = t->tree.thread->depth - 1; d > 0 && func != 0; d--) {
        const asy_frame *f = asy_tree_frame(&t->tree, d);
        if ((f->kind & 0xffu) == ASY_NODE_TAG && asy_tree_node(&t->tree, f->node)->func == func) {
            return f->token & ~(uint64_t)INHERITED;
        }
    }
    return 0;
}

// No chain of the starter heeds it from now on. With token 0 its stack alone tells which one it was, if that is measured.
static void
elsewhere_end(asy_tag *tag, uint64_t token)
{
    asy_agent_thread *t;

    if (measured(&t)) {
        token = token != 0 ? token : topmost(t, __atomic_load_n(&tag->func, __ATOMIC_RELAXED));
        if (token != 0) {
            stack_out(t, token);
        }
    }
    asy_tag_links_lock();
    for (asy_tag_link *l = tag->links; l != NULL; l = l->next) {
        if (l->token == token) {
            __atomic_store_n(&l->ended, true, __ATOMIC_RELAXED);
        }
    }
    asy_tag_links_unlock();
}

// In its own context.
static bool
chain_out(asy_tag_link *top, const asy_tag_link *gone)
{
    asy_agent_thread *t;
    asy_tag_link *rest;
    bool ok = true;

    if (measured(&t)) {
        stack_out(t, gone->token);
    }
    rest = chain_without(top, gone, &ok);
    ok = ok && chain_set(rest);
    Py_XDECREF(rest);
    return ok;
}

bool
asy_tags_exit(asy_tag *tag)
{
    uint64_t frame = asy_cpython_frame(), token;
    asy_tag_link *top = chain_top();
    asy_tag_link *gone = activation_find(top, tag, frame);
    bool ok = true;

    token = gone != NULL && gone->frame == frame ? 0 : handed_over(tag, frame);
    if (gone == NULL || token != 0) {
        elsewhere_end(tag, token);
    } else {
        ok = chain_out(top, gone);
    }
    Py_XDECREF(top);
    return ok && !PyErr_Occurred();
}

// ---- contexts ----

static void
chain_put(asy_agent_thread *t, asy_tags_chain *chain, const asy_tag_link *l)
{
    uint32_t func = asy_tag_link_ended(l) ? 0 : asy_tag_func(t, l->tag);

    if (func == 0) {
        return;
    }
    if (chain->count == ASY_TAGS_OPEN) { // the outermost ones go without
        asy_arena_lose(&asy_the_agent.arena, asy_the_agent.slot, ASY_LOSS_TAGS, 1);
        return;
    }
    chain->open[chain->count].func = func;
    chain->open[chain->count].token = l->token | INHERITED;
    chain->open[chain->count].frame = l->frame;
    chain->open[chain->count++].framed = false;
}

static void
chain_reverse(asy_tags_chain *chain)
{
    for (uint32_t i = 0, j = chain->count; i + 1 < j; i++) {
        __typeof__(chain->open[0]) one = chain->open[i];
        chain->open[i] = chain->open[--j];
        chain->open[j] = one;
    }
}

void
asy_tags_read(asy_agent_thread *t, asy_tags_chain *chain)
{
    asy_tag_link *top;

    chain->count = 0;
    if (asy_the_agent.tag_count == 0 || PyErr_Occurred()) {
        return;
    }
    follow(&asy_the_agent);
    top = chain_top();
    for (const asy_tag_link *l = top; l != NULL; l = l->parent) {
        chain_put(t, chain, l);
    }
    chain_reverse(chain);
    Py_XDECREF(top);
}

void
asy_tags_claim(asy_tags_chain *chain, uint64_t frame)
{
    for (uint32_t i = 0; i < chain->count; i++) {
        chain->open[i].framed = chain->open[i].framed || chain->open[i].frame == frame;
    }
}

void
asy_tags_inherit(asy_agent_thread *t, const asy_tags_chain *chain, uint64_t frame)
{
    for (uint32_t i = 0; i < chain->count; i++) {
        if (frame == 0 ? !chain->open[i].framed : chain->open[i].frame == frame) {
            asy_tree_tag_inherit(&t->tree, chain->open[i].func, chain->open[i].token, asy_agent_ticks());
        }
    }
}

// What `context` has in the variable. New, or NULL.
static asy_tag_link *
context_chain(PyObject *context)
{
    PyObject *value = PyObject_CallMethodOneArg(context, asy_the_agent.name_get, asy_the_agent.tag_var);

    if (value == NULL || !Py_IS_TYPE(value, asy_the_agent.link_type)) {
        Py_XDECREF(value);
        PyErr_Clear();
        return NULL;
    }
    return (asy_tag_link *)value;
}

static bool
on_stack(const asy_agent_thread *t, uint64_t token)
{
    for (uint64_t d = t->tree.thread->depth - 1; d > 0; d--) {
        const asy_frame *f = asy_tree_frame(&t->tree, d);
        if ((f->kind & 0xffu) == ASY_NODE_TAG && (f->token | INHERITED) == (token | INHERITED)) {
            return true;
        }
    }
    return false;
}

// What a context inherited and is not in effect on this stack goes there. Tags that were opened inside it come and go with the
// frames that opened them, if that was seen.
static void
chain_apply(asy_agent_thread *t, const asy_tag_link *top, PyObject *context)
{
    asy_tags_chain chain = {0};

    for (const asy_tag_link *l = top; l != NULL; l = l->parent) {
        bool own = asy_cpython_weakref_is(l->owner, context) && l->epoch == asy_the_agent.epoch;
        if (!own && !on_stack(t, l->token)) {
            chain_put(t, &chain, l);
        }
    }
    chain_reverse(&chain);
    asy_tags_inherit(t, &chain, 0);
}

static bool
chain_has(const asy_tag_link *top, uint64_t token)
{
    for (; top != NULL; top = top->parent) {
        if ((top->token | INHERITED) == token && !asy_tag_link_ended(top)) {
            return true;
        }
    }
    return false;
}

// The chain of the running context is `top`, with its texts.
static void
context_take(asy_agent_thread *t, const asy_tag_link *top)
{
    for (;;) {
        const asy_frame *f = asy_tree_frame(&t->tree, t->tree.thread->depth - 1);
        if (f->kind != ASY_FRAME_TAG_INHERITED || t->tree.thread->overflow != 0 || chain_has(top, f->token)) {
            break;
        }
        asy_tree_tag_out(&t->tree, f->token, asy_agent_ticks());
    }
    if (top != NULL && asy_cpython_context() != NULL) {
        chain_apply(t, top, asy_cpython_context());
    }
}

bool
asy_tags_context_slow(asy_agent_thread *t)
{
    asy_tag_link *top;
    bool done;

    t->context_ver = asy_cpython_context_ver();
    if (PyErr_Occurred()) {
        return true;
    }
    top = chain_top();
    done = chain_ready(top);
    if (done && asy_thread_holds(t)) {
        context_take(t, top);
    }
    Py_XDECREF(top); // perhaps the last one: of values that run Python code as they go
    return done && asy_thread_holds(t);
}

static void
on_switch(void)
{
    asy_agent_thread *t = asy_thread_tls;

    if (t != NULL && asy_thread_holds(t) && asy_cpython_is_main_interpreter()) {
        asy_tags_context_slow(t);
    }
}

// ---- calls ----

// The context that this call enters (borrowed), or NULL. A partial of Context.run counts: asyncio.to_thread makes one.
static PyObject *
context_of(PyObject *callable, PyObject *argument)
{
    const PyMethodDef *run = asy_cpython_context_run();

    if (asy_cpython_is_partial(callable)) {
        callable = asy_cpython_partial_func(callable);
    }
    if (PyCFunction_Check(callable) && ((PyCFunctionObject *)callable)->m_ml == run) {
        return ((PyCFunctionObject *)callable)->m_self;
    }
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type) && ((PyMethodDescrObject *)callable)->d_method == run &&
        argument != NULL && PyContext_CheckExact(argument)) {
        return argument;
    }
    return NULL;
}

bool
asy_tags_special(PyObject *callable)
{
    const PyMethodDef *run = asy_cpython_context_run();

    return asy_tags_ours(callable) || asy_cpython_is_partial(callable) ||
           (PyCFunction_Check(callable) && ((PyCFunctionObject *)callable)->m_ml == run) ||
           (Py_IS_TYPE(callable, &PyMethodDescr_Type) && ((PyMethodDescrObject *)callable)->d_method == run);
}

void
asy_tags_call(asy_agent_thread *t, PyObject *callable, PyObject *argument, uint64_t token)
{
    uint32_t kind, func = asy_funcs_special(t, callable, &kind);
    bool made = false, plain = ASY_CPYTHON_CONTEXT_WATCHER || asy_the_agent.tag_count == 0 || PyErr_Occurred();
    PyObject *context = func == 0 || plain ? NULL : context_of(callable, argument);
    asy_tag_link *top = context != NULL ? context_chain(context) : NULL;

    if (func != 0 && chain_ready(top) && asy_thread_holds(t)) {
        asy_tree_enter(&t->tree, asy_tree_child(&t->tree, func, kind, &made), token, kind | ASY_FRAME_BARRIER,
                       asy_agent_ticks());
        chain_apply(t, top, context);
    }
    Py_XDECREF(top);
}

// ---- the module's part ----

bool
asy_tags_ours(PyObject *callable)
{
    const asy_agent *a = &asy_the_agent;
    const PyMethodDef *def = NULL;
    const PyTypeObject *type;

    if (a->tag_type == NULL) {
        return false;
    }
    if (Py_IS_TYPE(callable, &PyMethod_Type)) {
        callable = PyMethod_GET_FUNCTION(callable);
    }
    if (PyCFunction_Check(callable)) {
        def = ((PyCFunctionObject *)callable)->m_ml;
    } else if (Py_IS_TYPE(callable, &PyMethodDescr_Type)) {
        def = ((PyMethodDescrObject *)callable)->d_method;
    }
    if (def != NULL) {
        return asy_module_owns(def);
    }
    type = PyType_Check(callable) ? (PyTypeObject *)callable : Py_TYPE(callable);
    return type == a->tag_type || type == a->profile_type;
}

int
asy_tags_init(PyObject *module)
{
    asy_agent *a = &asy_the_agent;

    if (asy_tag_types() != 0) {
        return -1;
    }
    if (a->name_get == NULL) {
        a->name_get = PyUnicode_InternFromString("get");
    }
    if (a->tag_var == NULL) {
        a->tag_var = PyContextVar_New("assay_tags", NULL);
    }
    if (a->name_get == NULL || a->tag_var == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "tag", (PyObject *)a->tag_type);
}
