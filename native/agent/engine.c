// engine.c: an arena in the process itself, made once.
#include "agent/engine.h"

#include <sys/mman.h>
#include <unistd.h>

#include "agent/session.h"
#include "os/os.h"

#define ARENA_BYTES (256ull << 20) // sparse; chunks of ended threads are used again
#define CPU_GAP_NS 20000u

// Head and settings of a new arena.
static asy_status
arena_fill(int fd, uint64_t bytes, uint64_t nonce)
{
    asy_arena_head *head = mmap(NULL, sizeof(*head), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    asy_status st;

    if (head == MAP_FAILED) {
        return ASY_ENOMEM;
    }
    st = asy_arena_format(head, bytes, nonce);
    if (st == ASY_OK) {
        asy_clock_kind clock = asy_clock_choose();
        asy_clock_pair one = asy_clock_take_pair(clock), two;
        do {
            two = asy_clock_take_pair(clock);
        } while (two.ns - one.ns < 100000);
        head->clock = (uint32_t)clock;
        head->node_max = (uint64_t)ASY_NODE_PARTS * ASY_NODE_PART;
        head->cpu_gap_ticks = (two.ticks - one.ticks) * CPU_GAP_NS / (two.ns - one.ns);
    }
    munmap(head, sizeof(*head));
    return st;
}

// *fd is the caller's to close where it is not -1.
static asy_status
arena_make(int *fd, uint64_t *nonce)
{
    uint64_t least = asy_arena_front_bytes(0) + 8 * ASY_CHUNK_BYTES;
    uint64_t bytes = 0;
    asy_status st;

    *fd = -1;
    st = asy_os_shared_make(ARENA_BYTES, least, fd, &bytes);
    if (st == ASY_OK) {
        st = asy_os_random(nonce);
    }
    return st == ASY_OK ? arena_fill(*fd, bytes, *nonce) : st;
}

// In a fork child: its parent's arena is shared, so that it takes one of its own.
static asy_status
engine_again(void)
{
    uint64_t nonce = 0;
    int fd;
    asy_status st = arena_make(&fd, &nonce);

    if (st == ASY_OK) {
        st = asy_agent_settle_alone(fd, nonce);
    }
    if (fd >= 0) {
        close(fd);
    }
    return st;
}

static asy_status
engine_make(asy_agent *a)
{
    uint64_t nonce = 0;
    int fd;
    asy_status st = arena_make(&fd, &nonce);

    if (st == ASY_OK) {
        a->standalone = true;
        a->program_begun = 1; // there are no phases: all is the program
        st = asy_session_engine(fd, nonce);
    }
    if (fd >= 0) {
        close(fd); // the mapping stays
    }
    return st;
}

asy_status
asy_engine_need(void)
{
    asy_agent *a = &asy_the_agent;

    if (asy_engine_forked() && !asy_agent_settle()) {
        return a->standalone ? engine_again() : ASY_EGONE;
    }
    if (a->tool_ready) {
        return ASY_OK;
    }
    if (a->renew) {
        return asy_session_renew();
    }
    return a->proc != NULL ? asy_session_engine(-1, 0) : engine_make(a);
}
