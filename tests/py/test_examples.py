"""The examples run as they are, with and without assay."""

from __future__ import annotations

import subprocess
from pathlib import Path

from recordings import read

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

FIRST = "total: 49951369295\n"
NIGHTLY = "2026-11-21: 20 reports, 3080 orders, 4,672,285.92 EUR\nlargest: acme, 2400 orders, 3,656,716.12 EUR\n"


def plain(python, script: str) -> str:
    """What the script prints where assay cannot be imported."""
    return subprocess.run(
        [python, "-E", "-s", EXAMPLES / script], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_first_profile_prints_the_same_total_every_time(python):
    assert plain(python, "first_profile.py") == FIRST


def test_nightly_report_runs_without_assay_and_is_deterministic(python):
    assert plain(python, "nightly_report.py") == NIGHTLY


def nodes_named(recording, name: str) -> list[dict]:
    ids = {function["id"] for function in recording.functions(name)}
    return [node for node in recording.data["nodes"] if node["function"] in ids]


def test_first_profile_s_answer_is_that_process_data_waits(assay, python, tmp_path):
    recording = tmp_path / "first.assay"
    done = assay("run", "-o", recording, "--python", python, EXAMPLES / "first_profile.py", timeout=120)
    assert (done.returncode, done.stdout) == (0, FIRST)
    answer = "\n".join(done.stderr.splitlines()[:3])
    assert "process_data" in answer
    assert "waiting (sleep)" in answer
    assert "sorted" in answer  # and what the sort costs
    (node,) = nodes_named(read(assay, recording), "process_data")
    assert node["total_wait_ns"] > 0.7 * node["total_ns"]


def test_nightly_report_s_answer_is_build_lookup_for_acme(assay, python, tmp_path):
    recording = tmp_path / "nightly.assay"
    for _ in range(4):  # what dominates a run is no constant where other programs take the processor away
        done = assay(
            *("run", "-o", recording, "--python", python, EXAMPLES / "nightly_report.py"),
            env={"PYTHONPATH": str(assay.libdir.parent)},
            timeout=300,
        )
        assert (done.returncode, done.stdout) == (0, NIGHTLY)
        answer = "\n".join(done.stderr.splitlines()[:3])
        if "build_lookup" in answer:
            break
    assert "build_lookup" in answer
    assert "3,080 calls" in answer
    assert "write_report" in answer
    assert "customer=acme" in answer
    found = read(assay, recording)
    assert found.calls("build_lookup") == 3080
    assert found.calls("write_report") == 20
    acme = read(assay, recording, "--tag", "customer=acme")
    assert acme.calls("build_lookup") == 2400


def test_nightly_report_in_processes_has_the_same_answer(assay, python, tmp_path):
    recording = tmp_path / "nightly.assay"
    for _ in range(4):  # as above
        done = assay(
            *("run", "-o", recording, "--python", python, EXAMPLES / "nightly_report.py", "--processes"),
            env={"PYTHONPATH": str(assay.libdir.parent)},
            timeout=300,
        )
        assert (done.returncode, done.stdout) == (0, NIGHTLY)
        answer = "\n".join(done.stderr.splitlines()[:3])
        if "build_lookup" in answer:
            break
    assert "build_lookup" in answer
    assert "3,080 calls" in answer
    assert "customer=acme" in answer
    found = read(assay, recording)
    assert found.calls("build_lookup") == 3080
    assert found.calls("write_report") == 20
    assert found.data["view"]["processes"] >= 5
    acme = read(assay, recording, "--tag", "customer=acme")
    assert acme.calls("build_lookup") == 2400
