"""Many threads at once, on any build of Python: with the GIL they take turns, without it they run at the same time."""

from __future__ import annotations

from pathlib import Path

from tree import record

# Every thread calls the same code objects and C functions, makes code objects that die, and suspends generators that
# another thread goes on with. What must have been counted follows from the numbers alone.
STORM = """
    import threading
    THREADS, ROUNDS = 8, 60
    WAVES = 3

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
            scope = {}
            exec(compile(f"def short_lived(): return {me * ROUNDS + n}", "made", "exec"), scope)
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
THREADS, ROUNDS, WAVES = 8, 60, 3


def test_a_storm_of_threads_is_counted_exactly(assay, python, tmp_path: Path) -> None:
    tree = record(assay, python, tmp_path, STORM)
    rounds = THREADS * ROUNDS * WAVES
    expected = {"work": THREADS * WAVES, "branch": 20 * rounds, "leaf": 40 * rounds, "numbers": rounds, "fails": rounds}
    assert {name: tree.calls(name) for name in expected} == expected
    assert tree.calls("short_lived") == rounds
    assert sum(node.resumes for node in tree.find("numbers")) == 4 * rounds
    assert sum(node.unwinds for node in tree.find("fails")) == rounds
    assert sum(node.calls for node in tree.find("len", under="leaf")) == 40 * rounds
    assert tree.losses() == {}
