// open.c: calls that have not returned: how many of each, and whose the time since the last event is.
// The top of a stack owns that time. Whether the thread ran in it is known at the thread's own end (it read its CPU clock); while it lives,
// the kernel is asked now and then; a killed thread is taken to have gone on as it was last seen. Where nobody ever looked, a
// stretch above the gap limit counts as waiting.
#include "harvest/model.h"

#include "os/os.h"

#define DEPTH_MAX ((uint64_t)ASY_STACK_PARTS * ASY_STACK_PART)
#define LOOKS 4u // threads that are asked for in one poll, in turn: some 10 us each

static uint64_t
ticks_of(const asy_harvest *h, uint64_t ns)
{
    return asy_clock_span_ns(&(asy_clock_scale){.ns_num = h->scale.ns_den, .ns_den = h->scale.ns_num}, ns);
}

// CPU time used since the last event, in ticks, when the thread's clock stood at `cpu_ns`. Between the last reading of that clock and the last
// event there were only short gaps: those count as running.
static uint64_t
ran_since(const asy_harvest *h, const asy_thread *page, uint64_t last, uint64_t cpu_ns)
{
    uint64_t read_ns = asy_word_load(&page->cpu_read_ns);
    uint64_t read_at = asy_word_load(&page->cpu_read_ticks);
    uint64_t before = last > read_at ? last - read_at : 0;
    uint64_t ran = cpu_ns > read_ns ? ticks_of(h, cpu_ns - read_ns) : 0;

    return ran > before ? ran - before : 0;
}

static uint64_t
wait_ticks(const asy_harvest *h, const asy_model_thread *t, const asy_thread *page, uint64_t last, uint64_t gap)
{
    uint64_t end_ns = asy_word_load(&page->end_cpu_ns);
    uint64_t ran = 0;

    if (gap <= h->gap_ticks) {
        return 0;
    }
    if (t->ended && end_ns != 0) {
        ran = ran_since(h, page, last, end_ns);
    } else if (t->seen_event == last && t->seen_ticks > last) {
        unsigned __int128 share = ran_since(h, page, last, t->seen_cpu_ns);

        share = share * gap / (t->seen_ticks - last);
        ran = share < gap ? (uint64_t)share : gap;
    }
    return ran < gap ? gap - ran : 0;
}

// Ask the kernel for the CPU time of a thread that has been in one call for long.
void
asy_open_look(asy_harvest *h, asy_model_thread *t)
{
    const asy_thread *page = asy_threads_page(h, t);
    uint64_t last, cpu_ns;

    if (page == NULL || t->ended || t->process->dead || asy_process_replaced(h, t->process)) {
        return;
    }
    last = asy_word_load(&page->last_ticks);
    if (h->now.ticks <= last || h->now.ticks - last <= h->gap_ticks ||
        !asy_os_thread_cpu_ns(t->process->pid, asy_word_load(&page->native_id), &cpu_ns)) {
        return;
    }
    if (asy_word_load(&page->last_ticks) == last) { // still in it
        t->seen_event = last;
        t->seen_cpu_ns = cpu_ns;
        t->seen_ticks = h->now.ticks;
    }
}

void
asy_open_look_round(asy_harvest *h)
{
    uint32_t n = h->thread_count < LOOKS ? h->thread_count : LOOKS;

    while (n-- > 0) {
        h->look_next = h->look_next + 1 < h->thread_count ? h->look_next + 1 : 0;
        asy_open_look(h, h->threads[h->look_next]);
    }
}

void
asy_open_take(asy_harvest *h, asy_model_thread *t, uint64_t until, asy_model_node *extra, uint32_t *top)
{
    const asy_thread *page = asy_threads_page(h, t);
    uint64_t last = asy_word_load(&page->last_ticks);
    uint64_t depth = __atomic_load_n(&page->depth, __ATOMIC_ACQUIRE);
    uint64_t ended = asy_word_load(&page->end_ticks);

    *top = 0;
    depth = depth < DEPTH_MAX ? depth : DEPTH_MAX;
    for (uint64_t d = 0; d < depth; d++) {
        const asy_frame *f = asy_threads_frame(h, t, d);
        uint32_t node = f == NULL ? ASY_NONE : asy_word_load32(&f->node);

        if (f == NULL) {
            break; // beyond the chunks there are
        }
        if (node < t->node_count) {
            *top = node;
            t->open[node] += d > 0;
        }
    }
    if (t->ended && ended != 0) {
        until = ended;
    }
    if (until > last && last != 0) {
        extra->self_ticks = until - last;
        extra->wait_ticks = wait_ticks(h, t, page, last, extra->self_ticks);
    }
}
