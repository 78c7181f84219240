"""Makes a call tree of about a million nodes: 100 functions call 100 functions that call 100 functions."""

import sys
import time


def make(count, callees):
    functions = []
    for n in range(count):
        scope = {"callees": callees}
        exec(f"def f{n}():\n    for callee in callees:\n        callee()", scope)
        functions.append(scope[f"f{n}"])
    return functions


side = int(sys.argv[1])
third = make(side, ())
second = make(side, third)
first = make(side, second)
for function in first:
    function()
print(time.time_ns())
