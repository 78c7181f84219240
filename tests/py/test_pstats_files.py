"""`assay report x.prof`: files that cProfile, profile and pstats wrote."""

from __future__ import annotations

import json
import marshal
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

APP = """
import time

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def nap():
    time.sleep(0.01)

def main():
    fib(8)
    nap()

main()
"""


@pytest.fixture
def prof(python: Any, tmp_path: Path) -> Path:
    """Of `python -m cProfile -o`."""
    (tmp_path / "app.py").write_text(APP)
    subprocess.run([python, "-m", "cProfile", "-o", "app.prof", "app.py"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path / "app.prof"


def stats_of(python: Any, path: Path) -> dict[Any, Any]:
    """What pstats of that interpreter reads."""
    code = "import pstats, sys; print(repr(pstats.Stats(sys.argv[1]).stats))"
    done = subprocess.run([python, "-c", code, path], capture_output=True, text=True, check=True, timeout=60)
    return dict(eval(done.stdout))


def refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("assay: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_numbers_are_those_of_pstats(assay: Any, python: Any, prof: Path) -> None:
    page = json.loads(assay("report", prof, "--format", "json").stdout)
    stats = stats_of(python, prof)
    assert len(page["functions"]) == len(stats) > 5
    by_id = {f["id"]: (f["file"], f["line"], f["name"]) for f in page["functions"]}
    for f in page["functions"]:
        primitive, calls, self_s, total_s, _ = stats[by_id[f["id"]]]
        assert (f["primitive_calls"], f["calls"]) == (primitive, calls)
        assert f["self_ns"] == pytest.approx(self_s * 1e9, abs=1)
        assert f["total_ns"] == pytest.approx(total_s * 1e9, abs=1)
    edges = {(by_id[e["function"]], by_id[e["caller"]]): e for e in page["callers"]}
    assert edges.keys() == {(f, caller) for f, entry in stats.items() for caller in entry[4]}
    for (f, caller), e in edges.items():
        calls, primitive, _, total_s = stats[f][4][caller]
        assert (e["calls"], e["primitive_calls"]) == (calls, primitive)
        assert e["total_ns"] == pytest.approx(total_s * 1e9, abs=1)


def test_tables_have_what_the_file_has(assay: Any, python: Any, prof: Path) -> None:
    text = assay("report", "app.prof", cwd=prof.parent).stdout
    assert re.match(r"app\.prof · pstats file · .* in \d+ calls · \d+ without recursion\n", text)
    assert "cpu" not in text.splitlines()[1]
    assert re.search(r"1/67 .*fib +app\.py:4", text)
    callers = assay("report", "app.prof", "--callers", "fib", cwd=prof.parent).stdout
    assert re.search(r"2/66 .* fib ", callers) and re.search(r" 1 .* main ", callers)
    assert "time.sleep" in assay("report", "app.prof", "--callees", "nap", cwd=prof.parent).stdout
    first = assay("report", "app.prof", "--by", "calls", "--limit", "1", cwd=prof.parent).stdout.splitlines()[2]
    assert "fib" in first or "built-in" in first
    assert "fib" not in assay("report", prof, "--only", "sleep").stdout


@pytest.mark.parametrize(
    "args",
    [
        ["--tree"],
        ["--by", "tag"],
        ["--by", "cpu"],
        ["--by", "suspended"],
        ["--thread", "MainThread"],
        ["--process", "1"],
        ["--tag", "a=b"],
        ["--startup"],
    ],
)
def test_what_the_file_does_not_have_is_said(assay: Any, python: Any, prof: Path, args: list[str]) -> None:
    assert f"{' '.join(args[: 1 + (args[0] == '--by')])} is for recordings" in refused(assay("report", prof, *args))


@pytest.mark.parametrize("to", ["collapsed", "speedscope"])
def test_stacks_cannot_be_made_of_it(assay: Any, python: Any, prof: Path, to: str) -> None:
    assert f"--to {to} is for recordings" in refused(assay("export", prof, "--to", to, "-o", "-"))


def test_callgrind_can(assay: Any, python: Any, prof: Path) -> None:
    text = assay("export", prof, "--to", "callgrind", "-o", "-").stdout
    assert "events: Wall\n" in text and "fib\n" in text


def test_a_file_of_profile_has_calls_by_caller_only(assay: Any, python: Any, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("\nmain()\n", ""))
    code = "import profile, app; p = profile.Profile(); p.runcall(app.main); p.dump_stats('p.prof')"
    subprocess.run([python, "-W", "ignore", "-c", code], cwd=tmp_path, check=True, timeout=60)
    text = assay("report", "p.prof", "--callers", "fib", cwd=tmp_path).stdout
    assert re.search(r"1/67 .*fib", text)
    assert "66" in text and "no times" in text
    (tmp_path / "code.prof").write_bytes(marshal.dumps({("a", 0, compile("1", "x", "eval")): 1}))
    assert "code object" in refused(assay("report", "code.prof", cwd=tmp_path))


def test_sampled_files_are_refused_by_name(assay: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.prof"
    path.write_bytes(marshal.dumps({("a.py", 1, "f"): (1, 1, 0.5, 0.5, {}), ("__sampled__",): True}))
    assert "sampling profiler" in refused(assay("report", path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.prof", b"", "is not a pstats file: it ends early"),
        ("x.prof", b"hello", "is not a pstats file"),
        ("x.prof", b"\x89ASSAY\r\n", "cannot be read"),
        ("x.json", b'{"a": 1}', "is not a pstats file"),
        ("x.dump", marshal.dumps([1, 2]), "it is not a recording"),
        ("x.dump", marshal.dumps({"a": 1}), "is not a pstats file: a function is not (file, line, name)"),
    ],
)
def test_what_is_no_pstats_file_is_refused_by_name(
    assay: Any, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for command in (["report", name], ["export", name, "--to", "json"]):
        message = refused(assay(*command, cwd=tmp_path))
        assert message.startswith(f"assay: {name} ") and said in message
    assert os.listdir(tmp_path) == [name]


def test_nothing_of_a_file_reaches_the_terminal(assay: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.prof"
    path.write_bytes(marshal.dumps({("\x1b[2J.py", 1, "a\x1b]0;x\x07\nb"): (1, 1, 0.5, 0.5, {})}))
    done = assay("report", path)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "\x07" not in done.stdout
    text = assay("export", path, "--to", "callgrind", "-o", "-").stdout
    assert "a?]0;x??b\n" in text


def test_times_below_zero_are_said(assay: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.prof"
    path.write_bytes(marshal.dumps({("a.py", 1, "f"): (1, 1, -0.5, 0.5, {})}))
    assert "1 time in this file is below zero" in assay("report", path).stdout


def test_huge_numbers_are_shown(assay: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.prof"
    path.write_bytes(marshal.dumps({("a.py", 1, "f"): (2**40, 2**50, 1e9, 2e9, {})}))
    page = json.loads(assay("report", path, "--format", "json").stdout)
    assert page["functions"][0]["calls"] == 2**50
    done = assay("export", path, "--to", "pstats", "-o", tmp_path / "y.prof")
    assert done.returncode == 0
    assert marshal.loads((tmp_path / "y.prof").read_bytes()) == marshal.loads(path.read_bytes())


def test_a_recording_is_one_under_any_name(assay: Any, python: Any, tmp_path: Path) -> None:
    done = assay("run", "--python", str(python), "-o", "x.prof", "-c", "len('')", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = assay("report", "x.prof", "--tree", cwd=tmp_path)
    assert done.returncode == 0 and "len" in done.stdout
