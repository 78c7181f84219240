"""assay.profile(only=tag): what runs inside the tag, wherever that is, and nothing else."""

from __future__ import annotations

PRELUDE = """
import asyncio, contextvars, threading, time
import assay

def leaf(): pass

def mine(n):
    for _ in range(n):
        leaf()

def other(n):
    for _ in range(n):
        leaf()

one, two = assay.tag(request=1), assay.tag(request=2)

def calls(p):
    "Calls by name, of all threads."
    out = {}
    for t in p.recording.threads:
        for n in t:
            if n.function:
                out[n.function.name] = out.get(n.function.name, 0) + n.calls
    return out

def ours(p):
    return {name: n for name, n in calls(p).items() if name in ("mine", "other", "leaf", "request=1", "request=2")}
"""


def test_only_what_runs_inside_the_tag_is_there(inside):
    inside(
        """
        with assay.profile(only=one) as p:
            other(3)
            with one:
                mine(5)
            with two:
                other(2)
            def deeper():
                with one:
                    mine(2)
            deeper()
        assert ours(p) == {"request=1": 2, "mine": 2, "leaf": 7}, ours(p)
        (thread,) = p.recording.threads
        assert [n.function.name for n in thread if n.parent == 0] == ["request=1"]  # several paths, one tree
        assert thread.self_ns[0] == 0
        """,
        prelude=PRELUDE,
    )


def test_every_thread_with_the_tag_is_there_and_no_other(inside):
    inside(
        """
        def work(tag, what, n):
            with tag:
                what(n)
        with assay.profile(only=one) as p:
            threads = [threading.Thread(target=work, args=a) for a in ((one, mine, 3), (two, other, 4), (one, mine, 5))]
            for t in threads: t.start()
            for t in threads: t.join()
        assert ours(p) == {"request=1": 2, "mine": 2, "leaf": 8}, ours(p)
        assert len(p.recording.threads) == 2
        """,
        prelude=PRELUDE,
    )


def test_what_was_before_and_comes_after_is_not(inside):
    inside(
        """
        with assay.profile():
            with one:
                mine(3)
                with assay.profile(only=one) as p:
                    mine(4)
                mine(5)
        assert ours(p) == {"request=1": 0, "mine": 1, "leaf": 4}, ours(p)
        """,
        prelude=PRELUDE,
    )


def test_tasks_in_one_loop_are_told_apart(inside):
    inside(
        """
        async def step(what):
            what(1)
            await asyncio.sleep(0)
        async def job(tag, what, n, p):
            with p, tag:
                for _ in range(n):
                    await step(what)
                await asyncio.gather(*(step(what) for _ in range(n)))
                await asyncio.to_thread(what, 1)
        async def main():
            a, b = assay.profile(only=one), assay.profile(only=two)
            await asyncio.gather(job(one, mine, 5, a), job(two, other, 40, b))
            return a, b
        a, b = asyncio.run(main())
        assert ours(a) == {"request=1": 1, "mine": 11, "leaf": 11}, ours(a)
        assert ours(b) == {"request=2": 1, "other": 81, "leaf": 81}, ours(b)
        """,
        prelude=PRELUDE,
    )


def test_shown_labels_take_the_place_of_the_tags(inside):
    inside(
        """
        with assay.profile(only=one) as p, one:
            mine(1)
        assert "request=1" in calls(p)
        p.show_as(assay.tag(route="/items/{id}", method="GET", status=200))
        p.save("x.assay")
        (tag,) = [f for f in assay.open("x.assay").functions if f.kind == 5]
        assert dict(tag.labels) == {"method": "GET", "route": "/items/{id}", "status": "200"}
        p.show_as(assay.tag(route="é" * 5000))
        (tag,) = [f for f in assay.recording.load(p.bytes()).functions if f.kind == 5]
        assert len(tag.labels["route"].encode()) <= 4096 and tag.labels["route"].startswith("éé")
        """,
        prelude=PRELUDE,
    )


def test_what_is_no_tag_with_labels_is_refused(inside):
    inside(
        """
        for make in (lambda: assay.profile(only=5), lambda: assay.profile(only=assay.tag()),
                     lambda: assay.profile(one), lambda: assay.profile(other=one),
                     lambda: assay.profile(only=one).show_as("x")):
            try:
                make()
            except TypeError:
                continue
            raise AssertionError
        try:
            assay.profile().show_as(one)
        except RuntimeError:
            pass
        else:
            raise AssertionError
        assert assay.profile(only=None) is not None
        """,
        prelude=PRELUDE,
    )


def test_a_label_that_has_no_text_stops_nothing(inside):
    inside(
        """
        class Bad:
            def __str__(self): raise ValueError
        with assay.profile(only=assay.tag(x=Bad())) as p:
            mine(1)
        assert calls(p) == {}
        """,
        prelude=PRELUDE,
    )


def test_released_tag_is_off_what_runs_on(inside):
    inside(
        """
        async def orphan(n):
            for _ in range(n):
                mine(1)
                await asyncio.sleep(0)
        async def main():
            with assay.profile():  # events stay on
                with one:
                    task = asyncio.create_task(orphan(20))
                    await asyncio.sleep(0)
                assert one.release()
                with assay.profile(only=one) as p:
                    await asyncio.sleep(0)
                    with one:
                        other(2)
                    await task
                assert ours(p) == {"request=1": 1, "other": 1, "leaf": 2}, ours(p)
        asyncio.run(main())
        """,
        prelude=PRELUDE,
    )


def test_release_tells_of_what_still_runs(inside):
    inside(
        """
        go, there = threading.Event(), threading.Event()
        def wait():
            there.set()
            go.wait()
        def inner():
            with one:
                wait()
        with assay.profile():
            t = threading.Thread(target=inner)
            t.start()
            there.wait()
            assert not one.release() and two.release()
            go.set()
            t.join()
            assert one.release()
            with one:
                assert not one.release()
            assert one.release()
        assert one.release()
        """,
        prelude=PRELUDE,
    )


def test_nothing_is_kept_alive(inside):
    inside(
        """
        import sys, gc
        tag = assay.tag(a=1)
        before = sys.getrefcount(tag)
        for _ in range(100):
            with assay.profile(only=tag) as p, tag:
                mine(1)
            p.show_as(tag)
            p.bytes()
        del p
        gc.collect()
        assert sys.getrefcount(tag) == before
        """,
        prelude=PRELUDE,
    )


def test_dropped_profile_is_as_if_it_had_never_begun(inside):
    inside(
        """
        p = assay.profile()
        p.__enter__()
        mine(1)
        p.drop()
        assert not p.running
        for ask in (lambda: p.recording, p.bytes, p.drop):
            try:
                ask()
            except RuntimeError:
                continue
            raise AssertionError
        with p:
            mine(2)
        assert ours(p) == {"mine": 1, "leaf": 2}, ours(p)
        """,
        prelude=PRELUDE,
    )
