"""Times one kind of event in a loop, and prints the ns that each of them took, one slice of the loop a line.

    events.py KIND SLICES [cprofile|cprofile-py|yappi|yappi-py]

The last argument switches a peer on around the loops; without it the process is what it is: plain, or under
assay.
"""

import sys
from time import perf_counter_ns


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


FIB = 18
FIB_CALLS = 8361


def recursive():
    fib(FIB)


def empty():
    pass


def flat():
    for _ in range(8000):
        empty()


class Point:
    def __init__(self, x):
        self.x = x

    def left(self):
        return self.x

    def right(self):
        return self.left()

    def up(self):
        return self.right()


POINTS = [Point(n) for n in range(1000)]


def methods():
    """Several callees of one caller, so that the callee is not the one of the call before."""
    for point in POINTS:
        point.up()
        point.left()


def function_c():
    for _ in range(8000):
        len(POINTS)


def method_c():
    text = "a"
    for _ in range(8000):
        text.isalpha()


def mixed_c():
    text = "a"
    for point in POINTS:
        len(text)
        abs(-1)
        text.upper()
        hash(point)


# What is timed, and how many events it has.
KINDS = {
    "recursive": (recursive, FIB_CALLS),
    "flat": (flat, 8000),
    "methods": (methods, 4000),
    "function_c": (function_c, 8000),
    "method_c": (method_c, 8000),
    "mixed_c": (mixed_c, 4000),
}


def switch_on(peer):
    """Start the peer; returns what stops it."""
    if peer.startswith("cprofile"):
        import cProfile

        profile = cProfile.Profile()
        profile.enable(builtins=peer == "cprofile")
        return profile.disable
    if peer.startswith("viztracer"):
        import viztracer

        tracer = viztracer.VizTracer(verbose=0, tracer_entries=1_000_000, ignore_c_function=peer != "viztracer")
        tracer.start()
        return tracer.stop
    import yappi

    yappi.set_clock_type("wall")
    yappi.start(builtins=peer == "yappi")
    return yappi.stop


def measure(work, events, slices):
    took = []
    for _ in range(slices):
        start = perf_counter_ns()
        work()
        took.append((perf_counter_ns() - start) / events)
    return took


def main():
    work, events = KINDS[sys.argv[1]]
    slices = int(sys.argv[2])
    measure(work, events, slices // 10 + 10)  # warm: specialised, and every function seen
    if len(sys.argv) > 3:
        stop = switch_on(sys.argv[3])
        measure(work, events, slices // 10 + 10)
        took = measure(work, events, slices)
        stop()
    else:
        took = measure(work, events, slices)
    print("\n".join(f"{each:.3f}" for each in took))


main()
