// reader.c: untrusted bytes to blocks that are whole and undamaged.
// Nothing of a block is used before its checksum is right. What cannot be read ends the recording at that block.
#include "record/reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "record/buffer.h"
#include "record/crc.h"
#include "record/format.h"
#include "record/rows.h"

typedef struct {
    asy_reader_source source;
    uint64_t at;        // bytes consumed
    uint64_t raw_total; // of all blocks up to there
    asy_buffer stored;  // file sources: one block
    asy_buffer raw;     // one block, decompressed
    ZSTD_DCtx *zstd;    // owned; NULL until a block needs it
    asy_crc crc;
} reader;

// The next `len` bytes. Memory lends them, a file reads them into `to`. *got < len at the end only.
// Errors: ASY_EIO.
static asy_status
next_bytes(reader *r, uint8_t *to, size_t len, const uint8_t **out, size_t *got)
{
    *got = 0;
    *out = to;
    if (r->source.bytes != NULL) {
        uint64_t left = r->source.len - r->at;

        *got = left < len ? (size_t)left : len;
        *out = r->source.bytes + r->at;
        r->at += *got;
        return ASY_OK;
    }
    while (*got < len) {
        ssize_t n = read(r->source.fd, to + *got, len - *got);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ASY_EIO;
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
        r->at += (size_t)n;
    }
    return ASY_OK;
}

static asy_status
read_file_head(reader *r, asy_reader_result *result)
{
    uint8_t buf[ASY_FORMAT_FILE_HEAD];
    const uint8_t *p;
    size_t got;
    asy_status st = next_bytes(r, buf, sizeof buf, &p, &got);
    uint32_t version;

    if (st != ASY_OK) {
        return st;
    }
    if (got < sizeof buf || memcmp(p, ASY_FORMAT_MAGIC, sizeof ASY_FORMAT_MAGIC - 1) != 0) {
        result->why = "it is not a recording of assay";
        return ASY_ECORRUPT;
    }
    version = asy_format_get32(p + 8);
    if (version != ASY_FORMAT_VERSION) {
        result->why = version == 0 ? "it has no format version" : "it was made by a newer assay, in another format";
        return version == 0 ? ASY_ECORRUPT : ASY_EVERSION;
    }
    return ASY_OK;
}

static const char *
judge_head(const reader *r, const asy_block_head *h)
{
    uint32_t coding = h->flags & ASY_BLOCK_F_CODING;

    if (h->raw_bytes > ASY_FORMAT_BLOCK_MAX || h->stored_bytes > h->raw_bytes) {
        return "a block is longer than blocks may be";
    }
    if (coding != ASY_BLOCK_F_ZSTD && (coding != 0 || h->stored_bytes != h->raw_bytes)) {
        return "a block is coded in an unknown way";
    }
    if (r->raw_total + h->raw_bytes > ASY_FORMAT_RAW_FREE + ASY_FORMAT_RAW_RATIO * (r->at + h->stored_bytes)) {
        return "a block expands to more than blocks may";
    }
    return NULL;
}

// The raw bytes of a block that is whole. *why: it cannot be decompressed.
static asy_status
decompress(reader *r, const asy_block_head *h, const uint8_t *stored, const uint8_t **raw, const char **why)
{
    asy_status st = ASY_OK;
    size_t n;

    *raw = stored;
    if ((h->flags & ASY_BLOCK_F_CODING) == 0) {
        return ASY_OK;
    }
    if (r->zstd == NULL) {
        r->zstd = ZSTD_createDCtx();
    }
    st = r->zstd != NULL ? asy_buffer_reserve(&r->raw, h->raw_bytes) : ASY_ENOMEM;
    if (st != ASY_OK) {
        return st;
    }
    n = ZSTD_decompressDCtx(r->zstd, r->raw.data, h->raw_bytes, stored, h->stored_bytes);
    if (ZSTD_isError(n) || n != h->raw_bytes) {
        *why = "a block cannot be decompressed";
    }
    *raw = r->raw.data;
    return ASY_OK;
}

static const char no_end_block[] = "it ends before its end block";
static const char cut_block[] = "it ends inside a block";

// One block: its head, and its raw bytes if the type is known. *why: what is wrong with it, and reading ends before it.
static asy_status
read_block(reader *r, asy_block_head *head, const uint8_t **raw, const char **why)
{
    uint8_t buf[ASY_FORMAT_BLOCK_HEAD];
    const uint8_t *p, *stored = NULL;
    size_t got;
    uint32_t crc;
    asy_status st = next_bytes(r, buf, sizeof buf, &p, &got);

    if (st != ASY_OK || got < sizeof buf) {
        *why = st == ASY_OK ? no_end_block : NULL;
        return st;
    }
    *head = asy_format_block_head(p);
    crc = asy_crc_update(&r->crc, 0, p, 16);
    *why = judge_head(r, head);
    if (*why != NULL) {
        return ASY_OK;
    }
    if (r->source.bytes == NULL) {
        st = asy_buffer_reserve(&r->stored, head->stored_bytes);
    }
    if (st == ASY_OK) {
        st = next_bytes(r, r->stored.data, head->stored_bytes, &stored, &got);
    }
    if (st != ASY_OK || got < head->stored_bytes) {
        *why = st == ASY_OK ? cut_block : NULL;
        return st;
    }
    if (asy_crc_update(&r->crc, crc, stored, got) != head->crc) {
        *why = "a block is damaged";
        return ASY_OK;
    }
    r->raw_total += head->raw_bytes;
    *raw = stored;
    return head->type < ASY_BLOCK_TYPES ? decompress(r, head, stored, raw, why) : ASY_OK;
}

static asy_status
read_blocks(reader *r, const asy_reader_handler *handler, asy_reader_result *result)
{
    asy_block_head head = {0};
    const uint8_t *raw = NULL;
    asy_status st;

    do {
        result->at = r->at;
        st = read_block(r, &head, &raw, &result->why);
        if (st != ASY_OK || result->why != NULL) {
            result->cut = result->why == no_end_block || result->why == cut_block;
            return st;
        }
        st = asy_rows_read(head.type, raw, head.raw_bytes, handler, &result->why);
    } while (st == ASY_OK && head.type != ASY_BLOCK_END);
    result->complete = st == ASY_OK;
    return st;
}

asy_status
asy_reader_run(const asy_reader_source *source, const asy_reader_handler *handler, asy_reader_result *result)
{
    reader r = {.source = *source};
    asy_status st;

    *result = (asy_reader_result){0};
    asy_crc_init(&r.crc);
    st = read_file_head(&r, result);
    if (st == ASY_OK) {
        st = read_blocks(&r, handler, result);
    }
    if (st == ASY_EIO) {
        result->why = "it cannot be read";
    }
    ZSTD_freeDCtx(r.zstd);
    asy_buffer_free(&r.stored);
    asy_buffer_free(&r.raw);
    return st;
}
