"""How much longer a pool of 16 children takes for small tasks under assay, and one process under cProfile.

    bench/processes.py [--python P …] [--rounds N] [--quick] [--json FILE]

cProfile does not follow processes: its ratio is that of one process. A pool that spawns starts 16 interpreters, whose
imports are measured as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from calls import arguments, pythons
from sides import MEASURED, Assay, log
from table import table

GOAL = 1.25
TASKS = {"one": 2000, "fork": 4000, "spawn": 4000}

Seconds = dict[str, list[float]]  # by side, a figure each round


def commands(python: str, assay: Assay, quick: bool) -> dict[str, list[str]]:
    """By side; what stands before a comma is the plain one."""
    found = {}
    for method, tasks in TASKS.items():
        program = [str(MEASURED / "pool.py"), method, str(tasks // 4 if quick else tasks)]
        found[method] = [python, *program]
        found[f"{method}, assay"] = [str(assay.program), "run", "-q", "-o", "x.assay", "--python", python, *program]
        if method == "one":
            found["one, cProfile"] = [python, "-m", "cProfile", "-o", "x.prof", *program]
    return found


def measure(python: str, assay: Assay, rounds: int, quick: bool) -> dict[str, object]:
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    times: Seconds = {}
    env = {**os.environ, "ASSAY_LIBDIR": str(assay.libdir)}
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as home:
        for number in range(rounds):
            log(f"{version} pool, round {number + 1} of {rounds}")
            for side, command in commands(python, assay, quick).items():
                begin = time.perf_counter()
                subprocess.run(command, cwd=home, env=env, check=True, stdin=subprocess.DEVNULL)
                times.setdefault(side, []).append(time.perf_counter() - begin)
    return {"python": version, "seconds": times}


def markdown(result: dict[str, object]) -> str:
    times: Seconds = result["seconds"]  # type: ignore[assignment]
    head = [f"{result['python']}, 16 children", "ms", "times as long", "at best", "goal"]
    rows: list[list[object]] = []
    for side, own in times.items():
        plain = times[side.split(",")[0]]
        ratio = (
            [f"{median(own) / median(plain):.2f}", f"{min(own) / min(plain):.2f}"] if own is not plain else [None, None]
        )
        rows.append([side, 1e3 * median(own), *ratio, f"{GOAL:.2f}" if side == "fork, assay" else None])
    return table(head, rows)  # type: ignore[arg-type]


def main() -> int:
    options = arguments(__doc__).parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    assay = Assay.built()
    results = []
    for python in options.python or pythons():
        results.append(measure(python, assay, rounds, options.quick))
        print(markdown(results[-1]), end="\n\n", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
