// test_measure.c: what a session makes of its harvest's results. The harvest and the writer are ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/measure.h"
#include "harvest/harvest.h"

static struct {
    asy_status died, finished, file;
    uint64_t losses[ASY_LOSS_COUNT]; // as last written
    bool ended;
} fake;
static char object;

asy_status
asy_harvest_new(asy_arena *arena, asy_writer *writer, asy_clock_pair begin, asy_harvest **out)
{
    (void)arena;
    (void)writer;
    (void)begin;
    *out = (asy_harvest *)(void *)&object;
    return ASY_OK;
}

void
asy_harvest_free(asy_harvest *h)
{
    (void)h;
}

asy_status
asy_harvest_poll(asy_harvest *h, asy_clock_pair now, bool write)
{
    (void)h;
    (void)now;
    (void)write;
    return ASY_OK;
}

asy_status
asy_harvest_process_died(asy_harvest *h, uint64_t pid, uint64_t ticks, int exited, int status)
{
    (void)h;
    (void)pid;
    (void)ticks;
    (void)exited;
    (void)status;
    return fake.died;
}

asy_status
asy_harvest_row_died(asy_harvest *h, uint32_t slot, uint64_t ticks, int exited, int status)
{
    (void)slot;
    return asy_harvest_process_died(h, 0, ticks, exited, status);
}

// As the real one does: the head's losses, and what it has folded itself.
asy_status
asy_harvest_finish(asy_harvest *h, asy_clock_pair now)
{
    (void)h;
    (void)now;
    asy_write_losses(NULL, (uint64_t[ASY_LOSS_COUNT]){[ASY_LOSS_FOLDS] = 7});
    return fake.finished;
}

asy_harvest_totals
asy_harvest_count(const asy_harvest *h)
{
    (void)h;
    return (asy_harvest_totals){.programs = 1, .processes_seen = 1};
}

asy_status
asy_writer_new(int fd, asy_writer **out)
{
    (void)fd;
    *out = (asy_writer *)(void *)&object;
    return ASY_OK;
}

void
asy_writer_free(asy_writer *w)
{
    (void)w;
}

asy_status
asy_writer_flush(asy_writer *w)
{
    (void)w;
    return ASY_OK;
}

asy_status
asy_writer_status(const asy_writer *w)
{
    (void)w;
    return ASY_OK;
}

void
asy_writer_outlive(asy_writer *w)
{
    (void)w;
}

asy_status
asy_writer_file_status(const asy_writer *w)
{
    (void)w;
    return fake.file;
}

const void *
asy_writer_bytes(asy_writer *w, size_t *len)
{
    (void)w;
    *len = sizeof object;
    return &object;
}

asy_status
asy_write_session_begin(asy_writer *w, const asy_write_session *s)
{
    (void)w;
    (void)s;
    return ASY_OK;
}

asy_status
asy_write_session_end(asy_writer *w, uint64_t duration_ns)
{
    (void)w;
    (void)duration_ns;
    fake.ended = true;
    return ASY_OK;
}

asy_status
asy_write_note(asy_writer *w, const char *sentence)
{
    (void)w;
    (void)sentence;
    return ASY_OK;
}

asy_status
asy_write_losses(asy_writer *w, const uint64_t losses[ASY_LOSS_COUNT])
{
    (void)w;
    memcpy(fake.losses, losses, sizeof fake.losses);
    return ASY_OK;
}

// *bytes: of the recording in memory, as asy_measure_bytes says.
static asy_status
run_session(asy_status died, asy_status finished, asy_status file, size_t *bytes)
{
    const asy_measure_plan plan = {4u << 20, 0};
    const asy_write_session session = {0};
    asy_measured measured;
    asy_measure *m = NULL;
    const char *problem = NULL;
    bool in_memory;
    asy_status st;

    memset(&fake, 0, sizeof fake);
    fake.died = died;
    fake.finished = finished;
    fake.file = file;
    assert_int_equal(asy_measure_new(&plan, -1, &session, &m, &problem), ASY_OK);
    asy_measure_child_died(m, 1, 1, 0);
    st = asy_measure_finish(m, &measured);
    assert_int_equal(measured, ASY_MEASURED_PROGRAM);
    in_memory = asy_measure_bytes(m, bytes) != NULL;
    assert_int_equal(in_memory, *bytes > 0);
    asy_measure_free(m);
    return st;
}

static void
what_the_harvest_has_folded_is_not_written_over(void **state)
{
    size_t bytes;

    (void)state;
    assert_int_equal(run_session(ASY_OK, ASY_OK, ASY_OK, &bytes), ASY_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(fake.losses[ASY_LOSS_FOLDS], 7);
    assert_true(fake.ended);
}

static void
a_dead_process_that_could_not_be_taken_over_leaves_the_recording_incomplete(void **state)
{
    size_t bytes;

    (void)state;
    assert_int_equal(run_session(ASY_ENOMEM, ASY_OK, ASY_OK, &bytes), ASY_ENOMEM);
    assert_false(fake.ended);
    assert_int_equal(run_session(ASY_OK, ASY_ENOMEM, ASY_ENOSPC, &bytes), ASY_ENOMEM);
    assert_false(fake.ended);
    assert_int_equal(bytes, 0);
}

static void
a_recording_that_its_file_cannot_hold_is_whole_in_memory(void **state)
{
    size_t bytes;

    (void)state;
    assert_int_equal(run_session(ASY_OK, ASY_OK, ASY_ENOSPC, &bytes), ASY_ENOSPC);
    assert_true(fake.ended);
    assert_int_equal(bytes, sizeof object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_harvest_has_folded_is_not_written_over),
        cmocka_unit_test(a_dead_process_that_could_not_be_taken_over_leaves_the_recording_incomplete),
        cmocka_unit_test(a_recording_that_its_file_cannot_hold_is_whole_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
