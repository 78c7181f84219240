"""Debuggers and coverage beside us: their output is what it is without assay, and our counts stay exact."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tree import read

PROGRAM = """
def leaf(x):
    return x + 1

def main():
    total = 0
    for i in range(5):
        total = leaf(total)
    print(total)

main()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="session")
def coverage_dir() -> Path:
    """coverage.py without its C tracer: one copy for every interpreter."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay" / "coverage-7"
    if not (cache / "coverage").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--target",
            cache,
            "--only-binary",
            ":all:",
            "--no-deps",
        ]
        command += ["--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.11"]
        done = subprocess.run([*command, "coverage>=7.6,<8"], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"coverage.py cannot be had here: {done.stderr.strip().splitlines()[-1:]}")
    return cache


def test_pdb_shows_what_it_shows_without_us(assay, python, script: Path, tmp_path: Path) -> None:
    commands = "break leaf\ncontinue\nwhere\nstep\nstep\nclear 1\ncontinue\nquit\n"
    plain = subprocess.run(
        [python, "-m", "pdb", script], input=commands, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    recording = tmp_path / "pdb.assay"
    done = assay("run", "-q", "-o", recording, "--python", python, "-m", "pdb", script, input=commands, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert read(assay, recording).calls("leaf") == 5


@pytest.mark.parametrize("core", ["pytrace", "sysmon"])
def test_coverage_counts_the_same_lines(
    assay, python, script: Path, tmp_path: Path, coverage_dir: Path, core: str
) -> None:
    if core == "sysmon" and python.minor == 11:
        core = "pytrace"  # there is no sys.monitoring
    env = {"PYTHONPATH": str(coverage_dir), "COVERAGE_CORE": core, "COVERAGE_FILE": str(tmp_path / "data")}
    run = ["-m", "coverage", "run", "--include", script, script]
    show = [python, "-m", "coverage", "report", "-m"]

    def report() -> str:
        return subprocess.run(show, env={**os.environ, **env}, capture_output=True, text=True, cwd=tmp_path).stdout

    subprocess.run([python, *run], env={**os.environ, **env}, check=True, capture_output=True, cwd=tmp_path)
    plain = report()
    (tmp_path / "data").unlink()
    recording = tmp_path / "coverage.assay"
    done = assay("run", "-q", "-o", recording, "--python", python, *run, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
    assert report() == plain
    assert "100%" in plain
    assert read(assay, recording).calls("leaf") == 5
