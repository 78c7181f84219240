"""Compare the outcome of each of CPython's own tests under `assay run` with that of a plain run.

    tests/stdlib/run.py --python P [--cross-section] [--only MODULE …] [--jobs N] [--log DIR] [--json FILE]

A test that differs is run again, both ways, REPEATS times: it differs if no outcome under assay is one of the
plain ones. Differences must be listed with their reason in differences.toml. Exit status 1: some are not, or too
little was run.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REPEATS = 2
TIMEOUT_S = 900
LEAST_MODULES = 40

SIDES = ("plain", "assay")
Outcomes = dict[str, set[str]]  # of each test id


@dataclass(frozen=True)
class Target:
    python: str
    version: str
    assay: str
    logs: Path


@dataclass
class Module:
    """What came of one module."""

    name: str
    absent: bool = False
    tests: int = 0
    passed: int = 0
    differing: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # id: side: outcomes
    flaky: list[str] = field(default_factory=list)


def command(target: Target, side: str, module: str, out: Path, ids: Iterable[str]) -> list[str]:
    rest = [str(HERE / "collect.py"), module, str(out), *ids]
    if side == "plain":
        return [target.python, *rest]
    recording = str(out.with_suffix(".assay"))
    return [target.assay, "run", "-q", "-o", recording, "--python", target.python, *rest]


def run_side(target: Target, side: str, module: str, ids: Iterable[str] = ()) -> Outcomes | None:
    """The outcomes of one run; None where this Python has no such module."""
    with tempfile.TemporaryDirectory(prefix="assay-stdlib-") as directory:
        out = Path(directory) / "outcomes"
        out.touch()
        work = Path(directory) / "work"
        work.mkdir()
        with open(target.logs / f"{target.version}-{module}-{side}.log", "ab") as log:
            process = subprocess.Popen(
                command(target, side, module, out, ids),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=work,
                start_new_session=True,
            )
            try:
                status = str(process.wait(timeout=TIMEOUT_S))
            except subprocess.TimeoutExpired:
                status = "timeout"
            finally:
                kill_group(process)
        return parse(out.read_text(encoding="utf-8").splitlines(), status, module)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what a test left running in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def parse(lines: list[str], status: str, module: str) -> Outcomes | None:
    """Outcomes by id; a test that started and did not end has the outcome "unfinished"."""
    if "absent" in lines:
        return None
    found: Outcomes = {}
    for line in lines:
        outcome, _, test = line.partition("\t")
        if not test:
            continue
        if outcome == "started":
            found.setdefault(test, set()).add("unfinished")
        else:
            found.setdefault(test, set()).discard("unfinished")
            found[test].add(outcome)
    found[f"{module}: run to the end, exit status"] = {status if "end" in lines else f"cut short, {status}"}
    return found


def compare(target: Target, name: str) -> Module:
    """Run a module both ways, and what differs again."""
    module = Module(name)
    seen = {side: run_side(target, side, name) for side in SIDES}
    if seen["plain"] is None or seen["assay"] is None:
        module.absent = seen["plain"] is None
        if seen["plain"] is not seen["assay"]:
            module.differing[name] = {side: ["absent" if seen[side] is None else "there"] for side in SIDES}
        return module
    plain, ours = seen["plain"], seen["assay"]
    module.tests = len(plain) - 1
    module.passed = sum(outcome == {"passed"} for outcome in plain.values())
    first = differing(plain, ours)
    left = first
    for _ in range(REPEATS):
        if not left:
            break
        # By id where that is enough; a module that ends early is run whole again.
        whole = any(": " in test or "(" in test for test in left)
        for side, known in (("plain", plain), ("assay", ours)):
            again = run_side(target, side, name, () if whole else left)
            for test, outcome in (again or {}).items():
                if whole or test in left:
                    known.setdefault(test, set()).update(outcome)
        left = [test for test in left if not plain.get(test, set()) & ours.get(test, set())]
    module.flaky = [test for test in first if test not in left]
    module.differing = {
        test: {"plain": sorted(plain.get(test, ())), "assay": sorted(ours.get(test, ()))} for test in left
    }
    return module


def differing(plain: Outcomes, ours: Outcomes) -> list[str]:
    return [test for test in {**plain, **ours} if plain.get(test) != ours.get(test)]


def known_reason(test: str, version: str, known: list[dict]) -> str | None:
    for entry in known:
        if version in entry.get("versions", [version]) and fnmatch.fnmatchcase(test, entry["tests"]):
            return entry["reason"]
    return None


def describe(module: Module, target: Target, known: list[dict]) -> tuple[str, int]:
    """A line a module, and one for each difference; and how many are not listed."""
    if module.absent:
        return f"  {module.name}: not in this Python", 0
    lines = [f"  {module.name}: {module.tests} tests, {module.passed} passed, {len(module.differing)} differ"]
    unlisted = 0
    for test, outcomes in module.differing.items():
        reason = known_reason(test, target.version, known)
        unlisted += reason is None
        sides = "; ".join(f"{side} {', '.join(outcomes[side]) or 'not run'}" for side in SIDES)
        lines.append(f"    {test}: {sides} ({reason or 'NOT LISTED'})")
    lines += [f"    {test}: not always the same, with and without assay" for test in module.flaky]
    return "\n".join(lines), unlisted


def facts(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2]); import test.support"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{python} does not have the standard library's tests")
    return done.stdout.strip()


def arguments() -> argparse.Namespace:
    build = Path(os.environ.get("ASSAY_BUILD", ROOT / "build")).resolve()
    parser = argparse.ArgumentParser(description="Run CPython's own tests with and without assay.")
    parser.add_argument("--python", required=True)
    parser.add_argument("--assay", default=str(build / "native" / "cli" / "assay"))
    parser.add_argument("--cross-section", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="MODULE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", type=Path, metavar="DIR", help="keep what the tests print there")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    os.environ.setdefault("ASSAY_LIBDIR", str(build / "stage" / "assay"))
    return options


def main() -> int:
    options = arguments()
    # What a shell starts in the background, or under nohup, ignores them; so would the tests that raise them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    lists = tomllib.loads((HERE / "modules.toml").read_text())
    known = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
    names = options.only or lists["cross_section"] + ([] if options.cross_section else lists["others"])
    with tempfile.TemporaryDirectory(prefix="assay-stdlib-log-") as scratch:
        logs = options.log or Path(scratch)
        logs.mkdir(parents=True, exist_ok=True)
        target = Target(options.python, facts(options.python), options.assay, logs)
        print(f"CPython {target.version}, {options.python}", flush=True)
        modules, unlisted = [], 0
        with ThreadPoolExecutor(options.jobs) as pool:
            for module in pool.map(lambda name: compare(target, name), names):
                text, bad = describe(module, target, known)
                print(text, flush=True)
                modules.append(module)
                unlisted += bad
    run = [module for module in modules if module.passed]
    enough = len(run) >= (1 if options.only else len(names) - 2 if options.cross_section else LEAST_MODULES)
    tests = sum(module.tests for module in run)
    listed = sum(len(module.differing) for module in modules) - unlisted
    print(f"{target.version}: {tests} tests of {len(run)} modules; differ: {listed} listed, {unlisted} not listed")
    if not enough:
        print(f"{target.version}: too few modules could be run")
    if options.json:
        options.json.write_text(json.dumps([vars(module) for module in modules], indent=1))
    return 0 if enough and unlisted == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
