// out.c: a buffer in front of a descriptor, and the width of text.
#include "report/out.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define FLUSH_AT 65536u

void
asy_out_open(asy_out *o, int fd, int width, bool color)
{
    *o = (asy_out){.fd = fd, .width = width, .color = color};
    if (width <= 0) {
        o->width = ASY_WIDTH_USUAL;
    } else if (width < ASY_WIDTH_MIN) {
        o->width = ASY_WIDTH_MIN;
    } else if (width > ASY_WIDTH_MAX) {
        o->width = ASY_WIDTH_MAX;
    }
}

// A program that shares the descriptor may have made it non-blocking.
asy_status
asy_out_flush(asy_out *o)
{
    size_t done = 0;

    if (o->before != NULL && o->len > 0) {
        o->before();
        o->before = NULL;
    }
    while (o->status == ASY_OK && done < o->len) {
        ssize_t n = write(o->fd, o->buf + done, o->len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = o->fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            o->error = errno;
            o->status = errno == ENOSPC || errno == EFBIG ? ASY_ENOSPC : ASY_EIO;
        }
    }
    o->len = 0;
    return o->status;
}

static bool
make_room(asy_out *o, size_t len)
{
    size_t cap = o->cap == 0 ? 4096 : o->cap;
    char *buf;

    if (o->status != ASY_OK) {
        return false;
    }
    while (cap - o->len < len) {
        cap *= 2;
    }
    if (cap == o->cap) {
        return true;
    }
    buf = realloc(o->buf, cap);
    if (buf == NULL) {
        o->status = ASY_ENOMEM;
        return false;
    }
    o->buf = buf;
    o->cap = cap;
    return true;
}

static void
append(asy_out *o, const char *bytes, size_t len)
{
    if (o->len >= FLUSH_AT) {
        asy_out_flush(o);
    }
    if (make_room(o, len)) {
        memcpy(o->buf + o->len, bytes, len);
        o->len += len;
    }
}

static void
write_style(asy_out *o)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[33m"};
    asy_style style = o->style;

    if (style == o->written) {
        return;
    }
    if (o->written != ASY_STYLE_PLAIN) {
        append(o, codes[ASY_STYLE_PLAIN], strlen(codes[ASY_STYLE_PLAIN]));
    }
    if (style != ASY_STYLE_PLAIN) {
        append(o, codes[style], strlen(codes[style]));
    }
    o->written = style;
}

void
asy_out_bytes(asy_out *o, const char *trusted, size_t len)
{
    if (len > 0) {
        write_style(o);
        append(o, trusted, len);
    }
}

void
asy_out_discard(asy_out *o)
{
    o->len = 0;
    o->style = o->written;
}

asy_status
asy_out_close(asy_out *o)
{
    write_style(o);
    asy_out_flush(o);
    free(o->buf);
    o->buf = NULL;
    o->cap = 0;
    return o->status;
}

void
asy_out_put(asy_out *o, const char *trusted)
{
    asy_out_bytes(o, trusted, strlen(trusted));
}

void
asy_out_fmt(asy_out *o, const char *fmt, ...)
{
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0) {
        asy_out_bytes(o, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    }
}

void
asy_out_spaces(asy_out *o, int count)
{
    for (int i = 0; i < count; i++) {
        asy_out_bytes(o, " ", 1);
    }
}

// Codes are written with the next text: a style that nothing is written in leaves no trace.
void
asy_out_style(asy_out *o, asy_style style)
{
    if (o->color) {
        o->style = style;
    }
}

// ---- text ----

// One code point of valid UTF-8; a byte that is none stands for U+FFFD.
static const char *
next_point(const char *s, uint32_t *point)
{
    unsigned char c = (unsigned char)*s;
    int more = c >= 0xf0 && c < 0xf8 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t v = more == 3 ? c & 7u : more == 2 ? c & 15u : more == 1 ? c & 31u : c;

    *point = 0xfffd;
    if ((c >= 0x80 && c < 0xc0) || c >= 0xf8) {
        return s + 1;
    }
    for (int i = 1; i <= more; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80) {
            return s + 1;
        }
        v = (v << 6) | ((unsigned char)s[i] & 0x3fu);
    }
    *point = v;
    return s + 1 + more;
}

// What a terminal would obey instead of showing it: controls, and marks that turn the direction of text.
static bool
is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfffd ||
           (c >= 0x200e && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static int
point_width(uint32_t c)
{
    int w = is_unsafe(c) ? 1 : wcwidth((wchar_t)c);

    return w < 0 ? 1 : w;
}

// Read from files at the first text that needs it, then kept: a table has many such texts.
static locale_t
kept_utf8(void)
{
    static locale_t kept;
    locale_t utf8 = __atomic_load_n(&kept, __ATOMIC_ACQUIRE);

    if (utf8 == (locale_t)0) {
        locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

        if (__atomic_compare_exchange_n(&kept, &utf8, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return made;
        }
        if (made != (locale_t)0) {
            freelocale(made); // another thread was first
        }
    }
    return utf8;
}

// wcwidth knows only the characters of the thread's locale.
static locale_t
enter_utf8(locale_t *before)
{
    locale_t utf8 = kept_utf8();

    *before = utf8 == (locale_t)0 ? (locale_t)0 : uselocale(utf8);
    return utf8;
}

static void
leave_utf8(locale_t utf8, locale_t before)
{
    if (utf8 != (locale_t)0) {
        uselocale(before);
    }
}

static bool
is_ascii(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s >= 0x80) {
            return false;
        }
    }
    return true;
}

static int
sum_widths(const char *s)
{
    uint32_t c;
    int sum = 0;

    while (*s != '\0') {
        s = next_point(s, &c);
        sum += point_width(c);
    }
    return sum;
}

int
asy_text_width(const char *s)
{
    locale_t utf8, before;
    int width;

    if (is_ascii(s)) {
        return (int)strlen(s);
    }
    utf8 = enter_utf8(&before);
    width = sum_widths(s);
    leave_utf8(utf8, before);
    return width;
}

static void
put_safe(char *out, size_t *len, const char *from, const char *to, uint32_t c)
{
    if (is_unsafe(c)) {
        out[(*len)++] = '?';
    } else {
        memcpy(out + *len, from, (size_t)(to - from));
        *len += (size_t)(to - from);
    }
}

void
asy_out_text(asy_out *o, const char *name)
{
    uint32_t c;
    char point[8];

    while (*name != '\0') {
        const char *next = next_point(name, &c);
        size_t len = 0;

        put_safe(point, &len, name, next, c);
        asy_out_bytes(o, point, len);
        name = next;
    }
}

// Skip `columns` or more from the start.
static const char *
skip_columns(const char *s, int columns)
{
    uint32_t c;

    while (columns > 0 && *s != '\0') {
        s = next_point(s, &c);
        columns -= point_width(c);
    }
    return s;
}

static void
copy_columns(const char *s, int columns, char *out, size_t *len)
{
    uint32_t c;

    while (*s != '\0') {
        const char *next = next_point(s, &c);

        columns -= point_width(c);
        if (columns < 0) {
            return;
        }
        put_safe(out, len, s, next, c);
        s = next;
    }
}

char *
asy_text_fit(const char *name, int columns, asy_cut cut)
{
    static const char dots[] = "…";
    char *out = malloc(strlen(name) + sizeof dots + 1);
    size_t len = 0;
    locale_t utf8, before = (locale_t)0;
    int width;

    if (out == NULL) {
        return NULL;
    }
    utf8 = is_ascii(name) ? (locale_t)0 : enter_utf8(&before);
    width = sum_widths(name);
    if (width <= columns) {
        copy_columns(name, width, out, &len);
    } else if (cut == ASY_CUT_END) {
        copy_columns(name, columns - 1, out, &len);
        memcpy(out + len, dots, sizeof dots - 1);
        len += sizeof dots - 1;
    } else {
        memcpy(out, dots, sizeof dots - 1);
        len = sizeof dots - 1;
        copy_columns(skip_columns(name, width - columns + 1), columns - 1, out, &len);
    }
    out[len] = '\0';
    leave_utf8(utf8, before);
    return out;
}
