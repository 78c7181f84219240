"""Whether reported shares are true, beside cProfile's.

    bench/accuracy.py [--python P …] [--rounds N] [--quick] [--json FILE]

The programs in measured/shares.py do the same work in one function and in many small calls, or run and wait.
The truth is the clock of a plain run; what is compared is each part's share of the whole, in points
(hundredths of the whole).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from calls import arguments, pythons
from sides import MEASURED, Assay, Bench, interpreter, log
from table import table

SCENARIOS = [
    "one function or small calls",
    "one function or C calls",
    "one function or deep calls",
    "running or waiting",
    "a thread's work",
]
GOAL_POINTS = 5.0

Shares = dict[str, float]  # hundredths of the whole, by part


def shares(ns: dict[str, float]) -> Shares:
    whole = sum(ns.values())
    return {part: 100 * value / whole for part, value in ns.items()}


def recorded(bench: Bench, scenario: str) -> tuple[dict[str, float], float]:
    """Total ns of each part as assay reports it, and the ns that the main thread's parts waited."""
    truth = bench.run(bench.command("assay", MEASURED / "shares.py", scenario))
    parts = json.loads(truth.stdout)["parts"]
    out = bench.run([str(bench.assay.program), "report", str(bench.recording), "--format", "json"])
    report = json.loads(out.stdout)
    names = {function["id"]: function["name"] for function in report["functions"]}
    ns = dict.fromkeys(parts, 0.0)
    waited = 0.0
    for node in report["nodes"]:
        caller = report["nodes"][node["parent"] or 0]
        part = names.get(node["function"])
        if part in ns and names.get(caller["function"]) == "main":
            ns[part] += node["total_ns"]
            waited += node["total_wait_ns"]
    return ns, waited


def profiled(bench: Bench, scenario: str) -> dict[str, float]:
    """Cumulative seconds of each part as cProfile reports it."""
    parts = json.loads(bench.run(bench.command("cprofile", MEASURED / "shares.py", scenario)).stdout)["parts"]
    code = (
        "import json, pstats, sys; stats = pstats.Stats(sys.argv[1]).stats;"
        "print(json.dumps({key[2]: row[3] for key, row in stats.items() if 'shares.py' in key[0]}))"
    )
    out = bench.run([str(bench.python.path), "-c", code, str(bench.scratch / "bench.prof")])
    cumulative = json.loads(out.stdout)
    return {part: cumulative.get(part, 0.0) for part in parts}


def scenario_rows(bench: Bench, scenario: str, rounds: int) -> list[dict]:
    true, ours, theirs, waits, true_waits = [], [], [], [], []
    for _ in range(rounds):
        truth = json.loads(bench.run(bench.command("plain", MEASURED / "shares.py", scenario)).stdout)
        true.append(shares(truth["parts"]))
        ns, waited = recorded(bench, scenario)
        ours.append(shares(ns))
        waits.append(100 * waited / sum(ns.values()))
        true_waits.append(100 * truth["waited"] / sum(truth["parts"].values()))
        theirs.append(shares(profiled(bench, scenario)))
    rows = [
        {
            "scenario": scenario,
            "part": part,
            "true": median(each[part] for each in true),
            "assay": median(each[part] for each in ours),
            "cprofile": median(each[part] for each in theirs),
        }
        for part in true[0]
    ]
    if scenario == "running or waiting":
        rows.append(
            {
                "scenario": scenario,
                "part": "all that was waiting",
                "true": median(true_waits),
                "assay": median(waits),
                "cprofile": None,
            }
        )
    return rows


def off(row: dict, side: str) -> float | None:
    return None if row[side] is None else abs(row[side] - row["true"])


def markdown(result: dict) -> str:
    rows = [
        [
            f"{r['scenario']}: {r['part']}",
            r["true"],
            r["assay"],
            r["cprofile"],
            off(r, "assay"),
            off(r, "cprofile"),
            "met" if off(r, "assay") <= GOAL_POINTS else "missed",
        ]
        for r in result["shares"]
    ]
    head = ["share of the whole, %", "true", "assay", "cProfile", "assay off by", "cProfile off by", "≤ 5"]
    return f"## CPython {result['version']}\n\n" + table(head, rows)


def main() -> int:
    options = arguments(__doc__).parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    # Shares are compared between runs: all on one core, for two that are shared with others differ in speed.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    assay = Assay.built()
    results = []
    for python in options.python or pythons():
        bench = Bench(interpreter(python), assay)
        try:
            rows = []
            for scenario in SCENARIOS:
                log(f"{bench.python.version} {scenario}")
                rows += scenario_rows(bench, scenario, rounds)
        finally:
            shutil.rmtree(bench.scratch, ignore_errors=True)
        results.append({"version": bench.python.version, "shares": rows})
        print(markdown(results[-1]), end="\n\n", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error}")
