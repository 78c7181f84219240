"""pytest --assay in a real pytest: one recording, the tests as its tags, and nothing without the option."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tree
from packages import with_package

TESTS = """
import pytest

def leaf(): pass

def work(n):
    for _ in range(n):
        leaf()

@pytest.fixture
def made():
    work(2)
    yield
    work(3)

def test_one(made):
    work(5)

class TestGroup:
    @pytest.mark.parametrize("n", [10, 20])
    def test_many(self, n):
        work(n)

def test_bad():
    work(40)
    assert 0
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def with_pytest(python: Any) -> Path:
    return with_package(python, "pytest", "pytest-xdist")


@pytest.fixture
def run(with_pytest: Path, libdir: Path, tmp_path: Path) -> Run:
    (tmp_path / "test_x.py").write_text(TESTS)

    def run(*options: str, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        first = ["-p", "pytest_assay"] if plugin else []  # installed, the entry point does that
        env = {**os.environ, "PYTHONPATH": str(libdir.parent), "COLUMNS": "90"}
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_AUTO_NUM_WORKERS"):
            env.pop(name, None)
        return subprocess.run(
            [with_pytest, "-m", "pytest", *first, "-p", "no:cacheprovider", "--rootdir", ".", *options],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def leaves(recording: tree.Tree) -> dict[str, int]:
    """Calls of `leaf` by test."""
    out: dict[str, int] = {}
    for node in recording.find("leaf"):
        (test,) = [name for name in node.path if name.startswith("test=")]
        out[test] = out.get(test, 0) + node.calls
    return out


EXPECTED = {
    "test=test_x.py::test_one": 10,
    "test=test_x.py::TestGroup::test_many[10]": 10,
    "test=test_x.py::TestGroup::test_many[20]": 20,
    "test=test_x.py::test_bad": 40,
}


def test_every_test_is_a_tag_with_its_fixtures(run: Run, assay: Any, tmp_path: Path) -> None:
    done = run("--assay")
    assert done.returncode == 1 and "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    recording = tree.read(assay, tmp_path / "pytest.assay")
    assert leaves(recording) == EXPECTED and recording.losses() == {}


def test_terminal_says_where_it_is_and_what_is_slow(run: Run) -> None:
    lines = run("--assay=out.assay").stdout.splitlines()
    at = lines.index("recording: out.assay")
    assert set(lines[at - 1].strip("=")) <= set(" asy") and lines[at + 1].startswith("assay: ")
    rest = lines[at + 1 :]
    tests = next(line for line in rest if line.startswith("  test: "))
    assert re.match(r"  test: …?\S*::(test_one|test_bad|test_many\[\d0\]) ", tests), tests
    assert any(line.endswith("function") for line in rest) and any(" none lost" in line for line in rest)
    assert all(len(line) <= 90 for line in rest[: rest.index(next(x for x in rest if "more: assay report" in x))])


def test_recording_before_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pytest.assay").write_text("before")
    run("--assay", "-k", "one")
    assert (tmp_path / "pytest.old.assay").read_text() == "before"
    assert (tmp_path / "pytest.assay").read_bytes() != b"before"


def test_without_the_option_nothing_is_loaded_or_left(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('loaded', [m for m in sys.modules if m.split('.')[0] == 'assay'])\n"
    )
    assert "loaded []" in run().stdout
    assert "'assay._agent'" in run("--assay").stdout
    (tmp_path / "pytest.assay").unlink()
    run()
    assert not list(tmp_path.glob("*.assay"))


def test_same_outcome_with_and_without(run: Run) -> None:
    def outcome(*options: str) -> list[str]:
        return sorted(line.split(" - ")[0] for line in run("-rA", *options).stdout.splitlines() if line[:4].isupper())

    assert outcome() == outcome("--assay") != []


def test_session_that_is_stopped_leaves_its_recording(run: Run, assay: Any, tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(TESTS + "\ndef test_stop():\n    work(7)\n    raise KeyboardInterrupt\n")
    assert run("--assay").returncode == 2
    assert leaves(tree.read(assay, tmp_path / "pytest.assay")) == {**EXPECTED, "test=test_x.py::test_stop": 7}


def test_each_worker_of_xdist_leaves_one(run: Run, assay: Any, tmp_path: Path) -> None:
    done = run("--assay", "-n", "2")
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "  gw0: pytest.gw0.assay" in done.stdout and "  gw1: pytest.gw1.assay" in done.stdout
    both: dict[str, int] = {}
    for name in ("pytest.gw0.assay", "pytest.gw1.assay"):
        for test, calls in leaves(tree.read(assay, tmp_path / name)).items():
            assert test not in both
            both[test] = calls
    assert both == EXPECTED and not (tmp_path / "pytest.assay").exists()


@pytest.mark.parametrize("value", [".", "test_x.py", "test_x.py::test_one"])
def test_what_was_meant_to_choose_tests_is_refused(run: Run, tmp_path: Path, value: str) -> None:
    done = run("--assay", value)
    assert done.returncode == 4 and f"--assay={value} would be the recording" in done.stderr
    assert (tmp_path / "test_x.py").read_text() == TESTS


def test_directory_that_is_not_there_is_refused_before_any_test(run: Run) -> None:
    done = run("--assay=no/x.assay")
    assert done.returncode == 4 and "cannot write" in done.stderr and "passed" not in done.stdout


def test_tests_that_use_assay_themselves_work(run: Run, assay: Any, tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        TESTS.split("@pytest.fixture")[0]
        + "import assay\ndef test_p():\n    with assay.profile() as p, assay.tag(mine=1):\n        work(4)\n"
        "    assert p.recording.find('leaf')[0].calls == 4\n"
    )
    done = run("--assay")
    assert done.returncode == 0, done.stdout
    assert tree.read(assay, tmp_path / "pytest.assay").calls("leaf", under="mine=1") == 4
