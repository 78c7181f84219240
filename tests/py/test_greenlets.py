"""Greenlets: each has a stack of its own. Counts equal what the program counts itself, time belongs to who runs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from packages import with_package
from tree import Tree, record

# Greenlets of the scripts count their own calls, without a call: `count["f"] += 1`.
PRELUDE = """
import collections, json, sys, threading, time
from greenlet import GreenletExit, getcurrent, greenlet
count = collections.Counter()
def leaf():
    count["leaf"] += 1
"""


@pytest.fixture(scope="session")
def greenlets(python) -> Path:
    return with_package(python, "greenlet")


def exact(tree: Tree) -> dict[str, int]:
    """What the program printed that it counted; asserts that we counted the same, and lost nothing."""
    count = json.loads(tree.result.stdout)
    assert {name: tree.calls(name) for name in count} == count
    assert tree.losses() == {}
    return count


@pytest.fixture
def run(assay, greenlets: Path, tmp_path: Path) -> Callable[..., Tree]:
    """`run(source)` profiles a script that counts its own calls, which it prints."""

    def run(source: str, python: Path = greenlets) -> Tree:
        whole = PRELUDE + textwrap.dedent(source) + "\nprint(json.dumps(count))\n"
        return record(assay, python, tmp_path, whole)

    return run


def test_counts_are_right_over_switches(run) -> None:
    tree = run(
        """
        def deep(n, other):
            count["deep"] += 1
            leaf()
            if n:
                deep(n - 1, other)
            other.switch()
            leaf()
        def worker(number, main):
            count["worker"] += 1
            for _ in range(number + 1):
                deep(number, main)
        main = getcurrent()
        workers = [greenlet(worker) for _ in range(20)]
        for number, g in enumerate(workers):
            g.switch(number, main)
        while any(workers):  # in another order each time
            for g in workers[:: 1 if count["deep"] % 2 else -1]:
                if g:
                    g.switch()
        """
    )
    exact(tree)
    for node in tree.find("deep"):
        assert "worker" in node.path and node.path.count("worker") == 1
    assert {n.parent.name for n in tree.find("leaf") if n.parent} == {"deep"}
    assert all(n.open == 0 for n in tree.nodes if n.name in ("worker", "deep", "leaf"))


def test_who_does_not_run_owns_no_time(run) -> None:
    tree = run(
        """
        def idle(other):
            count["idle"] += 1
            other.switch()
            leaf()
        def sleeper():
            count["sleeper"] += 1
            time.sleep(0.5)
        g = greenlet(idle)
        g.switch(getcurrent())
        sleeper()
        g.switch()
        """
    )
    exact(tree)
    assert tree.one("sleep", under="sleeper").wait_ns >= 450_000_000
    mine = [n for n in tree.nodes if "idle" in n.path]
    assert sum(n.self_ns + n.suspended_ns for n in mine) < 100_000_000


def test_what_is_thrown_into_a_greenlet_ends_its_calls(run) -> None:
    tree = run(
        """
        class Thrown(Exception):
            pass
        def inner(main):
            count["inner"] += 1
            main.switch()
        def catches(main):
            count["catches"] += 1
            try:
                inner(main)
            except Thrown:
                leaf()
            main.switch()
            leaf()
        def passes(main):
            count["passes"] += 1
            inner(main)
        main = getcurrent()
        for _ in range(50):
            g = greenlet(catches)
            g.switch(main)
            g.throw(Thrown)
            g.switch()
            assert g.dead
            g = greenlet(passes)
            g.switch(main)
            try:
                g.throw(Thrown("out"))
            except Thrown:
                leaf()
            assert g.dead
            g = greenlet(passes)  # before it began
            try:
                g.throw(Thrown)
            except Thrown:
                leaf()
        """
    )
    exact(tree)
    assert tree.calls("inner", under="catches") == tree.calls("inner", under="passes") == 50
    assert sum(n.unwinds for n in tree.find("inner")) == 100
    assert sum(n.unwinds for n in tree.find("passes")) == 50
    assert all(n.open == 0 for n in tree.nodes if n.name in ("inner", "catches", "passes"))


def test_greenlets_that_are_dropped_unfinished_end(run) -> None:
    tree = run(
        """
        def waits(main, n):
            count["waits"] += 1
            try:
                main.switch()
            finally:
                leaf()
        def other(main, n):
            count["other"] += 1
            main.switch()
            leaf()
        main = getcurrent()
        seen = set()
        for n in range(200):  # addresses are used again, by greenlets that do something else
            g = greenlet(other if n % 2 else waits)
            seen.add(id(g))
            g.switch(main, n)
            if n % 3 == 0:
                g.switch()
            del g
        assert len(seen) < 100
        greenlet(waits)  # never began
        """
    )
    exact(tree)
    assert all("waits" not in n.path for n in tree.find("other"))
    assert all("other" not in n.path for n in tree.find("waits"))
    assert all(n.open == 0 for n in tree.nodes if n.name in ("waits", "other"))


def test_each_thread_has_greenlets_of_its_own(run) -> None:
    tree = run(
        """
        lock = threading.Lock()
        def odd(main, own):
            own["odd"] += 1
            for _ in range(50):
                leaf_of(own)
                main.switch()
        def even(main, own):
            own["even"] += 1
            for _ in range(50):
                main.switch()
                leaf_of(own)
        def leaf_of(own):
            own["leaf_of"] += 1
        def body(kind):
            own = collections.Counter()
            main = getcurrent()
            group = [greenlet(kind) for _ in range(10)]
            for g in group:
                g.switch(main, own)
            while any(group):
                for g in group:
                    if g:
                        g.switch()
                time.sleep(0)
            with lock:
                count.update(own)
        threads = [threading.Thread(target=body, args=[k], name=k.__name__) for k in (odd, even)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        """
    )
    exact(tree)
    assert tree.calls("leaf_of", under="odd") == tree.calls("leaf_of", under="even") == 500
    assert tree.calls("odd") == tree.calls("even") == 10
    assert not list(tree.find("odd", under="even")) and not list(tree.find("even", under="odd"))


def test_a_hub_that_runs_what_is_ready(run) -> None:
    tree = run(
        """
        import heapq
        class Hub:
            def __init__(self):
                self.ready, self.timers, self.now, self.ids = collections.deque(), [], 0, 0
                self.loop = greenlet(self.run)
            def run(self):
                count["Hub.run"] += 1
                while self.ready or self.timers:
                    if not self.ready:
                        self.now, _, g = heapq.heappop(self.timers)
                        self.ready.append(g)
                    self.ready.popleft().switch()
            def spawn(self, func, *args):
                count["Hub.spawn"] += 1
                self.ready.append(greenlet(lambda: func(*args), parent=self.loop))
            def sleep(self, ticks):
                count["Hub.sleep"] += 1
                self.ids += 1
                heapq.heappush(self.timers, (self.now + ticks, self.ids, getcurrent()))
                self.loop.switch()
        hub = Hub()
        def request(n):
            count["request"] += 1
            for i in range(n % 5):
                hub.sleep(1 + (n * 7 + i) % 11)
                leaf()
            if n % 4 == 0:
                hub.spawn(request, n // 2 + 1)
        for n in range(40):
            hub.spawn(request, n)
        hub.loop.switch()
        """
    )
    count = exact(tree)
    assert count["request"] > 40
    assert not list(tree.find("request", under="Hub.run"))  # they have stacks of their own
    assert {n.parent.name for n in tree.find("Hub.sleep") if n.parent} == {"request"}


def test_a_profile_that_begins_amid_greenlets(inside, greenlets: Path) -> None:
    inside(
        """
        import assay
        def inner(main):
            count["inner"] += 1
            main.switch()
            leaf()
            main.switch()
        def outer(main):
            count["outer"] += 1
            inner(main)
            leaf()
        main = getcurrent()
        for again in range(2):
            started = [greenlet(outer) for _ in range(3)]
            for g in started:
                g.switch(main)
            count.clear()
            with assay.profile() as p:
                fresh = [greenlet(outer) for _ in range(2)]
                for _ in range(3):
                    for g in started + fresh:
                        if not g.dead:
                            g.switch(main)
            # begun before: 2 leaf each, below what was open then; begun inside: all
            assert count == {"leaf": 10, "inner": 2, "outer": 2}, count
            [thread] = p.recording.threads
            calls = collections.Counter()
            for n in thread:
                if n.function and n.function.name in ("leaf", "inner", "outer"):
                    calls[n.function.name] += n.calls
                    above = thread.node(n.parent).function if n.parent else None
                    assert (above.name if above else None) in {
                        "outer": [None], "inner": ["outer"], "leaf": ["inner", "outer"]
                    }[n.function.name]
            assert calls == count, calls
            assert not p.recording.processes[0].losses, p.recording.processes[0].losses
        """,
        greenlets,
        prelude=PRELUDE,
    )


def test_a_second_profile_begins_in_another_greenlet(inside, greenlets: Path) -> None:
    inside(
        """
        import assay
        def first():
            assay.start()
            main.switch()
            for _ in range(5):
                leaf()
            main.switch()
        def second():
            with assay.profile() as p:
                leaf()
                g.switch()  # back by main
                leaf()
            return p
        main = getcurrent()
        g, h = greenlet(first), greenlet(second)
        g.switch()
        assay.stop()  # begun in g, ended here
        h.switch()  # not measured: h begins the next one
        leaf()
        p = h.switch()
        [thread] = p.recording.threads
        calls = collections.Counter()
        for n in thread:
            if n.function and n.function.name == "leaf":
                calls[thread.node(n.parent).function.name] += n.calls
                assert thread.node(n.parent).parent == 0
        assert calls == {"first": 5, "second": 2, "<module>": 1}, calls
        assert not p.recording.processes[0].losses, p.recording.processes[0].losses
        """,
        greenlets,
        prelude=PRELUDE,
    )


def test_gevent(run, python) -> None:
    tree = run(
        """
        import gevent, gevent.pool, gevent.queue
        queue = gevent.queue.Queue()
        def produce(n):
            count["produce"] += 1
            for i in range(5):
                leaf()
                gevent.sleep(0)
                queue.put(n * i)
        def consume():
            count["consume"] += 1
            while queue.get() is not None:
                leaf()
        consumers = [gevent.spawn(consume) for _ in range(3)]
        gevent.pool.Pool(4).map(produce, range(20))
        for _ in consumers:
            queue.put(None)
        gevent.joinall(consumers)
        """,
        with_package(python, "gevent"),
    )
    exact(tree)
    assert tree.calls("leaf", under="produce") == tree.calls("leaf", under="consume") == 100
