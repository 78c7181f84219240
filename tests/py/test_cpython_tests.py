"""CPython's own tests of cProfile, profile and pstats pass with our modules in the place of the standard ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / "cpython" / "run.py"


def test_cpythons_own_tests_pass_on_the_drop_in(python, libdir):
    """But for what tests/cpython/left_out.toml lists, with its reason."""
    # Debian ships test.support by itself.
    there = subprocess.run([python, "-I", "-c", "import test.support, test.test_pstats"], capture_output=True)
    if there.returncode != 0:
        pytest.skip(f"{python} came without the standard library's tests")
    command = [sys.executable, RUNNER, "--python", python, "--libdir", libdir]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
