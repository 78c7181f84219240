"""How long a large pstats file takes to read and to export, beside pstats.

    bench/files.py [--python P …] [--rounds N] [--quick] [--json FILE]

The file has 100,000 functions (--quick: 10,000) with one to five callers each. For pstats it is the time that
Stats(FILE) and sort_stats() take, inside the process; for assay that of the whole command, start and end included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from calls import arguments, pythons
from sides import MEASURED, Assay, log
from table import table

GOAL = 5.0

Seconds = dict[str, list[float]]  # by side, a figure each round


def seconds_of(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def rounds_of(python: str, program: str, path: Path, rounds: int) -> Seconds:
    """The sides in turn."""
    times: Seconds = {"pstats: load and sort": [], "report": [], "report --callers": []}
    export = [program, "export", str(path), "--force", "-o", str(path.with_suffix(".out")), "--to"]
    for _ in range(rounds):
        out = subprocess.run([python, MEASURED / "stats.py", "time", path], capture_output=True, text=True, check=True)
        times["pstats: load and sort"].append(sum(map(float, out.stdout.split())))
        times["report"].append(seconds_of([program, "report", str(path), "--by", "total"]))
        times["report --callers"].append(seconds_of([program, "report", str(path), "--callers", "function_number_7"]))
        for to in ("pstats", "callgrind", "json"):
            times.setdefault(f"export --to {to}", []).append(seconds_of([*export, to]))
    return times


def measure(python: str, assay: Assay, functions: int, rounds: int) -> dict[str, object]:
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as home:
        path = Path(home) / "large.prof"
        log(f"{version} {functions} functions")
        subprocess.run([python, MEASURED / "stats.py", "make", path, str(functions)], check=True)
        return {
            "python": version,
            "functions": functions,
            "bytes": path.stat().st_size,
            "seconds": rounds_of(python, str(assay.program), path, rounds),
        }


def markdown(result: dict[str, object]) -> str:
    times: Seconds = result["seconds"]  # type: ignore[assignment]
    (peer, theirs), *ours = times.items()
    head = [f"{result['python']}, {result['functions']:,} functions", "ms", f"{peer} / it", "at best", "goal"]
    rows: list[list[object]] = [[peer, 1e3 * median(theirs), None, None, None]]
    for side, own in ours:
        goal = GOAL if side == "report" or side.startswith("export") else None
        rows.append([side, 1e3 * median(own), median(theirs) / median(own), min(theirs) / min(own), goal])
    return table(head, rows)  # type: ignore[arg-type]


def main() -> int:
    options = arguments(__doc__).parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    assay = Assay.built()
    results = []
    for python in options.python or pythons():
        results.append(measure(python, assay, 10_000 if options.quick else 100_000, rounds))
        print(markdown(results[-1]), end="\n\n", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
