"""What the calls lens and the drop-in cost, beside the same interpreter's cProfile, yappi and viztracer.

bench/calls.py [--python P …] [--rounds N] [--quick] [--only events,programs,start,nodes] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from sides import MEASURED, ROOT, Assay, Bench, interpreter, log
from table import added, table

# Goals: what an event may add, as a part of what it adds under cProfile. (3.12 and later, 3.11)
GOALS = {
    "python, C counted": (1 / 2, 1 / 1.3),
    "C call": (1 / 2.5, 1 / 1.5),
    "python only": (1 / 2.5, 1 / 1.3),
}

# row, the loop of measured/events.py, its goal
ROWS = [
    ("Python call, recursive", "recursive", "python, C counted"),
    ("Python call, flat loop", "flat", "python, C counted"),
    ("Python call, methods", "methods", "python, C counted"),
    ("C function", "function_c", "C call"),
    ("C method", "method_c", "C call"),
    ("C calls, mixed", "mixed_c", "C call"),
    ("Python only, recursive", "recursive", "python only"),
    ("Python only, flat loop", "flat", "python only"),
    ("Python only, methods", "methods", "python only"),
]

# pyperformance's programs: arguments, and loops for about half a second
PROGRAMS = {
    "richards": ([], 12),
    "deltablue": ([], 100),
    "raytrace": ([], 1),
    "chaos": ([], 4),
    "go": ([], 3),
    "nbody": ([], 4),
    "json_loads": ([], 20000),
    "regex_compile": ([], 3),
    "async_tree": (["none"], 1),
    "logging": (["format"], 15000),
}


def event_slices(bench: Bench, side: str, kind: str, slices: int) -> float:
    script = str(MEASURED / "events.py")
    if side.startswith("assay") or side == "plain":
        command = bench.command(side, script, kind, str(slices))
    else:
        command = bench.command("plain", script, kind, str(slices), side.replace("dropin", "cprofile"))
    out = bench.run(command, dropin=side.startswith("dropin")).stdout
    return median(float(line) for line in out.split())


def events(bench: Bench, rounds: int, slices: int) -> list[dict]:
    """Added ns per event, for each row and side."""
    found = []
    for row, kind, goal in ROWS:
        if goal == "python only" and not bench.assay.has_python_only():
            log(f"{row}: assay has no option for Python functions only")
            continue
        only = "-py" if goal == "python only" else ""
        sides = ["plain", "assay" + only, "dropin" + only, "cprofile" + only]
        sides += [peer + only for peer in ("yappi", "viztracer") if peer in bench.python.peers]
        took = take_turns(sides, rounds, lambda side, kind=kind: event_slices(bench, side, kind, slices))
        cost = {side: added(took[side], took["plain"]) for side in sides[1:]}
        best = {side: min(took[side]) - min(took["plain"]) for side in sides[1:]}
        found.append(
            {
                "row": row,
                "goal": GOALS[goal][bench.python.version.startswith("3.11")],
                "plain_ns": median(took["plain"]),
                "assay_ns": cost["assay" + only],
                "dropin_ns": cost["dropin" + only],
                "cprofile_ns": cost["cprofile" + only],
                "yappi_ns": cost.get("yappi" + only),
                "viztracer_ns": cost.get("viztracer" + only),
                "assay_best_ns": best["assay" + only],
                "cprofile_best_ns": best["cprofile" + only],
            }
        )
        log(f"{bench.python.version} {row}: {found[-1]['assay_ns']:.1f} against {found[-1]['cprofile_ns']:.1f} ns")
    return found


def take_turns(sides: list[str], rounds: int, once: Callable[[str], float]) -> dict[str, list[float]]:
    """Every side once a round, in an order that changes from round to round."""
    took: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        shift = number % len(sides)
        for side in sides[shift:] + sides[:shift]:
            took[side].append(once(side))
    return took


def benchmarks_of(bench: Bench) -> Path:
    code = "import pyperformance; print(pyperformance.__path__[0])"
    home = bench.run([str(bench.python.path), "-c", code]).stdout.strip()
    return Path(home) / "data-files" / "benchmarks"


def program_ns(bench: Bench, side: str, script: Path, args: list[str], loops: int) -> float:
    out = bench.scratch / "worker.json"
    out.unlink(missing_ok=True)
    bench.run(bench.command(side, script, *args, "--worker", "-l", str(loops), "-n1", "-w0", "-o", out), timeout=600)
    runs = json.loads(out.read_text())["benchmarks"][0]["runs"]
    return runs[0]["values"][0] * loops * 1e9


def programs(bench: Bench, rounds: int, quick: bool) -> list[dict]:
    """How many times longer pyperformance's programs take."""
    if "pyperformance" not in bench.python.peers:
        log(f"{bench.python.version}: pyperformance is not there, no whole programs")
        return []
    home = benchmarks_of(bench)
    found = []
    for name, (args, loops) in PROGRAMS.items():
        script = home / f"bm_{name}" / "run_benchmark.py"
        if quick:
            loops = max(1, loops // 4)

        def once(side: str, script=script, args=args, loops=loops) -> float:
            return program_ns(bench, side, script, args, loops)

        took = take_turns(["plain", "assay", "cprofile"], rounds, once)
        plain = median(took["plain"])
        found.append(
            {
                "program": name,
                "plain_s": plain / 1e9,
                "assay": median(a / b for a, b in zip(took["assay"], took["plain"], strict=True)),
                "cprofile": median(a / b for a, b in zip(took["cprofile"], took["plain"], strict=True)),
            }
        )
        log(f"{bench.python.version} {name}: {found[-1]['assay']:.2f} against {found[-1]['cprofile']:.2f}")
    return found


def elapsed_ms(bench: Bench, command: list[str]) -> float:
    start = time.perf_counter_ns()
    subprocess.run(command, env=bench.environ(), cwd=bench.scratch, stdin=subprocess.DEVNULL, check=True)
    return (time.perf_counter_ns() - start) / 1e6


def start(bench: Bench, rounds: int) -> dict:
    """Start-up of a program that does nothing, recording written; and of `import assay`."""
    took = take_turns(["plain", "assay"], rounds * 4, lambda side: elapsed_ms(bench, bench.command(side, "-c", "pass")))
    code = "from time import perf_counter_ns as t; a = t(); import assay; print(t() - a)"
    imports = [float(bench.run([str(bench.python.path), "-c", code]).stdout) / 1e6 for _ in range(rounds * 4)]
    return {
        "plain_ms": median(took["plain"]),
        "added_ms": added(took["assay"], took["plain"]),
        "import_ms": median(imports),
    }


def nodes(bench: Bench, rounds: int, side: int) -> dict:
    """A recording of side ** 3 nodes: seconds from the end of the program to assay's, and of a report."""
    script = MEASURED / "wide.py"
    write, plain, report, as_json = [], [], [], []
    for _ in range(rounds):
        ended = int(bench.run(bench.command("plain", script, str(side))).stdout)
        plain.append((time.time_ns() - ended) / 1e9)
        ended = int(bench.run(bench.command("assay", script, str(side))).stdout)
        write.append((time.time_ns() - ended) / 1e9)
        for options, took in (([], report), (["--format", "json"], as_json)):
            begun = time.perf_counter()
            with open(bench.scratch / "report.out", "wb") as out:
                subprocess.run(
                    [bench.assay.program, "report", bench.recording, *options],
                    env=bench.environ(),
                    stdout=out,
                    check=True,
                )
            took.append(time.perf_counter() - begun)
    return {
        "nodes": side**3 + side**2 + side,
        "bytes": bench.recording.stat().st_size,
        "write_s": added(write, plain),
        "report_s": median(report),
        "report_json_s": median(as_json),
    }


def markdown(result: dict) -> str:
    """The tables of one interpreter."""
    parts = [f"## CPython {result['version']}"]
    if rows := result.get("events"):
        parts.append("Added time per event, ns:")
        parts.append(
            table(
                [
                    "",
                    "plain",
                    "assay",
                    "drop-in",
                    "cProfile",
                    "yappi wall",
                    "viztracer",
                    "assay/cProfile",
                    "drop-in/cProfile",
                    "goal",
                    "",
                    "at best",
                ],
                [
                    [
                        r["row"],
                        r["plain_ns"],
                        r["assay_ns"],
                        r["dropin_ns"],
                        r["cprofile_ns"],
                        r["yappi_ns"],
                        r["viztracer_ns"],
                        f"1/{r['cprofile_ns'] / max(r['assay_ns'], 0.1):.2f}",
                        f"1/{r['cprofile_ns'] / max(r['dropin_ns'], 0.1):.2f}",
                        f"1/{1 / r['goal']:.1f}",
                        "met" if max(r["assay_ns"], r["dropin_ns"]) <= r["goal"] * r["cprofile_ns"] else "missed",
                        f"1/{r['cprofile_best_ns'] / max(r['assay_best_ns'], 0.1):.2f}",
                    ]
                    for r in rows
                ],
            )
        )
    if rows := result.get("programs"):
        parts.append("Whole programs, times as long as plain:")
        parts.append(
            table(
                ["", "plain s", "assay", "cProfile", ""],
                [
                    [
                        r["program"],
                        f"{r['plain_s']:.2f}",
                        f"{r['assay']:.2f}",
                        f"{r['cprofile']:.2f}",
                        "lower" if r["assay"] < r["cprofile"] else "higher",
                    ]
                    for r in rows
                ],
            )
        )
    small = []
    if s := result.get("start"):
        small.append(["`assay run -c pass` over `python -c pass`", f"{s['added_ms']:.1f} ms", "30 ms"])
        small.append(["`import assay`", f"{s['import_ms']:.2f} ms", "5 ms"])
    if n := result.get("nodes"):
        small.append([f"recording of {n['nodes']:,} nodes written", f"{n['write_s']:.2f} s", "2 s"])
        small.append(["and reported", f"{n['report_s']:.2f} s", "2 s"])
        small.append(["and reported as JSON", f"{n['report_json_s']:.2f} s", ""])
        small.append(["its size", f"{n['bytes'] / 1e6:.1f} MB", ""])
    if small:
        parts.append(table(["", "measured", "goal"], small))
    return "\n\n".join(parts)


def measure(python: str, assay: Assay, options: argparse.Namespace) -> dict:
    bench = Bench(interpreter(python), assay)
    wanted = options.only.split(",")
    result: dict = {"version": bench.python.version}
    try:
        if "events" in wanted:
            result["events"] = events(bench, options.rounds, 60 if options.quick else 250)
        if "programs" in wanted:
            result["programs"] = programs(bench, options.rounds, options.quick)
        if "start" in wanted:
            result["start"] = start(bench, options.rounds)
        if "nodes" in wanted:
            result["nodes"] = nodes(bench, 1 if options.quick else 3, 40 if options.quick else 100)
    finally:
        shutil.rmtree(bench.scratch, ignore_errors=True)
    return result


def pythons() -> list[str]:
    """What tools/pythons finds that runs here, outside of any chroot."""
    out = subprocess.run([ROOT / "tools" / "pythons", "--here"], capture_output=True, text=True, check=True)
    return [line.split()[-1] for line in out.stdout.splitlines()]


def arguments(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--python", nargs="+", action="extend", metavar="P", help="interpreters (default: all of tools/pythons)"
    )
    parser.add_argument("--rounds", type=int, help="turns of each side")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter: to see that it runs")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    return parser


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--only", default="events,programs,start,nodes", help="parts, comma separated")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = 3 if options.quick else 7
    assay = Assay.built()
    results = []
    for python in options.python or pythons():
        results.append(measure(python, assay, options))
        print(markdown(results[-1]), end="\n\n", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
