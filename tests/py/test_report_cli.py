"""`assay report` from outside: its options, its errors, its JSON."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import time
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


def test_newest_recording_that_can_be_read_is_opened(assay: Any, make: MakeRecording, tmp_path: Path) -> None:
    os.utime(make("nightly"), ns=(1, 1))
    (tmp_path / "broken.assay").write_bytes(b"not a recording")
    (tmp_path / "folder.assay").mkdir()
    result = assay("report", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout.startswith("nightly.assay ")
    assert result.stderr == "assay: skipped broken.assay: it is not a recording of assay, at byte 0\n"


def test_newest_recording_without_anything_measured_is_skipped(assay: Any, make: MakeRecording, tmp_path: Path) -> None:
    path = make("nightly")
    content = path.read_bytes()
    (tmp_path / "older.assay").write_bytes(content)
    os.utime(tmp_path / "older.assay", ns=(1, 1))
    path.write_bytes(content[:100])
    named = assay("report", path)
    assert named.returncode == 0
    assert re.search(r"^the recording breaks off at byte \d+, before anything was measured$", named.stdout, re.M)
    result = assay("report", cwd=tmp_path)
    assert result.stdout.startswith("older.assay ")
    assert result.stderr == "assay: skipped nightly.assay: it breaks off before anything was measured\n"


def test_no_readable_recording_is_one_sentence(assay: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.assay").write_bytes(b"not a recording")
    assert "broken.assay, the only recording here, cannot be read: it is no" in refused(assay("report", cwd=tmp_path))
    (tmp_path / "older.assay").write_bytes(b"")
    os.utime(tmp_path / "older.assay", ns=(1, 1))
    assert "none of the 2 recordings here can be read; the newest, broken.assay: it is no" in refused(
        assay("report", cwd=tmp_path)
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tree", "--callers", "fib"], "--tree and --callers are two reports"),
        (["--callees", "fib", "--tree"], "--tree and --callees are two reports"),
        (["--tree", "--by", "tag"], "--tree and --by tag are two reports"),
        (["--tree", "--by", "cpu"], "--by is for lists"),
        (["--by", "tag", "--callers", "fib"], "--by tag and --callers are two reports"),
        (["--by", "tag", "--only", "fib"], "--by tag lists tags, not functions"),
        (["--format", "json", "--tree"], "--tree is for text"),
        (["--format", "json", "--by", "cpu"], "--by is for text"),
        (["--format", "json", "--limit", "3"], "--limit is for text"),
        (["--format", "json", "--only", "fib"], "--only is for text"),
        (["--only", "a", "--only", "b"], "one --only at a time, not a and b"),
        (["--thread", "1", "--thread", ""], "one --thread at a time, not 1 and ''"),
        (["--process", "4000", "--process", "4001"], "one process, not several"),
        (["--process", "0"], "one process, not 0"),
        (["--only", ""], "--only needs the name"),
        (["--callers="], "--callers needs the name"),
        (["--callees", ""], "--callees needs the name"),
        (["--thread", ""], "no thread '' in this recording"),
        (["--by", ""], "--by cannot be ''"),
        (["--tag", ""], "--tag takes KEY=VALUE, not ''"),
        (["--limit", ""], "--limit takes a number, not ''"),
        (["--tree=yes"], "--tree takes no value"),
        (["-xq"], "-x is not an option"),
        (["--colour", "never"], "--colour is not an option"),
        (["--tree", "--only", "no_such_function"], "no function matches no_such_function"),
    ],
    ids=str,
)
def test_option_that_would_not_be_heeded_is_refused(
    assay: Any, make: MakeRecording, options: list[str], sentence: str
) -> None:
    assert sentence in refused(assay("report", make("corners"), *options))


def test_empty_file_name_is_quoted_and_a_directory_is_called_one(assay: Any, tmp_path: Path) -> None:
    assert refused(assay("report", "", cwd=tmp_path)) == "assay: '' does not exist\n"
    assert refused(assay("report", ".", cwd=tmp_path)) == "assay: . cannot be read: it is a directory\n"


def lines_of(assay: Any, *args: str | Path, width: int = 150) -> list[list[str]]:
    """The words of each line of a report."""
    result = assay("report", *args, env={"COLUMNS": str(width)})
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= width
    return [line.split() for line in result.stdout.splitlines()]


def test_callers_of_a_recursive_function_show_its_time(assay: Any, make: MakeRecording) -> None:
    lines = lines_of(assay, make("corners"), "--callers", "fib")
    rows = {" ".join(words[10:-1]): words[:10] for words in lines if words and words[-1].startswith("corners.py:")}
    # self, total, cpu, calls, per call and the mark
    assert " ".join(rows["top level"]) == "100.00 ms 700.00 ms 100.00 ms 1 700 ms *"
    assert " ".join(rows["fib"]) == "600.00 ms 600.00 ms 600.00 ms 0/6 100 ms *"


def test_function_is_found_by_the_name_that_is_shown(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    callees = assay("report", path, "--callees", "top level").stdout
    assert "it calls" in callees and "main" in callees
    assert "nightly_report.py:1" in assay("report", path, "--only", "top lev*").stdout


def test_callers_and_callees_together_are_both_shown_and_only_chooses(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    both = assay("report", path, "--callers", "build_lookup", "--callees", "write_report").stdout
    assert "called by" in both and "it calls" in both
    some = assay("report", path, "--callees", "write_report", "--only", "sqlite3").stdout
    assert "Cursor.execute" in some and "build_lookup" not in some
    none = assay("report", path, "--callers", "write_report", "--only", "sqlite3").stdout
    assert "nothing that matches called it" in none


def test_suspended_time_is_shown_where_there_is_any(assay: Any, make: MakeRecording) -> None:
    path = make("corners")
    for width in (80, 150):
        for options in ([], ["--tree"], ["--by", "suspended"], ["--callers", "work"]):
            lines = lines_of(assay, path, *options, width=width)
            assert any("suspended" in words for words in lines)
            assert any("work" in words and " ".join(words).count("2.50 s") == 1 for words in lines)
    assert lines_of(assay, path, "--by", "suspended")[2][-2] == "work"
    assert not any("suspended" in words for words in lines_of(assay, make("nightly")))
    assert not any("suspended" in words for words in lines_of(assay, path, "--callers", "fib"))


@pytest.mark.parametrize(
    ("tags", "calls"),
    [
        (["a=b=c"], "71"),
        (["x=y=z"], "72"),
        (["=no key"], "3"),
        (["no value="], "4"),
        (["a=b=c", "x=y=z"], "70"),
        (["x=y=z", "a=b=c"], "70"),
        (["a=b=c", "a=b=c"], "71"),
    ],
    ids=str,
)
def test_every_tag_can_be_selected_and_several_hold_together(
    assay: Any, make: MakeRecording, tags: list[str], calls: str
) -> None:
    path = make("corners")
    options = [word for tag in tags for word in ("--tag", tag)]
    page = read_json(assay, path, *options)
    assert [f["calls"] for f in page["functions"] if f["name"] == "work"] == [int(calls)]
    assert ["=".join(pair) for pair in page["view"]["tags"]] == tags
    assert page["view"]["tag"] == page["view"]["tags"][0]
    assert calls in next(words for words in lines_of(assay, path, *options) if "work" in words)


def test_tree_of_chosen_functions_shows_small_ones_too(assay: Any, make: MakeRecording) -> None:
    tree = assay("report", make("corners"), "--tree", "--only", "little").stdout
    assert "little" in tree and "top level" in tree and "below 1 %" not in tree


def test_more_functions_than_are_shown_are_counted(assay: Any, make: MakeRecording) -> None:
    text = assay("report", make("5000"), "--callers", "function_*").stdout
    assert text.count("called by") + text.count("nothing called it") == 10
    more = re.search(r"… (\d+) more functions match", text)
    assert more is not None and int(more[1]) > 80


def test_tags_that_never_held_together_select_nothing(assay: Any, make: MakeRecording) -> None:
    for options in ([], ["--tree"]):
        both = assay("report", make("nightly"), "--tag", "customer=acme", "--tag", "customer=globex", *options)
        assert "nothing ran with all of these tags\n" in both.stdout
    page = read_json(assay, make("nightly"), "--tag", "customer=acme", "--tag", "customer=globex")
    assert sum(node["calls"] for node in page["nodes"]) == 0
    assert refused(assay("report", make("nightly"), "--tag", "customer=acme", "--tag", "=")).endswith("the tag =\n")


def test_empty_keys_and_values_are_shown(assay: Any, make: MakeRecording) -> None:
    path = make("corners")
    table = lines_of(assay, path, "--by", "tag")
    assert any(words[-1:] == ["''"] and words[0] == "self" for words in table)
    assert any(words[-1:] == ["''"] and words[0] != "self" for words in table)
    for tag, shown in (("=no key", "''=no key"), ("no value=", "no value=''"), ("x=y=z", "'x=y'=z")):
        assert f"only {shown}\n" in assay("report", path, "--tag", tag, env={"COLUMNS": "150"}).stdout


def test_one_branch_is_no_branches(assay: Any, make: MakeRecording) -> None:
    assert "left out besides: 1 branch below 1 %, 1.00 ms\n" in assay("report", make("corners"), "--tree").stdout


def test_styles_without_text_leave_no_codes(assay: Any, make: MakeRecording) -> None:
    for kind, func in (("nightly", "write_report"), ("corners", "fib")):
        path = make(kind)
        for options in ([], ["--tree"], ["--by", "tag"], ["--callers", func]):
            text = assay("report", path, "--color", "always", *options).stdout
            assert "\x1b[2m" in text
            assert re.search("\x1b\\[[0-9]+m\x1b\\[0m", text) is None
            assert text.count("\x1b[0m") == len(re.findall("\x1b\\[[1-9]", text))


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


def test_what_only_waits_for_others_is_left_out_unless_asked_for(assay: Any, make: MakeRecording) -> None:
    path = make("nightly")
    wide = {"COLUMNS": "150"}
    plain = assay("report", path, env=wide).stdout
    assert "build_lookup" in plain.splitlines()[2] and "lock.acquire" not in plain
    assert plain.endswith("waiting for other threads or for work, 9.50 s (--by self)\n")
    for options in (("--by", "self"), ("--limit", "0"), ("--only", "lock")):
        shown = assay("report", path, *options, env=wide).stdout
        assert "lock.acquire" in shown.splitlines()[2] and "for work" not in shown


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


def test_nothing_is_said_on_the_terminal_while_a_pager_has_it(assay: Any, make: MakeRecording) -> None:
    """The pager reads the first of many pages and waits for a key, longer than we have patience."""
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [assay.path, "report", make("5000"), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=inner,
        env=assay.environ(),
    ) as process:
        os.close(inner)
        assert process.stdout is not None
        page = process.stdout.read(1)
        time.sleep(1.5)
        page += process.stdout.read()
        json.loads(page)
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            assert os.read(outer, 65536) == b""
    os.close(outer)


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


@pytest.mark.parametrize("options", [[], ["--format", "json"], ["--tree"]], ids=str)
@pytest.mark.parametrize(("kind", "redirection"), [("nightly", ">/dev/full"), ("5000", ">/dev/full"), ("5000", ">&-")])
def test_report_that_cannot_be_written_is_one_sentence(
    assay: Any, make: MakeRecording, options: list[str], kind: str, redirection: str
) -> None:
    result = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", assay.path, "report", make(kind), *options],
        stderr=subprocess.PIPE,
        text=True,
        env=assay.environ(),
    )
    assert result.returncode == 2
    why = "No space left on device" if "full" in redirection else "standard output is closed"
    assert result.stderr == f"assay: the report cannot be written: {why}\n"


def test_report_to_a_null_device_is_no_closed_output(assay: Any, make: MakeRecording) -> None:
    result = subprocess.run([assay.path, "report", make("nightly")], stdout=subprocess.DEVNULL, env=assay.environ())
    assert result.returncode == 0


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
    for word in ("self", "total", "cpu", "suspended", "calls", "name", "tag", "text", "json", "always", "never"):
        assert word in text


@pytest.mark.parametrize("arguments", [["report", "--help"], ["run", "--help"], ["--help"], ["--version"]], ids=str)
@pytest.mark.parametrize(("redirection", "why"), [("/dev/full", "No space left on device"), ("&-", "output is closed")])
def test_help_that_cannot_be_written_is_one_sentence(
    assay: Any, arguments: list[str], redirection: str, why: str
) -> None:
    result = subprocess.run(
        ["sh", "-c", f'exec "$@" >{redirection}', "sh", assay.path, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=assay.environ(),
    )
    assert result.returncode == 2
    assert result.stderr.startswith("assay: this cannot be written: ") and result.stderr.endswith(f"{why}\n")


def test_summary_is_what_the_run_said(assay: Any, python: Any, tmp_path: Path) -> None:
    script = "def f(n):\n    return sum(range(n))\nfor n in range(100):\n    f(n)\n"
    run = assay("run", "--python", python, "-o", "x.assay", "-c", script, cwd=tmp_path)
    assert run.returncode == 0 and "x.assay · more: " in run.stderr
    again = assay("report", "--summary", "x.assay", cwd=tmp_path, env={"COLUMNS": "80"})
    assert (again.returncode, again.stderr, again.stdout) == (0, "", run.stderr)


def test_summary_of_a_pipe_names_no_file(assay: Any, make: MakeRecording) -> None:
    """What has no name cannot be asked again."""
    recording = make("nightly")
    named = assay("report", "--summary", recording).stdout.splitlines()
    command = [assay.path, "report", "--summary", "/dev/stdin"]
    with recording.open("rb") as file:
        piped = subprocess.run(command, stdin=file, capture_output=True, env=assay.environ())
    unnamed = piped.stdout.decode().splitlines()
    assert unnamed == named[: len(unnamed)] and any("more: " in line for line in named[len(unnamed) :])
    assert not any("more: " in line for line in unnamed)


def test_limit_of_a_summary_is_of_its_table(assay: Any, make: MakeRecording) -> None:
    recording = make("nightly")

    def functions(*options: str) -> list[str]:
        lines = assay("report", "--summary", *options, recording).stdout.splitlines()
        head = next(i for i, line in enumerate(lines) if line.endswith("function"))
        return [line for line in lines[head + 1 :] if re.match(r" +[\d.,]+ (ns|µs|ms|s) ", line)]

    assert len(functions("--limit", "2")) == 2
    assert functions() == functions("--limit", "0")[:8] == functions("--limit", "8")


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--tree"], "--tree"), (["--by", "cpu"], "--by"), (["--tag", "a=b"], "--tag"), (["--format", "json"], "json")],
)
def test_summary_refuses_what_it_would_not_heed(
    assay: Any, make: MakeRecording, options: list[str], named: str
) -> None:
    assert named in refused(assay("report", "--summary", *options, make("nightly")))
