// words.c: what a recording lacks, in sentences, and how sentences fill lines.
#include "report/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/units.h"

// ---- lists of sentences ----

void
asy_words_add(asy_words *w, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    char **grown = realloc(w->text, (w->count + 1) * sizeof *grown);

    if (grown == NULL) {
        w->failed = true;
        return;
    }
    w->text = grown;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0) {
        w->failed = true;
    } else {
        w->text[w->count++] = text;
    }
    va_end(ap);
}

void
asy_words_clear(asy_words *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        free(w->text[i]);
    }
    free(w->text);
    *w = (asy_words){0};
}

static int
break_line(asy_out *o, int indent, int *lines)
{
    asy_out_put(o, "\n");
    asy_out_spaces(o, indent);
    ++*lines;
    return indent;
}

// Up to the next space; a number keeps its unit.
static size_t
word_length(const char *text)
{
    size_t len = strcspn(text, " ");

    if (len > 0 && text[len] == ' ' && text[len - 1] >= '0' && text[len - 1] <= '9') {
        len += 1 + strcspn(text + len + 1, " ");
    }
    return len;
}

// One part that no line can hold, broken between its words. `room` is the last column. Returns the column after it.
static int
wrap_part(asy_out *o, const char *text, int column, int indent, int room, int *lines)
{
    const char *next;

    for (const char *word = text; *word != '\0'; word = next) {
        size_t len = word_length(word);
        char *copy = strndup(word, len);
        int width = copy == NULL ? 0 : asy_text_width(copy);
        int space = word == text ? 0 : 1;

        if (copy == NULL) {
            o->status = o->status == ASY_OK ? ASY_ENOMEM : o->status;
            return column;
        }
        if (space > 0 && column + space + width > room) {
            column = break_line(o, indent, lines);
            space = 0;
        }
        asy_out_spaces(o, space);
        asy_out_put(o, copy);
        column += space + width;
        free(copy);
        next = word + len + strspn(word + len, " ");
    }
    return column;
}

int
asy_words_wrap(asy_out *o, const asy_words *parts, const char *joint, int column, int indent)
{
    int lines = 1;

    if (parts->failed && o->status == ASY_OK) {
        o->status = ASY_ENOMEM;
    }
    for (uint32_t i = 0; i < parts->count; i++) {
        int width = asy_text_width(parts->text[i]);
        int glue = i == 0 ? 0 : asy_text_width(joint);
        int end = i + 1 < parts->count ? (int)strcspn(joint, " ") : 0;

        if (i > 0 && column + glue + width + end > o->width) {
            asy_out_bytes(o, joint, strcspn(joint, " "));
            column = break_line(o, indent, &lines);
        } else if (i > 0) {
            asy_out_put(o, joint);
            column += glue;
        }
        if (column + width + end > o->width) {
            column = wrap_part(o, parts->text[i], column, indent, o->width - end, &lines);
        } else {
            asy_out_put(o, parts->text[i]);
            column += width;
        }
    }
    asy_out_put(o, "\n");
    return lines;
}

void
asy_words_line(asy_out *o, int indent, const char *fmt, ...)
{
    asy_words one = {0};
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0) {
        text = NULL;
    }
    va_end(ap);
    asy_words_add(&one, "%s", text == NULL ? "" : text);
    one.failed = one.failed || text == NULL;
    asy_out_spaces(o, indent);
    asy_words_wrap(o, &one, "", indent, indent + 2);
    asy_words_clear(&one);
    free(text);
}

// ---- names ----

char *
asy_words_label(const char *key, const char *value, int columns)
{
    const char *around = key[0] == '\0' || strchr(key, '=') != NULL ? "'" : "";
    char *out, *text;

    if (asprintf(&text, "%s%s%s=%s", around, key, around, value[0] == '\0' ? "''" : value) < 0) {
        return NULL;
    }
    out = asy_text_fit(text, columns, ASY_CUT_END);
    free(text);
    return out;
}

// "customer=acme, day=3"
static char *
name_labels(const asy_profile_func *f, int columns)
{
    char *text = strdup(""), *out;

    for (uint32_t i = 0; text != NULL && i + 1 < f->label_count; i += 2) {
        char *label = asy_words_label(f->labels[i], f->labels[i + 1], columns), *longer = NULL;

        if (label == NULL || asprintf(&longer, "%s%s%s", text, i == 0 ? "" : ", ", label) < 0) {
            longer = NULL;
        }
        free(label);
        free(text);
        text = longer;
    }
    out = text == NULL ? NULL : asy_text_fit(text, columns, ASY_CUT_END);
    free(text);
    return out;
}

char *
asy_words_func(const asy_profile *p, uint32_t func, int columns)
{
    const char *name;

    if (func == ASY_VIEW_NONE) {
        return asy_text_fit("outside of any function", columns, ASY_CUT_END);
    }
    name = p->funcs[func].name;
    if (p->funcs[func].kind == ASY_NODE_TAG && p->funcs[func].label_count > 0) {
        return name_labels(&p->funcs[func], columns);
    }
    if (p->funcs[func].kind == ASY_NODE_PY && strcmp(name, "<module>") == 0) {
        name = "top level";
    }
    return asy_text_fit(name[0] == '\0' ? "(no name)" : name, columns, ASY_CUT_END);
}

char *
asy_words_full(const asy_profile *p, uint32_t func, int columns)
{
    const asy_profile_func *f;
    char *joined, *out;

    if (func == ASY_VIEW_NONE) {
        return asy_words_func(p, func, columns);
    }
    f = &p->funcs[func];
    if (f->kind != ASY_NODE_C || f->module[0] == '\0' || strcmp(f->module, "builtins") == 0 ||
        strchr(f->name, '.') != NULL) {
        return asy_words_func(p, func, columns);
    }
    if (asprintf(&joined, "%s.%s", f->module, f->name) < 0) {
        return NULL;
    }
    out = asy_text_fit(joined, columns, ASY_CUT_END);
    free(joined);
    return out;
}

char *
asy_words_quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-=:,@%";
    size_t len = strlen(word);
    char *out = malloc(4 * len + 3), *at = out;

    if (out == NULL) {
        return NULL;
    }
    if (len > 0 && strspn(word, plain) == len) {
        memcpy(out, word, len + 1);
        return out;
    }
    *at++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            memcpy(at, "'\\''", 4);
            at += 4;
        } else {
            *at++ = *word;
        }
    }
    *at++ = '\'';
    *at = '\0';
    return out;
}

// ---- losses ----

uint64_t
asy_words_loss(const asy_profile *p, int which)
{
    uint64_t sum = p->losses[which];

    for (uint32_t i = 0; i < p->process_count; i++) {
        sum += p->processes[i].losses[which];
    }
    return sum;
}

bool
asy_words_lost_calls(const asy_profile *p)
{
    static const int kinds[] = {ASY_LOSS_EVENTS, ASY_LOSS_UNMATCHED, ASY_LOSS_HOOK, ASY_LOSS_CHUNKS};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (asy_words_loss(p, kinds[i]) != 0) {
            return true;
        }
    }
    return !p->complete;
}

bool
asy_words_no_c_calls(const asy_profile *p)
{
    for (uint32_t i = 0; i < p->process_count; i++) {
        if ((p->processes[i].flags & ASY_PROC_F_NO_C_CALLS) != 0) {
            return true;
        }
    }
    return false;
}

static uint64_t
open_calls(const asy_view *v)
{
    uint64_t sum = 0;

    for (uint32_t i = 1; i < v->node_count; i++) {
        const asy_view_node *n = &v->nodes[i];
        uint32_t kind = asy_view_kind(n);

        if (kind != ASY_NODE_TAG && kind != ASY_NODE_PHASE) {
            sum += n->begun_open;
        }
    }
    return sum;
}

// "SIGINT", "signal 40".
static void
name_signal(int number, char *text, size_t size)
{
    const char *name = sigabbrev_np(number);

    if (name != NULL) {
        snprintf(text, size, "SIG%s", name);
    } else {
        snprintf(text, size, "signal %d", number);
    }
}

// When calls were cut that no signal has ended.
static const char *
end_of(const asy_profile *p)
{
    if (p->process_count > 1) {
        return "processes ended";
    }
    return p->process_count == 1 && p->processes[0].exited == 1 ? "process exited" : "recording ended";
}

// How the processes ended, and the calls that were open then, if any.
static void
add_signal(asy_words *w, const asy_profile *p, uint64_t open)
{
    const char *call = open == 1 ? "call begun was" : "calls begun were";
    char name[24] = "";
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->process_count; i++) {
        if (p->processes[i].exited == 2) {
            name_signal(p->processes[i].status, name, sizeof name);
            count++;
        }
    }
    if (count == 0 && open > 0) {
        asy_words_add(w, "%s %s not yet at an end when the %s", asy_units_count(open).s, call, end_of(p));
    } else if (count > 1 && open > 0) {
        asy_words_add(w, "%s %s never seen to end: %u processes were killed by a signal", asy_units_count(open).s, call,
                      count);
    } else if (count > 1) {
        asy_words_add(w, "%u processes were killed by a signal", count);
    } else if (count == 1 && open > 0) {
        asy_words_add(w, "%s %s never seen to end: %s was killed by %s", asy_units_count(open).s, call,
                      p->process_count > 1 ? "1 process" : "the process", name);
    } else if (count == 1) {
        asy_words_add(w, "%s was killed by %s", p->process_count > 1 ? "1 process" : "the process", name);
    }
}

// %s is the number.
static const struct {
    int which;
    const char *one, *many;
} loss_words[] = {
    {ASY_LOSS_EVENTS, "1 event was not counted: there was no memory for it",
     "%s events were not counted: there was no memory for them"},
    {ASY_LOSS_CHUNKS, "memory for counts was refused once", "memory for counts was refused %s times"},
    {ASY_LOSS_HOOK, "the program replaced our hook by its own once: calls since then are missing",
     "the program replaced our hook by its own %s times: calls after that are missing"},
    {ASY_LOSS_UNMATCHED, "1 call that ended was never seen to begin", "%s calls that ended were never seen to begin"},
    {ASY_LOSS_RESYNCS, "1 call was closed because its end was not seen",
     "%s calls were closed because their end was not seen"},
    {ASY_LOSS_FOLDS, "1 call was counted without its path: too many paths",
     "%s calls were counted without their path: too many paths"},
    {ASY_LOSS_DEPTH, "1 call was counted without its path: too deep",
     "%s calls were counted without their path: too deep"},
    {ASY_LOSS_SUSPENSIONS, "1 suspended generator was forgotten: its suspended time is missing",
     "%s suspended generators were forgotten: their suspended time is missing"},
    {ASY_LOSS_SYMBOLS, "1 function has no name: the log was full", "%s functions have no name: the log was full"},
    {ASY_LOSS_FORKS, "1 forked process was not measured", "%s forked processes were not measured"},
    {ASY_LOSS_EXECS, "1 Python that was started was not measured", "%s Pythons that were started were not measured"},
    {ASY_LOSS_SUBINTERPS, "1 sub-interpreter was not measured", "%s sub-interpreters were not measured"},
    {ASY_LOSS_CONTEXTS, "1 greenlet switch could not be followed", "%s greenlet switches could not be followed"},
    {ASY_LOSS_TAGS, "1 change of a tag could not be placed", "%s changes of tags could not be placed"},
};

static void
add_loss(asy_words *w, size_t row, uint64_t n)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    asy_words_add(w, n == 1 ? loss_words[row].one : loss_words[row].many, asy_units_count(n).s);
#pragma GCC diagnostic pop
}

void
asy_words_losses(const asy_view *v, asy_words *w)
{
    const asy_profile *p = v->profile;

    if (!p->complete && !p->cut) {
        asy_words_add(w, "the recording is damaged at byte %s: what came before is shown",
                      asy_units_count(p->cut_at).s);
    } else if (!p->complete && p->process_count == 0) {
        asy_words_add(w, "the recording breaks off at byte %s, before anything was measured",
                      asy_units_count(p->cut_at).s);
    } else if (!p->complete) {
        asy_words_add(w, "the recording breaks off at byte %s: what came before is shown",
                      asy_units_count(p->cut_at).s);
    }
    add_signal(w, p, open_calls(v));
    for (size_t i = 0; i < sizeof loss_words / sizeof *loss_words; i++) {
        uint64_t n = asy_words_loss(p, loss_words[i].which);

        if (n > 0) {
            add_loss(w, i, n);
        }
    }
    for (uint32_t i = 0; i < p->note_count; i++) {
        char *note = asy_text_fit(p->notes[i], 400, ASY_CUT_END);

        asy_words_add(w, "%s", note == NULL ? "" : note);
        free(note);
    }
}
