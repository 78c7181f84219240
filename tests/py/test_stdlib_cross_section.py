"""The standard library's own tests have the same outcomes under assay as without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / "stdlib" / "run.py"
ALL = bool(os.environ.get("ASSAY_TEST_ALL"))


def test_standard_library_tests_have_the_same_outcomes(assay, python, tmp_path):
    """A cross-section of them; all, with ASSAY_TEST_ALL."""
    # Debian ships test.support by itself.
    there = subprocess.run([python, "-I", "-c", "import test.support, test.test_generators"], capture_output=True)
    if there.returncode != 0:
        pytest.skip(f"{python} came without the standard library's tests")
    command = [sys.executable, RUNNER, "--python", python, "--assay", assay.path, "--log", tmp_path]
    if not ALL:
        command.append("--cross-section")
    done = subprocess.run(command, env=assay.environ(), capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, "\n".join(
        line for line in (done.stdout + done.stderr).splitlines() if "NOT LISTED" in line or "too few" in line
    )
