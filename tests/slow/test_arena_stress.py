"""The arena's stress test in its long form: 1,000 processes killed at random, 100,000 short threads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ASSAY_BUILD", ROOT / "build")).resolve()


def test_nothing_is_lost_in_a_long_storm() -> None:
    seed = str(int.from_bytes(os.urandom(4), "little"))
    out = subprocess.run(
        [BUILD / "tests" / "c" / "harvest" / "arena_stress", "--long", "--seed", seed],
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert out.returncode == 0, out.stdout + out.stderr
    assert "churn:" in out.stdout
