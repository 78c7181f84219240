// replay_text.c: event lists from text, trees to text.
#include "replay.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[EV_KINDS] = {
    "START",   "RESUME", "YIELD",   "RETURN",      "UNWIND", "THROW",  "CALL",    "C_RETURN",
    "C_RAISE", "TAG_IN", "TAG_OUT", "TAG_INHERIT", "SWITCH", "FORGET", "INHERIT", "REBASE",
};

static const char *const loss_words[ASY_LOSS_COUNT] = {
    [ASY_LOSS_CHUNKS] = "chunks",
    [ASY_LOSS_EVENTS] = "events",
    [ASY_LOSS_FOLDS] = "folds",
    [ASY_LOSS_DEPTH] = "depth",
    [ASY_LOSS_RESYNCS] = "resyncs",
    [ASY_LOSS_UNMATCHED] = "unmatched",
    [ASY_LOSS_SUSPENSIONS] = "suspensions",
    [ASY_LOSS_CONTEXTS] = "contexts",
    [ASY_LOSS_TAGS] = "tags",
};

// ---- reading ----

static uint32_t
kind_of(const char *name)
{
    if (strncmp(name, "class:", 6) == 0) {
        return ASY_NODE_CLASS;
    }
    return strncmp(name, "object:", 7) == 0 ? ASY_NODE_OBJECT : ASY_NODE_C;
}

uint32_t
replay_name(replay_names *names, const char *text, uint32_t kind)
{
    size_t len = strlen(text);
    uint32_t i;

    for (i = 1; i < names->count; i++) {
        if (names->kind[i] == kind && strcmp(names->name[i], text) == 0) {
            return i;
        }
    }
    if (i == REPLAY_NAMES_MAX || len >= sizeof(names->name[0])) {
        return 0;
    }
    memcpy(names->name[i], text, len + 1);
    names->kind[i] = kind;
    names->count = i + 1;
    return i;
}

// The next word of a line into `word`; false at its end.
static bool
word_next(const char **at, char word[REPLAY_WORD_BYTES])
{
    size_t n = 0;

    *at += strspn(*at, " \t");
    if (**at == '#') {
        *at += strcspn(*at, "\n");
    }
    while (**at != '\0' && strchr(" \t\n", **at) == NULL) {
        if (n < REPLAY_WORD_BYTES - 1) {
            word[n++] = **at;
        }
        (*at)++;
    }
    word[n] = '\0';
    return n > 0;
}

// "name@7" into its function and identity (0 where there is none).
static uint32_t
name_split(replay_names *names, char *word, uint32_t kind, uint64_t *id)
{
    char *mark = strrchr(word, '@');

    if (mark != NULL) {
        *mark = '\0';
        *id = strtoull(mark + 1, NULL, 10);
    }
    return replay_name(names, word, kind);
}

static uint32_t
kind_find(const char *word)
{
    uint32_t k = 0;

    while (k < EV_KINDS && strcmp(words[k], word) != 0) {
        k++;
    }
    return k;
}

// What follows the event's word. False: it makes no sense.
static bool
operands_read(const char **at, replay_names *names, replay_event *e)
{
    char word[REPLAY_WORD_BYTES];
    uint32_t kind = ASY_NODE_PY;

    if (!word_next(at, word)) {
        return false;
    }
    switch (e->kind) {
    case EV_SWITCH:
    case EV_FORGET: e->id = strtoull(word, NULL, 10); return true;
    case EV_CALL:
        e->caller = name_split(names, word, ASY_NODE_PY, &e->id);
        if (!word_next(at, word)) {
            return false;
        }
        e->func = replay_name(names, word, kind_of(word));
        return e->caller != 0 && e->func != 0;
    case EV_C_RETURN:
    case EV_C_RAISE: e->caller = name_split(names, word, ASY_NODE_PY, &e->id); return e->caller != 0;
    case EV_TAG_IN:
    case EV_TAG_OUT:
    case EV_TAG_INHERIT: kind = ASY_NODE_TAG; break;
    case EV_REBASE: kind = ASY_NODE_PHASE; break;
    default: break;
    }
    e->func = name_split(names, word, kind, &e->id);
    return e->func != 0;
}

// "+10", "~5" and "-3" before the event's word. True if `word` was one.
static bool
time_read(const char *word, replay_event *e)
{
    int64_t n = strtoll(word + 1, NULL, 10);

    switch (word[0]) {
    case '+': e->ran += n; return true;
    case '-': e->ran -= n; return true;
    case '~': e->waited += n; return true;
    default: return false;
    }
}

bool
replay_parse(const char **at, replay_names *names, replay_event *e, const char **problem)
{
    const char *line;
    char word[REPLAY_WORD_BYTES];
    bool timed = false;
    uint32_t kind;

    *e = (replay_event){0};
    while (**at != '\0' && !word_next(at, word)) {
        *at += **at == '\n' ? 1 : 0;
    }
    line = *at - strlen(word);
    if (**at == '\0' && line == *at) {
        return false;
    }
    while (time_read(word, e)) {
        timed = true;
        if (!word_next(at, word)) {
            *problem = line;
            return false;
        }
    }
    e->ran += timed ? 0 : 1;
    kind = kind_find(word);
    e->kind = (replay_kind)kind;
    if (kind == EV_KINDS || !operands_read(at, names, e)) {
        *problem = line;
        return false;
    }
    if (word_next(at, word)) { // one event a line
        *problem = line;
        return false;
    }
    return true;
}

// ---- writing ----

static void
print_count(FILE *out, const char *word, uint64_t n)
{
    if (n != 0) {
        fprintf(out, " %s=%llu", word, (unsigned long long)n);
    }
}

static const char *
kind_word(uint32_t kind)
{
    static const char *const kinds[ASY_NODE_KINDS] = {"", "", " (c)", "", "", " (tag)", " (phase)"};

    return kinds[kind & 0xff];
}

void
replay_print_node(FILE *out, const replay_names *names, uint32_t indent, uint32_t func, uint32_t kind,
                  const replay_counts *c)
{
    fprintf(out, "%*s%s%s", (int)(2 * indent), "", func == 0 ? "root" : names->name[func], kind_word(kind));
    fputs((kind & ASY_NODE_F_INHERITED) != 0 ? " inherited" : "", out);
    fputs((kind & ASY_NODE_F_FOLDED) != 0 ? " folded" : "", out);
    print_count(out, "calls", c->calls);
    print_count(out, "resumes", c->resumes);
    print_count(out, "self", c->self);
    print_count(out, "wait", c->wait);
    print_count(out, "suspended", c->suspended);
    print_count(out, "unwinds", c->unwinds);
    print_count(out, "open", c->open);
    fputc('\n', out);
}

void
replay_print_losses(FILE *out, const uint64_t losses[ASY_LOSS_COUNT], uint64_t overhead)
{
    bool any = false;

    for (int i = 0; i < ASY_LOSS_COUNT; i++) {
        if (losses[i] != 0) {
            fprintf(out, "%s %s=%llu", any ? "" : "losses:", loss_words[i], (unsigned long long)losses[i]);
            any = true;
        }
    }
    fputs(any ? "\n" : "", out);
    if (overhead != 0) {
        fprintf(out, "overhead: %llu\n", (unsigned long long)overhead);
    }
}

static uint64_t
open_count(const replay *r, uint32_t node)
{
    uint64_t open = 0;

    for (uint64_t d = 1; d < r->tree.thread->depth; d++) {
        open += asy_tree_frame(&r->tree, d)->node == node ? 1 : 0;
    }
    return open;
}

static void
print_subtree(FILE *out, const replay *r, uint32_t node, uint32_t indent)
{
    const asy_node *n = asy_tree_node(&r->tree, node);
    replay_counts c = {n->calls,           n->resumes, n->self_ticks,      n->wait_ticks,
                       n->suspended_ticks, n->unwinds, open_count(r, node)};

    replay_print_node(out, &r->names, indent, n->func, n->kind, &c);
    for (uint32_t i = node + 1; i < r->tree.thread->node_count; i++) {
        if (asy_tree_node(&r->tree, i)->parent == node) {
            print_subtree(out, r, i, indent + 1);
        }
    }
}

char *
replay_text(const replay *r)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL) {
        return NULL;
    }
    print_subtree(out, r, 0, 0);
    replay_print_losses(out, r->losses, r->tree.thread->overhead_ticks);
    fclose(out);
    return text;
}
