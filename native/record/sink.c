// sink.c: whole blocks of a recording, to a file or to memory.
#include "record/sink.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "record/format.h"

#define ZSTD_LEVEL 1
#define COMPRESS_MIN 128u // smaller blocks do not gain enough

asy_status
asy_sink_init(asy_sink *s, int fd)
{
    *s = (asy_sink){.fd = fd};
    asy_crc_init(&s->crc);
    s->zstd = ZSTD_createCCtx();
    return s->zstd != NULL ? ASY_OK : ASY_ENOMEM;
}

void
asy_sink_free(asy_sink *s)
{
    ZSTD_freeCCtx(s->zstd);
    asy_buffer_free(&s->memory);
    asy_buffer_free(&s->block);
}

static asy_status
of_errno(int error)
{
    return error == ENOSPC || error == EFBIG || error == EDQUOT ? ASY_ENOSPC : ASY_EIO;
}

static asy_status
write_all(int fd, const uint8_t *p, size_t len, size_t *written)
{
    *written = 0;
    while (*written < len) {
        ssize_t n = write(fd, p + *written, len - *written);

        if (n < 0 && errno == EAGAIN) { // a pipe that somebody made non-blocking
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ASY_ENOSPC : of_errno(errno);
        }
        *written += (size_t)n;
    }
    return ASY_OK;
}

// Take back what came after the last mark, `written` bytes of a block included. A pipe keeps it: its reader sees a cut block.
static void
take_back(asy_sink *s, size_t written)
{
    off_t at = lseek(s->fd, 0, SEEK_CUR);
    off_t bytes = (off_t)(s->file_bytes - s->marked_bytes + written);

    if (at >= bytes && ftruncate(s->fd, at - bytes) == 0) {
        (void)lseek(s->fd, at - bytes, SEEK_SET);
        s->file_bytes = s->marked_bytes;
    }
}

void
asy_sink_mark(asy_sink *s)
{
    s->marked_bytes = s->file_bytes;
}

void
asy_sink_outlive(asy_sink *s)
{
    s->outlives = true;
}

// All whole blocks of the file, with room for the one that did not get into it whole. False: they cannot be had.
static bool
copy_to_memory(asy_sink *s, size_t written)
{
    off_t at = lseek(s->fd, 0, SEEK_CUR);
    off_t begin = at - (off_t)(s->file_bytes + written);

    if (at < 0 || begin < 0 || asy_buffer_reserve(&s->memory, s->file_bytes + s->block.len) != ASY_OK) {
        return false;
    }
    while (s->memory.len < s->file_bytes) {
        ssize_t n =
            pread(s->fd, s->memory.data + s->memory.len, s->file_bytes - s->memory.len, begin + (off_t)s->memory.len);

        if (n <= 0 && (n == 0 || errno != EINTR)) {
            return false;
        }
        s->memory.len += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// The file could not be written, for the reason `why`. ASY_OK: memory goes on in its place.
static asy_status
leave_file(asy_sink *s, size_t written, asy_status why)
{
    uint64_t whole_bytes = s->file_bytes;
    bool copied = s->outlives && copy_to_memory(s, written);

    take_back(s, written);
    if (!copied) {
        s->memory.len = 0;
        return why;
    }
    s->file_bytes = whole_bytes;
    s->file_status = why;
    s->fd = -1;
    return asy_buffer_append(&s->memory, s->block.data, s->block.len);
}

static asy_status
put(asy_sink *s)
{
    size_t written;
    asy_status st;

    if (s->fd < 0) {
        return asy_buffer_append(&s->memory, s->block.data, s->block.len);
    }
    st = write_all(s->fd, s->block.data, s->block.len, &written);
    return st == ASY_OK ? st : leave_file(s, written, st);
}

// See ASY_FORMAT_RAW_FREE. `end` is where the block would end.
static bool
within_ratio(const asy_sink *s, size_t raw_bytes, uint64_t end)
{
    return s->raw_bytes + raw_bytes <= ASY_FORMAT_RAW_FREE + ASY_FORMAT_RAW_RATIO * end;
}

// Put the stored form of `raw` behind the head. Returns the flags. The block has room for either form.
static uint32_t
store(asy_sink *s, const void *raw, size_t raw_bytes)
{
    uint8_t *to = s->block.data + s->block.len;

    if (raw_bytes >= COMPRESS_MIN) {
        size_t n = ZSTD_compressCCtx(s->zstd, to, raw_bytes - 1, raw, raw_bytes, ZSTD_LEVEL);

        if (!ZSTD_isError(n) && within_ratio(s, raw_bytes, s->file_bytes + s->block.len + n)) {
            s->block.len += n;
            return ASY_BLOCK_F_ZSTD;
        }
    }
    if (raw_bytes > 0) {
        memcpy(to, raw, raw_bytes);
    }
    s->block.len += raw_bytes;
    return 0;
}

static void
put_file_head(asy_buffer *b)
{
    memset(b->data, 0, ASY_FORMAT_FILE_HEAD);
    memcpy(b->data, ASY_FORMAT_MAGIC, sizeof ASY_FORMAT_MAGIC - 1);
    asy_format_put32(b->data + 8, ASY_FORMAT_VERSION);
    b->len = ASY_FORMAT_FILE_HEAD;
}

asy_status
asy_sink_write(asy_sink *s, uint32_t type, const void *raw, size_t raw_bytes)
{
    asy_status st;
    size_t at;
    uint32_t flags;
    uint8_t *head;

    s->block.len = 0;
    st = asy_buffer_reserve(&s->block, ASY_FORMAT_FILE_HEAD + ASY_FORMAT_BLOCK_HEAD + raw_bytes);
    if (st != ASY_OK) {
        return st;
    }
    if (s->file_bytes == 0) {
        put_file_head(&s->block);
    }
    at = s->block.len;
    s->block.len += ASY_FORMAT_BLOCK_HEAD;
    flags = store(s, raw, raw_bytes);
    head = s->block.data + at;
    asy_format_put32(head, type);
    asy_format_put32(head + 4, flags);
    asy_format_put32(head + 8, (uint32_t)raw_bytes);
    asy_format_put32(head + 12, (uint32_t)(s->block.len - at - ASY_FORMAT_BLOCK_HEAD));
    asy_format_put32(head + 16,
                     asy_crc_update(&s->crc, asy_crc_update(&s->crc, 0, head, 16), head + ASY_FORMAT_BLOCK_HEAD,
                                    s->block.len - at - ASY_FORMAT_BLOCK_HEAD));
    st = put(s);
    if (st == ASY_OK) {
        s->file_bytes += s->block.len;
        s->raw_bytes += raw_bytes;
    }
    return st;
}
