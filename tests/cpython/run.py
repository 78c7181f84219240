"""Run CPython's own tests of cProfile, profile and pstats with our modules in the place of the standard ones.

    tests/cpython/run.py --python P [--only ID …]

They run in a virtual environment that installs the drop-in at start-up, so that the interpreters they start have it
as well. What does not pass must be listed with its reason in left_out.toml, at most MOST_LEFT_OUT cases a version.
Exit status 1: something is not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COLLECT = ROOT / "tests" / "stdlib" / "collect.py"
MODULES = ("test_cprofile", "test_profiling.test_tracing_profiler", "test_profile", "test_pstats")
MOST_LEFT_OUT = 2
LEAST_PASSED = 20
TIMEOUT_S = 600


def substituted(python: str, libdir: Path, where: Path) -> Path:
    """An interpreter whose cProfile is ours, whatever options it is started with."""
    subprocess.run([python, "-m", "venv", "--without-pip", where], check=True)
    (site,) = where.glob("lib/python*/site-packages")
    (site / "substituted.pth").write_text(f"{libdir.parent}\nimport assay.dropin; assay.dropin.install()\n")
    return where / "bin" / "python"


def is_ours(python: Path) -> bool:
    code = "import cProfile, _lsprof, assay._agent as a; print(issubclass(cProfile.Profile, a.Profiler))"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True).stdout == "True\n"


def outcomes(python: Path, module: str, ids: list[str], work: Path) -> dict[str, str]:
    """By test id; empty where this version has no such module."""
    out = work / f"{module}.out"
    out.touch()
    command = [python, COLLECT, module, out, *ids]
    done = subprocess.run(command, cwd=work, timeout=TIMEOUT_S, capture_output=True, text=True, errors="replace")
    print(done.stdout, done.stderr, sep="")
    lines = out.read_text(encoding="utf-8").splitlines()
    found = dict(reversed(line.split("\t", 1)) for line in lines if "\t" in line)
    if "absent" not in lines and "end" not in lines:
        found[module] = f"cut short, status {done.returncode}"
    return {test: "unfinished" if outcome == "started" else outcome for test, outcome in found.items()}


def version_of(python: Path) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def left_out(version: str) -> dict[str, str]:
    listed = tomllib.loads((HERE / "left_out.toml").read_text())["case"]
    return {case["test"]: case["reason"] for case in listed if version in case["versions"]}


def main() -> int:
    build = Path(os.environ.get("ASSAY_BUILD", ROOT / "build")).resolve()
    parser = argparse.ArgumentParser(description="Run CPython's own tests of its profilers on ours.")
    parser.add_argument("--python", required=True)
    parser.add_argument("--libdir", type=Path, default=build / "stage" / "assay")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-cpython-") as directory:
        python = substituted(options.python, options.libdir, Path(directory) / "venv")
        if not is_ours(python):
            print("the standard cProfile was not replaced: nothing would be tested")
            return 1
        version = version_of(python)
        known = left_out(version)
        work = Path(directory) / "work"
        work.mkdir()
        found: dict[str, str] = {}
        for module in MODULES:
            found |= outcomes(python, module, options.only, work)
    passed = sum(outcome == "passed" for outcome in found.values())
    bad = {test: outcome for test, outcome in found.items() if outcome not in ("passed", "skipped")}
    for test, outcome in bad.items():
        print(f"  {test}: {outcome} ({known.get(test, 'NOT LISTED')})")
    unlisted = [test for test in bad if test not in known]
    print(f"{version}: {passed} passed, {len(bad)} not, {len(unlisted)} of these not listed")
    enough = passed >= LEAST_PASSED or bool(options.only)
    if not enough:
        print(f"{version}: too few tests could be run")
    return 0 if enough and not unlisted and len(known) <= MOST_LEFT_OUT else 1


if __name__ == "__main__":
    sys.exit(main())
