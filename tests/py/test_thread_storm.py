"""Many threads at once, on any build of Python: with the GIL they take turns, without it they run at the same time.

With ASSAY_TEST_ALL=1 the storms last longer.
"""

from __future__ import annotations

import ast
import os

import pytest

LONG = "ASSAY_TEST_ALL" in os.environ

# Every thread calls the same code objects and C functions, makes code objects that die, and suspends generators that
# another thread goes on with. What must have been counted follows from the numbers alone.
STORM = """
    import threading
    THREADS, ROUNDS, WAVES = 8, 60, {waves}

    def leaf(n):
        return len(range(n))

    def branch(n):
        return leaf(n) + leaf(n + 1)

    def numbers():
        for n in range(4):
            yield n

    def fails():
        raise ValueError

    handed = [[] for _ in range(THREADS)]
    ready = threading.Barrier(THREADS)

    def work(me):
        ready.wait()
        handed[me].extend(numbers() for _ in range(ROUNDS))
        for each in handed[me]:
            next(each)
        ready.wait()
        for each in handed[(me + 1) % THREADS]:
            sum(each)
        for n in range(ROUNDS):
            for _ in range(20):
                branch(n)
            try:
                fails()
            except ValueError:
                pass
            scope = {{}}
            exec(compile(f"def short_lived(): return {{me * ROUNDS + n}}", "made", "exec"), scope)
            assert scope["short_lived"]() == me * ROUNDS + n

    for _ in range(WAVES):
        for each in handed:
            each.clear()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def test_a_storm_of_threads_is_counted_exactly(record) -> None:
    waves = 30 if LONG else 3
    threads = 8 * waves
    rounds = 60 * threads
    tree = record(STORM.format(waves=waves))
    expected = {"work": threads, "branch": 20 * rounds, "leaf": 40 * rounds, "numbers": rounds, "fails": rounds}
    assert {name: tree.calls(name) for name in expected} == expected
    assert tree.calls("short_lived") == rounds
    assert sum(node.resumes for node in tree.find("numbers")) == 4 * rounds
    assert sum(node.unwinds for node in tree.find("fails")) == rounds
    assert sum(node.calls for node in tree.find("len", under="leaf")) == 40 * rounds
    assert tree.losses() == {}


# The same with what a real program has: an event loop a thread, recursion, tags, threads that start threads.
MIXED = """
    import asyncio, queue, threading
    import assay
    THREADS, ROUNDS = 16, {rounds}

    def leaf(n):
        return len(range(n))

    def deep(n):
        return leaf(n) if n == 0 else deep(n - 1)

    def numbers():
        for n in range(5):
            yield n

    async def nap(n):
        await asyncio.sleep(0)
        return leaf(n)

    async def loop():
        await asyncio.gather(*(nap(n) for n in range(20)))

    handed = queue.Queue()
    ready = threading.Barrier(THREADS)

    def work(me):
        ready.wait()
        for n in range(ROUNDS):
            with assay.tag(worker=me % 4):
                deep(200)
                asyncio.run(loop())
                mine = numbers()
                next(mine)
                handed.put(mine)
                list(handed.get())
            scope = {{}}
            exec(compile(f"def short_lived_{{me}}_{{n}}(): return {{n}}", "made", "exec"), scope)
            scope[f"short_lived_{{me}}_{{n}}"]()
            scope.clear()
            short = threading.Thread(target=leaf, args=(3,))
            short.start()
            short.join()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_a_storm_of_loops_tags_and_short_threads_is_counted_exactly(record, libdir) -> None:
    times = 16 * (40 if LONG else 5)
    source = MIXED.format(rounds=times // 16)
    tree = record(source, env={"PYTHONPATH": str(libdir.parent)})
    expected = {"deep": 201 * times, "nap": 20 * times, "loop": times, "numbers": times, "leaf": 22 * times}
    assert {name: tree.calls(name) for name in expected} == expected
    assert sum(node.resumes for node in tree.find("nap")) == 20 * times
    assert sum(node.resumes for node in tree.find("numbers")) == 5 * times
    made = [f["calls"] for f in tree.json["functions"] if f["name"].startswith("short_lived_")]
    assert made == [1] * times
    assert tree.losses() == {}


# Threads run and end while others open and close windows over them. A window may cut each thread inside of one call.
WINDOWS = """
    import sys, threading, time
    import assay
    until = time.monotonic() + {seconds}

    def leaf(n):
        return len(range(n))

    def branch(n):
        return leaf(n) + leaf(n + 1)

    def work(me):
        while time.monotonic() < until:
            for n in range(100):
                branch(n)
            scope = {{}}
            exec(compile("def short_lived(): yield 1", "made", "exec"), scope)
            list(scope["short_lived"]())
            short = threading.Thread(target=branch, args=(me,))
            short.start()
            short.join()

    def calls(recording, name):
        return sum(node.calls for node in recording.find(name))

    def look():
        while time.monotonic() < until:
            with assay.profile() as p:
                time.sleep(0.01)
            branches, leaves = calls(p.recording, "branch"), calls(p.recording, "leaf")
            if branches:
                seen.append(abs(leaves - 2 * branches))

    seen = []
    with assay.profile():
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        threads += [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(len(seen), max(seen))
"""


def test_windows_over_running_threads_agree_with_themselves(inside) -> None:
    printed = inside(WINDOWS.format(seconds=20 if LONG else 2), timeout=120)
    windows, worst = map(int, printed.split())
    assert windows > 0
    assert worst <= 2 * 2 * 16  # at each end of a window, in each thread, one call of branch() under way


# 330 short threads share rows. 32 of them have 44,000 paths each: more than all such rows have room for.
PATHS = """
    import threading
    functions = []
    for n in range(14):
        scope = {"functions": functions}
        exec(f"def f{n}(depth):\\n  for f in functions if depth else (): f(depth - 1)\\n", scope)
        functions.append(scope[f"f{n}"])

    def nothing():
        pass

    def work():
        for f in functions:
            f(3)

    targets = [(nothing, "short")] * 300 + [(work, "work" + chr(97 + n)) for n in range(32)]
    for target, name in targets:
        thread = threading.Thread(target=target, name=name)
        thread.start()
        thread.join()
"""


def test_paths_beyond_the_limit_of_merged_threads_stay_with_their_function(record) -> None:
    tree = record(PATHS)
    times = 32 * (1 + 14 + 14**2 + 14**3)
    assert [tree.calls(f"f{n}") for n in range(14)] == [times] * 14
    assert (tree.calls("work"), tree.calls("nothing")) == (32, 300)
    assert tree.losses().keys() == {"folded_calls"}


@pytest.mark.parametrize("pools", [True, False])
def test_ended_threads_of_a_profile_share_a_few_rows(inside, pools):
    printed = inside(
        f"""
        import assay, threading
        def job(): pass
        def name(n):
            if {pools}:
                return f"ThreadPoolExecutor-{{n}}_0"
            return "request " + "".join("abcdefghij"[int(d)] for d in str(n))
        with assay.profile() as p:
            for n in range(700):
                thread = threading.Thread(target=job, name=name(n))
                thread.start()
                thread.join()
        threads = p.recording.threads
        named = {{t.name: t.threads for t in threads if t.threads > 1}}
        print(sum(t.threads for t in threads), sum(n.calls for n in p.recording.find("job")), len(threads), named)
        """
    )
    threads, calls, rows, named = printed.split(" ", 3)
    merged = ast.literal_eval(named)
    assert (threads, calls) == ("701", "700")
    few = 4  # the last may still be ending
    if pools:
        assert merged["ThreadPoolExecutor-*_*"] >= 444 - few and int(rows) <= 258 + few
    else:
        assert merged["other threads"] >= 380 - few and int(rows) <= 322 + few
