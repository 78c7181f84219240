// out.h: text for people, to a file descriptor.
// Buffers; the first failure sticks and later calls do nothing. Names come from recordings: asy_out_text lets through nothing
// that a terminal would obey.
#ifndef ASY_REPORT_OUT_H
#define ASY_REPORT_OUT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

typedef enum { ASY_STYLE_PLAIN = 0, ASY_STYLE_BOLD, ASY_STYLE_DIM, ASY_STYLE_WARN } asy_style;

typedef struct {
    int fd; // borrowed
    int width;
    bool color;
    asy_style style, written; // asked for, and what a terminal has been told
    char *buf;                // owned
    size_t len, cap;
    asy_status status;
    int error;            // errno of a failed write
    void (*before)(void); // called once, before the first byte is written; NULL: nothing
} asy_out;

#define ASY_WIDTH_USUAL 80
#define ASY_WIDTH_MIN 40
#define ASY_WIDTH_MAX 200

void asy_out_open(asy_out *o, int fd, int width, bool color); // width is brought into its limits; 0: the usual
asy_status asy_out_close(asy_out *o);                         // flushes, frees, returns the first failure
asy_status asy_out_flush(asy_out *o);
void asy_out_discard(asy_out *o); // what is not flushed yet

void asy_out_put(asy_out *o, const char *trusted);
void asy_out_bytes(asy_out *o, const char *trusted, size_t len);
void asy_out_text(asy_out *o, const char *name); // from a recording: control characters become '?'
void asy_out_fmt(asy_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3))); // up to 255 bytes, trusted
void asy_out_spaces(asy_out *o, int count);
void asy_out_style(asy_out *o, asy_style style); // of the text from here on; nothing without color

// ---- columns ----

// Columns that a text takes once it is written with asy_out_text. A code point without a known width counts as one.
int asy_text_width(const char *s);

typedef enum { ASY_CUT_END, ASY_CUT_START } asy_cut;

// `name` with control characters replaced, cut to `columns` with a "…" where something is missing. Caller frees; NULL without memory.
char *asy_text_fit(const char *name, int columns, asy_cut cut);

#endif
