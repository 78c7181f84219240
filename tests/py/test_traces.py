"""The recorded event lists of tests/c/core/traces are what the interpreters raise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRACES = ROOT / "tests" / "c" / "core" / "traces"
PROGRAMS = sorted(path.stem for path in TRACES.glob("*.py"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record every program once for each interpreter; what was recorded, by interpreter."""
    directories = {}

    def record(python) -> Path:
        if str(python) not in directories:
            directory = tmp_path_factory.mktemp("traces")
            recorder = ROOT / "tools" / "record_trace.py"
            subprocess.run([python, recorder, "--into", directory], check=True, timeout=120)
            directories[str(python)] = directory
        return directories[str(python)]

    return record


@pytest.mark.parametrize("program", PROGRAMS)
def test_events_of_a_program_pair_up(python, recorded, program):
    [trace] = recorded(python).glob(f"*-{program}.trace")
    tree = trace.read_text().partition("=== tree\n")[2]
    assert tree.startswith("root self=")
    assert "\nlosses:" not in tree
    assert " open=" not in tree


@pytest.mark.parametrize("program", PROGRAMS)
def test_golden_trace_is_what_its_version_raises(python, recorded, program):
    [trace] = recorded(python).glob(f"*-{program}.trace")
    golden = TRACES / trace.name
    fresh, kept = trace.read_text(), golden.read_text()
    if python.freethreaded or fresh.partition("\n")[0] != kept.partition("\n")[0]:
        pytest.skip(f"the golden trace is {kept.partition(chr(10))[0][2:]}'s")
    assert fresh == kept
