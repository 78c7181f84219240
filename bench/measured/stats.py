"""A pstats file as cProfile would write it, and how long pstats takes with one.

python stats.py make FILE FUNCTIONS     each function with one to five callers, in 500 files
python stats.py time FILE               seconds: loading, sorting
"""

import marshal
import pstats
import random
import sys
import time


def make(path, count):
    rng = random.Random(1)
    files = [f"/srv/application/package_{n // 20}/subpackage_{n % 20}/module_{n}.py" for n in range(500)]
    names = [f"function_number_{n}" for n in range(count)]

    def labels():  # as cProfile makes them: a tuple for a function's entry, another one for all that it called
        return [(files[n % 500], 10 * (n // 500) + 1, names[n]) for n in range(count)]

    entries, callers = labels(), labels()
    stats = {}
    for entry in entries:
        calls = rng.randrange(1, 10_000)
        by = {}
        for _ in range(rng.randrange(1, 6)):
            by[callers[rng.randrange(count)]] = (calls, calls, rng.random() / 100, rng.random())
        stats[entry] = (calls, calls * len(by), rng.random() / 10, rng.random() * 10, by)
    with open(path, "wb") as file:
        marshal.dump(stats, file)


def measure(path):
    begin = time.perf_counter()
    stats = pstats.Stats(path)
    loaded = time.perf_counter()
    stats.sort_stats("cumulative")
    print(loaded - begin, time.perf_counter() - loaded)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        measure(sys.argv[2])
