"""Programs whose shares are known: the time of each part is measured by the program itself, in a plain run.

    shares.py SCENARIO

Prints a JSON object: part → ns, and how many ns of all the main thread did not run. The parts are functions called
by `main`.
"""

import json
import sys
import threading
import time
from time import perf_counter_ns, thread_time_ns

UNITS = 60_000


def unit(x):
    x = (x * 31 + 7) % 1_000_003
    x = (x * 37 + 5) % 1_000_003
    x = (x * 41 + 3) % 1_000_003
    return (x * 43 + 1) % 1_000_003


def one_function(x):
    for _ in range(2 * UNITS):
        x = (x * 31 + 7) % 1_000_003
        x = (x * 37 + 5) % 1_000_003
        x = (x * 41 + 3) % 1_000_003
        x = (x * 43 + 1) % 1_000_003
    return x


def small_calls(x):
    for _ in range(2 * UNITS):
        x = unit(x)
    return x


def small_c_calls(x):
    for _ in range(2 * UNITS):
        x = abs((x * 31 + 7) % 1_000_003)
        x = abs((x * 37 + 5) % 1_000_003)
    return x


def deep(x, depth):
    return unit(x) if depth == 0 else deep(unit(x), depth - 1)


def deep_calls(x):
    for _ in range(UNITS // 25):
        x = deep(x, 50)
    return x


def running(x):
    for _ in range(2 * UNITS):
        x = unit(x)
    return x


def waiting(x):
    for _ in range(60):
        time.sleep(0.002)
    return x


def waiting_for_a_lock(x):
    held = threading.Lock()
    held.acquire()
    threading.Timer(0.1, held.release).start()
    with held:
        return x


def busy_thread(x):
    thread = threading.Thread(target=running, args=(x,))
    thread.start()
    thread.join()
    return x


SCENARIOS = {
    "one function or small calls": [one_function, small_calls],
    "one function or C calls": [one_function, small_c_calls],
    "one function or deep calls": [one_function, deep_calls],
    "running or waiting": [running, waiting, waiting_for_a_lock],
    "a thread's work": [one_function, busy_thread],
}


def main(parts):
    took = {}
    x = 1
    ran = thread_time_ns()
    for part in parts:
        start = perf_counter_ns()
        x = part(x)
        took[part.__name__] = took.get(part.__name__, 0) + perf_counter_ns() - start
    return {"parts": took, "waited": sum(took.values()) - (thread_time_ns() - ran)}


if __name__ == "__main__":
    print(json.dumps(main(SCENARIOS[sys.argv[1]])))
