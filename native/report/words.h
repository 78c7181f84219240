// words.h: sentences about a recording that several reports share.
#ifndef ASY_REPORT_WORDS_H
#define ASY_REPORT_WORDS_H

#include "record/profile.h"
#include "report/out.h"
#include "report/view.h"

// A list of sentences, made for people, already free of anything a terminal would obey.
typedef struct {
    char **text; // owned
    uint32_t count, cap;
    bool failed;
} asy_words;

void asy_words_add(asy_words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void asy_words_clear(asy_words *w);

// Everything that is missing or uncertain, one sentence each, the worst first; empty if nothing is.
void asy_words_losses(const asy_view *v, asy_words *w);
// Calls that exist but whose number or path is not certain were lost?
bool asy_words_lost_calls(const asy_profile *p);
bool asy_words_no_c_calls(const asy_profile *p);          // C calls of one of its processes were left out on request
uint64_t asy_words_loss(const asy_profile *p, int which); // over the session and its processes

// "build_lookup", in at most `columns`; the caller frees. `<module>` is "top level".
char *asy_words_func(const asy_profile *p, uint32_t func, int columns);
// The same with its module before a C function: "time.sleep".
char *asy_words_full(const asy_profile *p, uint32_t func, int columns);
// Write `parts` joined by `joint` and a line end, wrapped to the width between parts. The first line stands at `column` already, the
// others are indented by `indent`. Returns the number of lines.
int asy_words_wrap(asy_out *o, const asy_words *parts, const char *joint, int column, int indent);

// One sentence on lines of its own, wrapped to the width, all of it indented, what follows the first line by two more.
void asy_words_line(asy_out *o, int indent, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// "customer=acme"; what is empty, and a key with a "=" of its own, stand in quotes. The caller frees.
char *asy_words_label(const char *key, const char *value, int columns);

// In a shell command line: quoted where needed. The caller frees.
char *asy_words_quote(const char *word);

#endif
