"""The examples run as they are, with and without assay."""

from __future__ import annotations

import subprocess
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

FIRST = "total: 49951369295\n"
NIGHTLY = (
    "2026-11-21: 20 reports, 3080 orders, 4,672,285.92 EUR\nlargest: acme, 2400 orders, 3,656,716.12 EUR\n"
)


def plain(python, script: str) -> str:
    """What the script prints where assay cannot be imported."""
    return subprocess.run(
        [python, "-E", "-s", EXAMPLES / script], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_first_profile_prints_the_same_total_every_time(python):
    assert plain(python, "first_profile.py") == FIRST


def test_nightly_report_runs_without_assay_and_is_deterministic(python):
    assert plain(python, "nightly_report.py") == NIGHTLY
