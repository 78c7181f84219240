"""`assay report` from outside: its options, its errors, its JSON."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeRecording = Callable[[str], Path]


@pytest.fixture
def make(assay: Any, tmp_path: Path) -> MakeRecording:
    """Writes a recording of a kind that tests/c/report/sample.c knows."""
    program = assay.path.parents[2] / "tests" / "c" / "report" / "report_sample"

    def run(kind: str) -> Path:
        path = tmp_path / f"{kind}.assay"
        subprocess.run([program, kind, path], check=True)
        return path

    return run


def refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("assay: ") and result.stderr.count("\n") == 1
    return result.stderr


def read_json(assay: Any, *args: str | Path) -> dict[str, Any]:
    result = assay("report", "--format", "json", *args)
    assert result.returncode == 0, result.stderr
    value: dict[str, Any] = json.loads(result.stdout)
    return value


@pytest.mark.parametrize("kind", ["nightly", "names", "5000"])
def test_json_totals_are_self_plus_children(assay: Any, make: MakeRecording, kind: str) -> None:
    page = read_json(assay, make(kind))
    nodes = page["nodes"]
    sums = [node["self_ns"] for node in nodes]
    for node in reversed(nodes[1:]):
        assert node["parent"] < node["id"]
        sums[node["parent"]] += sums[node["id"]]
    assert [node["total_ns"] for node in nodes] == sums


def test_json_functions_add_up_to_the_nodes(assay: Any, make: MakeRecording) -> None:
    page = read_json(assay, make("5000"))
    functions = {function["id"]: function for function in page["functions"]}
    for key in ("calls", "self_ns", "wait_ns"):
        assert sum(f[key] for f in functions.values()) == sum(n[key] for n in page["nodes"][1:])
    assert {node["function"] for node in page["nodes"][1:]} == set(functions)


def test_json_holds_any_name_unchanged(assay: Any, make: MakeRecording) -> None:
    page = read_json(assay, make("names"))
    names = {function["name"] for function in page["functions"]}
    assert {'quote"back\\slash', "new\nline\ttab", "漢字", "\x1b[31mred", "<lambda>"} <= names
    assert page["threads"][0]["name"] == 'thread "1"\n'
    assert [f["labels"] for f in page["functions"] if f["kind"] == "tag"] == [{'k"ey': "v\nalue"}]


def test_json_of_a_tag_holds_only_its_time(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    tag = read_json(assay, path, "--tag", "customer=acme")
    whole = read_json(assay, path)
    assert tag["view"]["tag"] == ["customer", "acme"]
    calls = {
        name: next(f["calls"] for f in page["functions"] if f["name"] == "build_lookup")
        for name, page in (("tag", tag), ("whole", whole))
    }
    assert calls == {"tag": 4600, "whole": 4812}


def test_newest_recording_is_opened(assay: Any, make: MakeRecording, tmp_path: Path) -> None:
    os.utime(make("names"), ns=(1, 1))
    make("nightly")
    result = assay("report", cwd=tmp_path)
    assert result.stdout.startswith("nightly.assay ")


def test_no_recording_is_one_sentence(assay: Any, tmp_path: Path) -> None:
    assert "no recording" in refused(assay("report", cwd=tmp_path))
    assert "does not exist" in refused(assay("report", "missing.assay", cwd=tmp_path))


def test_what_is_no_recording_is_one_sentence(assay: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.assay"
    for content in (b"", b"not a recording\n" * 100, b"\0" * 5000):
        path.write_bytes(content)
        assert "cannot be read" in refused(assay("report", path))
    assert "cannot be read" in refused(assay("report", tmp_path))


def test_cut_recording_shows_what_is_there_and_says_so(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    path.write_bytes(path.read_bytes()[:-3])
    result = assay("report", path)
    assert result.returncode == 0
    assert "build_lookup" in result.stdout
    assert "the recording" in result.stdout.splitlines()[-1]
    assert read_json(assay, path)["session"]["complete"] is False


@pytest.mark.parametrize(
    "options",
    [
        ["--by", "nothing"],
        ["--limit", "-1"],
        ["--limit", "x"],
        ["--tag", "novalue"],
        ["--tag", "customer=nobody"],
        ["--thread", "nobody"],
        ["--process", "1"],
        ["--callers", "no_such_function"],
        ["--only", "no_such_function"],
        ["--format", "xml"],
        ["--color"],
        ["--unknown"],
        ["another.assay"],
    ],
    ids=" ".join,
)
def test_bad_option_is_one_sentence(assay: Any, make: MakeRecording, options: list[str]) -> None:
    refused(assay("report", make("nightly"), *options))


def test_orders_differ_and_limit_cuts(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    first = {}
    for order in ("self", "total", "cpu", "calls", "name"):
        result = assay("report", path, "--by", order, "--limit", "1", env={"COLUMNS": "150"})
        first[order] = result.stdout.splitlines()[2]
        assert "more with" in result.stdout
    assert "lock.acquire" in first["self"]
    assert "build_lookup" in first["cpu"]
    assert "list.append" in first["calls"]
    assert "top level" in first["name"]  # <module>


def test_only_keeps_matching_functions(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    part = assay("report", path, "--only", "nightly/report.py").stdout
    pattern = assay("report", path, "--only", "build_*").stdout
    assert "write_report" in part and "build_lookup" not in part
    assert "build_lookup" in pattern and "write_report" not in pattern


def test_color_only_where_asked_for_or_on_a_terminal(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    assert "\x1b" not in assay("report", path).stdout
    assert "\x1b[1m" in assay("report", path, "--color", "always").stdout
    for env, colored in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        outer, inner = pty.openpty()
        with subprocess.Popen(
            [assay.path, "report", path], stdout=inner, env=assay.environ({"TERM": "xterm", "NO_COLOR": "", **env})
        ) as process:
            os.close(inner)
            text = b""
            try:
                while chunk := os.read(outer, 65536):
                    text += chunk
            except OSError:  # the terminal's other end is closed
                pass
            assert process.wait() == 0
        os.close(outer)
        assert (b"\x1b[1m" in text) == colored


def test_closed_pipe_is_quiet(assay: Any, make: MakeRecording) -> None:
    path = make("5000")
    for disposition, status in ((signal.SIG_DFL, -signal.SIGPIPE), (signal.SIG_IGN, 1)):
        process = subprocess.Popen(
            [assay.path, "report", path, "--format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=assay.environ(),
            restore_signals=False,
            preexec_fn=lambda d=disposition: signal.signal(signal.SIGPIPE, d),  # type: ignore[misc]
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == status


def test_full_disk_is_one_sentence(assay: Any, make: MakeRecording) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [assay.path, "report", make("nightly")], stdout=full, stderr=subprocess.PIPE, text=True, env=assay.environ()
        )
    assert result.returncode == 2
    assert result.stderr == "assay: the report cannot be written: No space left on device\n"


def test_help_names_every_option(assay: Any) -> None:
    text = assay("report", "--help").stdout
    for option in (
        "by",
        "tree",
        "callers",
        "callees",
        "thread",
        "process",
        "tag",
        "only",
        "startup",
        "limit",
        "format",
        "color",
    ):
        assert f"--{option}" in text
