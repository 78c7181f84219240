// stream.c: see stream.h.
#include "export/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

// Whoever shares the descriptor may have made it non-blocking.
asy_status
asy_stream_flush(asy_stream *s)
{
    size_t done = 0;

    while (s->status == ASY_OK && done < s->len) {
        ssize_t n = write(s->fd, s->buf + done, s->len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = s->fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            s->error = errno;
            s->status = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ASY_ENOSPC : ASY_EIO;
        }
    }
    s->len = 0;
    return s->status;
}

void
asy_stream_put(asy_stream *s, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    s->total_bytes += len;
    while (len > 0 && s->status == ASY_OK) {
        size_t part = sizeof s->buf - s->len < len ? sizeof s->buf - s->len : len;

        memcpy(s->buf + s->len, from, part);
        s->len += part;
        from += part;
        len -= part;
        if (s->len == sizeof s->buf) {
            asy_stream_flush(s);
        }
    }
}

void
asy_stream_text(asy_stream *s, const char *text)
{
    asy_stream_put(s, text, strlen(text));
}

void
asy_stream_byte(asy_stream *s, uint8_t byte)
{
    asy_stream_put(s, &byte, 1);
}

void
asy_stream_number(asy_stream *s, uint64_t n)
{
    char text[24];
    char *at = text + sizeof text;

    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    asy_stream_put(s, at, (size_t)(text + sizeof text - at));
}
