// rows.c: a block's raw bytes to rows.
// Every number is read through a cursor that remembers the first thing wrong and gives 0 from then on, so that a
// row is taken apart first and judged once.
#include "record/rows.h"

#include <stdbool.h>

#include "record/columns.h"
#include "record/format.h"
#include "record/varint.h"

#define BATCH 256u

typedef struct {
    const uint8_t *p, *end;
    const char *why; // NULL: all well so far
} cursor;

static uint64_t
take(cursor *c, uint64_t max)
{
    uint64_t v = 0;
    const uint8_t *p = c->why == NULL ? asy_varint_get(c->p, c->end, &v) : NULL;

    if (p == NULL) {
        c->why = c->why != NULL ? c->why : "a row is cut short";
        return 0;
    }
    c->p = p;
    if (v > max) {
        c->why = "a number is out of its range";
        return 0;
    }
    return v;
}

static uint64_t
take_value(cursor *c)
{
    return take(c, ASY_FORMAT_VALUE_MAX);
}

static uint32_t
take32(cursor *c)
{
    return (uint32_t)take(c, UINT32_MAX);
}

static asy_text
take_text(cursor *c)
{
    uint64_t n = take(c, ASY_FORMAT_TEXT_MAX);
    asy_text t = {(const char *)c->p, 0};

    if (n > (uint64_t)(c->end - c->p)) {
        c->why = "a text is cut short";
        return t;
    }
    t.len = (uint32_t)n;
    c->p += n;
    return t;
}

// Counters that were added later are passed over, those that are not there are 0.
static void
take_losses(cursor *c, uint64_t losses[ASY_LOSS_COUNT])
{
    uint64_t n = take(c, ASY_FORMAT_BLOCK_MAX);

    for (uint64_t i = 0; i < ASY_LOSS_COUNT; i++) {
        losses[i] = i < n ? take_value(c) : 0;
    }
    for (uint64_t i = ASY_LOSS_COUNT; i < n && c->why == NULL; i++) {
        (void)take_value(c);
    }
}

// ---- rows with a length ----

static asy_status
read_session(cursor *c, const asy_reader_handler *h)
{
    asy_reader_session s;

    s.start_unix_ns = take(c, UINT64_MAX);
    s.command = take_text(c);
    s.directory = take_text(c);
    s.script = take_text(c);
    s.assay_version = take_text(c);
    return c->why == NULL ? h->session(h->context, &s) : ASY_ECORRUPT;
}

static asy_status
read_process(cursor *c, const asy_reader_handler *h)
{
    asy_write_process p;

    p.id = take32(c);
    p.pid = take(c, UINT64_MAX);
    p.parent_pid = take(c, UINT64_MAX);
    p.image = take(c, UINT64_MAX);
    p.start_ns = take_value(c);
    p.end_ns = take_value(c);
    p.python_version = take(c, UINT64_MAX);
    p.flags = take(c, UINT64_MAX);
    p.main_thread = take32(c) - 1u; // none is 0 in the file, UINT32_MAX here
    p.program_node = take32(c);
    p.program_ns = take_value(c);
    p.program_end_ns = take_value(c);
    p.exited = (int)take(c, 2);
    p.status = (int)(uint32_t)asy_varint_unzigzag(take(c, UINT32_MAX));
    p.cost_py_in_ps = take_value(c);
    p.cost_py_out_ps = take_value(c);
    p.cost_c_in_ps = take_value(c);
    p.cost_c_out_ps = take_value(c);
    p.resident_bytes = take_value(c);
    take_losses(c, p.losses);
    p.executable = take_text(c);
    p.cwd = take_text(c);
    p.command = take_text(c);
    p.merged = c->why == NULL && c->p < c->end ? take_value(c) : 1;
    return c->why == NULL ? h->process(h->context, &p) : ASY_ECORRUPT;
}

static asy_status
read_thread(cursor *c, const asy_reader_handler *h)
{
    asy_write_thread t;

    t.id = take32(c);
    t.process = take32(c);
    t.serial = take(c, UINT64_MAX);
    t.native_id = take(c, UINT64_MAX);
    t.start_ns = take_value(c);
    t.end_ns = take_value(c);
    t.cpu_ns = take_value(c);
    t.flags = take(c, UINT64_MAX);
    t.merged = take_value(c);
    t.ended = (int)take(c, 1);
    t.overhead_ns = take_value(c);
    t.overhead_events = take_value(c);
    t.name = take_text(c);
    return c->why == NULL ? h->thread(h->context, &t) : ASY_ECORRUPT;
}

static asy_status
read_func(cursor *c, const asy_reader_handler *h)
{
    asy_text strings[ASY_SYMBOL_STRINGS];
    asy_symbol head = {0};
    uint32_t id = (uint32_t)take(c, UINT32_MAX - 1u); // UINT32_MAX is the root's

    head.kind = (uint16_t)take(c, ASY_NODE_KINDS - 1);
    head.flags = take32(c);
    head.line = take32(c);
    head.count = (uint16_t)take(c, ASY_SYMBOL_STRINGS);
    for (unsigned i = 0; i < head.count; i++) {
        strings[i] = take_text(c);
    }
    if (c->why == NULL && (head.kind == ASY_NODE_ROOT || (head.kind == ASY_NODE_TAG && head.count % 2 != 0))) {
        c->why = "a function is of no kind that can be called";
    }
    return c->why == NULL ? h->func(h->context, id, &head, strings) : ASY_ECORRUPT;
}

static asy_status
read_note(cursor *c, const asy_reader_handler *h)
{
    asy_text t = take_text(c);

    return c->why == NULL ? h->note(h->context, t) : ASY_ECORRUPT;
}

static asy_status
read_losses(cursor *c, const asy_reader_handler *h)
{
    uint64_t losses[ASY_LOSS_COUNT];

    take_losses(c, losses);
    return c->why == NULL ? h->losses(h->context, losses) : ASY_ECORRUPT;
}

static asy_status
read_end(cursor *c, const asy_reader_handler *h)
{
    uint64_t duration_ns = take_value(c);

    return c->why == NULL ? h->end(h->context, duration_ns) : ASY_ECORRUPT;
}

typedef asy_status (*row_reader)(cursor *c, const asy_reader_handler *h);

// Fields that a row has beyond those we know are passed over: its length says where the next one begins.
static asy_status
read_rows(cursor *c, row_reader read, const asy_reader_handler *h)
{
    asy_status st = ASY_OK;

    while (c->p < c->end && st == ASY_OK) {
        uint64_t n = take(c, ASY_FORMAT_BLOCK_MAX);
        cursor row;

        if (c->why != NULL || n > (uint64_t)(c->end - c->p)) {
            c->why = "a row is cut short";
            return ASY_ECORRUPT;
        }
        row = (cursor){c->p, c->p + n, NULL};
        st = read(&row, h);
        c->why = row.why;
        c->p += n;
    }
    return st;
}

// ---- columns ----

typedef struct {
    asy_columns_view view;
    unsigned count;
    size_t rows;           // in `value`
    uint32_t thread, node; // of the row before
    uint64_t value[ASY_COLUMNS_MAX][BATCH];
} batch;

// The next rows; threads and nodes as they are, not as differences.
static const char *
next_batch(batch *b, const uint64_t *max)
{
    b->rows = b->view.rows < BATCH ? (size_t)b->view.rows : BATCH;
    for (unsigned i = 0; i < b->count; i++) {
        if (!asy_columns_get(&b->view, i, b->rows, max[i], b->value[i])) {
            return "a column is cut short, or a number in it is out of its range";
        }
    }
    b->view.rows -= b->rows;
    for (size_t i = 0; i < b->rows; i++) {
        int64_t thread = (int64_t)b->thread + asy_varint_unzigzag(b->value[0][i]);
        int64_t node = (int64_t)(uint32_t)(b->node + 1u) + asy_varint_unzigzag(b->value[1][i]);

        if (thread < 0 || thread > UINT32_MAX || node < 0 || node > UINT32_MAX) {
            return "a thread or node is out of its range";
        }
        b->value[0][i] = b->thread = (uint32_t)thread;
        b->value[1][i] = b->node = (uint32_t)node;
    }
    return NULL;
}

static const char *
node_of(const batch *b, size_t i, asy_reader_node *out)
{
    uint32_t base = (uint32_t)b->value[4][i] & 0xFFu;
    bool root = b->value[1][i] == 0;

    *out = (asy_reader_node){
        .thread = (uint32_t)b->value[0][i],
        .node = (uint32_t)b->value[1][i],
        .parent = (uint32_t)(b->value[1][i] - b->value[2][i]),
        .func = (uint32_t)b->value[3][i] - 1u,
        .kind = (uint32_t)b->value[4][i],
    };
    if (root ? b->value[2][i] != 0 : b->value[2][i] == 0 || b->value[2][i] > b->value[1][i]) {
        return "a node's parent does not stand before it";
    }
    if (root != (b->value[3][i] == 0)) {
        return "a node has no function";
    }
    return root == (base == ASY_NODE_ROOT) && base < ASY_NODE_KINDS ? NULL : "a node is of an unknown kind";
}

static asy_status
nodes_of(const batch *b, const asy_reader_handler *h, const char **why)
{
    asy_reader_node rows[BATCH];

    for (size_t i = 0; i < b->rows && *why == NULL; i++) {
        *why = node_of(b, i, &rows[i]);
    }
    return *why == NULL ? h->nodes(h->context, rows, b->rows) : ASY_ECORRUPT;
}

static asy_status
counts_of(const batch *b, const asy_reader_handler *h, const char **why)
{
    asy_reader_counts rows[BATCH];

    for (size_t i = 0; i < b->rows; i++) {
        rows[i] = (asy_reader_counts){
            .thread = (uint32_t)b->value[0][i],
            .node = (uint32_t)b->value[1][i],
            .counts = {.calls = b->value[2][i],
                       .resumes = b->value[3][i],
                       .unwinds = b->value[4][i],
                       .self_ns = b->value[5][i],
                       .wait_ns = b->value[6][i],
                       .suspended_ns = b->value[7][i],
                       .open = (uint32_t)b->value[8][i]},
        };
        if (b->value[6][i] > b->value[5][i]) {
            *why = "a node waited for longer than it took";
            return ASY_ECORRUPT;
        }
    }
    return h->counts(h->context, rows, b->rows);
}

#define DIFFERENCE_MAX (2 * (uint64_t)UINT32_MAX + 1) // zigzag of a difference of two 32-bit numbers

static asy_status
read_columns(cursor *c, uint32_t type, const asy_reader_handler *h)
{
    static const uint64_t nodes_max[] = {DIFFERENCE_MAX, DIFFERENCE_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    static const uint64_t counts_max[] = {DIFFERENCE_MAX,       DIFFERENCE_MAX,       ASY_FORMAT_VALUE_MAX,
                                          ASY_FORMAT_VALUE_MAX, ASY_FORMAT_VALUE_MAX, ASY_FORMAT_VALUE_MAX,
                                          ASY_FORMAT_VALUE_MAX, ASY_FORMAT_VALUE_MAX, UINT32_MAX};
    bool nodes = type == ASY_BLOCK_NODES;
    batch b = {.count = nodes ? ASY_NODES_COLUMNS : ASY_COUNTS_COLUMNS, .node = UINT32_MAX};
    asy_status st = ASY_OK;

    if (!asy_columns_open(&b.view, c->p, c->end, b.count)) {
        c->why = "its columns are not what their lengths say";
        return ASY_ECORRUPT;
    }
    while (b.view.rows > 0 && st == ASY_OK) {
        c->why = next_batch(&b, nodes ? nodes_max : counts_max);
        if (c->why != NULL) {
            return ASY_ECORRUPT;
        }
        st = nodes ? nodes_of(&b, h, &c->why) : counts_of(&b, h, &c->why);
    }
    if (st == ASY_OK && !asy_columns_done(&b.view, b.count)) {
        c->why = "a column is longer than its rows";
        return ASY_ECORRUPT;
    }
    return st;
}

asy_status
asy_rows_read(uint32_t type, const uint8_t *raw, size_t len, const asy_reader_handler *handler, const char **why)
{
    static const row_reader readers[ASY_BLOCK_TYPES] = {
        [ASY_BLOCK_SESSION] = read_session, [ASY_BLOCK_PROCESSES] = read_process, [ASY_BLOCK_THREADS] = read_thread,
        [ASY_BLOCK_FUNCS] = read_func,      [ASY_BLOCK_NOTES] = read_note,        [ASY_BLOCK_LOSSES] = read_losses,
        [ASY_BLOCK_END] = read_end,
    };
    cursor c = {raw, raw + len, NULL};
    asy_status st = ASY_OK;

    if (type == ASY_BLOCK_NODES || type == ASY_BLOCK_COUNTS) {
        st = read_columns(&c, type, handler);
    } else if (type < ASY_BLOCK_TYPES && readers[type] != NULL) {
        st = read_rows(&c, readers[type], handler);
    }
    *why = c.why;
    return st;
}
