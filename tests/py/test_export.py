"""`assay export`: real runs in the formats of other tools, and the files it leaves or does not leave."""

from __future__ import annotations

import itertools
import json
import marshal
import os
import pty
import re
import resource
import signal
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

SHOP = """
import collections
import functools
import threading
import time

import assay


class Shop:
    def price(self, n):
        return fib(n)

    def lines(self):
        return [self.price(n) for n in range(4)]


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def twins():
    a, b = lambda: len(""), lambda: a()
    return a(), b(), b()


def work(shop):
    queue = collections.deque()
    for n in range(3):
        queue.append(shop.lines())
        time.sleep(0.002)


def main():
    shop = Shop()
    with assay.tag(customer="acme"):
        work(shop)
    even(7)
    twins()
    sorted([3, 1, 2], key=lambda n: -n)
    functools.reduce(lambda a, b: a + b, [1, 2, 3])


main()
"""
THREADS = """
import threading
import time


def wait():
    time.sleep(0.01)


threads = [threading.Thread(target=wait, name=f"worker;{n}") for n in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
"""


@pytest.fixture(scope="module")
def runs(assay: Any, libdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Records a program, once for each interpreter."""
    made: dict[tuple[str, str], Path] = {}

    def record(python: Any, source: str) -> Path:
        if (str(python), source) not in made:
            home = tmp_path_factory.mktemp("run")
            (home / "shop.py").write_text(textwrap.dedent(source))
            env = {"PYTHONPATH": str(libdir.parent)}
            done = assay("run", "--python", str(python), "-o", "shop.assay", "shop.py", cwd=home, env=env)
            assert done.returncode == 0, done.stderr
            made[str(python), source] = home / "shop.assay"
        return made[str(python), source]

    return record


def export(assay: Any, recording: Path, to: str, *args: str) -> str:
    done = assay("export", recording, "--to", to, "-o", "-", *args)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return str(done.stdout)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("assay: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def report(assay: Any, recording: Path, *args: str) -> dict[str, Any]:
    return dict(json.loads(assay("report", recording, "--format", "json", *args).stdout))


# What cProfile and we count of one program: without what only one of them sees.
COMPARE = """
import cProfile, marshal, pathlib, pstats, runpy, sys
script, ours = sys.argv[1:]
p = cProfile.Profile()
code = compile(pathlib.Path(script).read_text(), script, "exec")
names = {"__name__": "__main__"}
p.runctx(code, names, names)
p.create_stats()
theirs = {k: v for k, v in p.stats.items() if "assay" not in k[0]}
ours = pstats.Stats(ours).stats
seen = lambda k: "assay" not in k[0] and "contextvars" not in k[2] and not k[2].startswith(("<class", "<'"))
wrong = []
for key, (cc, nc, tt, ct, callers) in theirs.items():
    if not seen(key) or key[0] != script or key[2] in ("<module>", "<lambda>"):
        continue  # of two lambdas on one line cProfile keeps one
    if key not in ours:
        wrong.append((key, "missing"))
        continue
    ecc, enc, ett, ect, ecallers = ours[key]
    if (ecc, enc) != (cc, nc):
        wrong.append((key, (cc, nc), (ecc, enc)))
    edges = {k: v[:2] for k, v in callers.items() if k[0] == script}
    eedges = {k: v[:2] for k, v in ecallers.items() if k[0] == script}
    if edges != eedges:
        wrong.append((key, edges, eedges))
for name in ("<built-in method time.sleep>", "<method 'append' of 'collections.deque' objects>"):
    key = ("~", 0, name)
    if theirs[key][:2] != ours[key][:2]:
        wrong.append((key, theirs[key][:2], ours[key][:2]))
print(len([k for k in theirs if k[0] == script]), wrong)
"""


def test_pstats_counts_what_cprofile_counts(assay: Any, python: Any, runs: Any, libdir: Path, tmp_path: Path) -> None:
    recording = runs(python, SHOP)
    script = recording.with_name("shop.py")
    path = tmp_path / "shop.prof"
    assert assay("export", recording, "--to", "pstats", "-o", path).returncode == 0
    env = {**os.environ, "PYTHONPATH": str(libdir.parent)}
    done = subprocess.run([python, "-c", COMPARE, script, path], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    count, _, wrong = done.stdout.strip().partition(" ")
    assert wrong == "[]"
    assert int(count) >= 10


PRINT = """
import pstats, sys
s = pstats.Stats(sys.argv[1])
s.sort_stats("cumulative").print_stats("shop.py")
s.print_callers("fib")
s.print_callees("work")
s.add(sys.argv[1]).strip_dirs().print_stats("fib")
s.get_stats_profile()
"""


def test_pstats_prints_tables_callers_and_callees(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    path = tmp_path / "shop.prof"
    assert assay("export", runs(python, SHOP), "--to", "pstats", "-o", path).returncode == 0
    done = subprocess.run([python, "-c", PRINT, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"30/12 +\d\.\d+ .*shop\.py:18\(fib\)", done.stdout)
    assert re.search(r"18/12 +\d\.\d+ +\d\.\d+ .*shop\.py:18\(fib\)", done.stdout)  # fib by fib
    assert re.search(r"12 +\d\.\d+ +\d\.\d+ .*shop\.py:11\(price\)", done.stdout)
    assert "{built-in method time.sleep}" in done.stdout
    assert re.search(r"60/24 .*shop\.py:18\(fib\)", done.stdout)  # added to itself


def test_pstats_comes_back_the_same(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    path = tmp_path / "shop.prof"
    assert assay("export", runs(python, SHOP), "--to", "pstats", "-o", path).returncode == 0
    again = tmp_path / "again.prof"
    assert assay("export", path, "--to", "pstats", "-o", again).returncode == 0
    assert marshal.loads(path.read_bytes()) == marshal.loads(again.read_bytes())
    ours = {f["name"]: f for f in report(assay, runs(python, SHOP))["functions"]}
    theirs = {f["name"]: f for f in report(assay, path)["functions"]}
    for name, ours_name in (("fib", "fib"), ("price", "Shop.price"), ("work", "work")):
        for key in ("calls", "primitive_calls", "self_ns", "total_ns"):
            assert theirs[name][key] == ours[ours_name][key], (name, key)


def test_collapsed_adds_up_to_the_report(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    lines = export(assay, recording, "collapsed").splitlines()
    stacks = [line.rpartition(" ")[::2] for line in lines]
    functions = report(assay, recording)["functions"]
    assert sum(int(ns) for _, ns in stacks) == sum(f["self_ns"] for f in functions)
    sleeps = [stack for stack, _ in stacks if stack.endswith("time.sleep")]
    assert sleeps == ["<module> (shop.py:1);main (shop.py:42);customer=acme;work (shop.py:35);time.sleep"]


def test_a_part_is_exported(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    whole = export(assay, recording, "collapsed")
    part = export(assay, recording, "collapsed", "--tag", "customer=acme")
    assert "even" in whole and "even" not in part and "time.sleep" in part
    assert "importlib" in export(assay, recording, "collapsed", "--startup")


def test_threads_are_frames_and_profiles(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, THREADS)
    stacks = export(assay, recording, "collapsed").splitlines()
    assert {line.split(";")[0] for line in stacks} == {"MainThread", "worker\\x3b0", "worker\\x3b1"}
    one = export(assay, recording, "collapsed", "--thread", "worker;1").splitlines()
    assert one and not any(line.startswith("worker") for line in one)
    page = json.loads(export(assay, recording, "speedscope"))
    assert sorted(profile["name"] for profile in page["profiles"]) == ["MainThread", "worker;0", "worker;1"]


def self_times(page: dict[str, Any]) -> dict[str, int]:
    """By function, of a speedscope file; checks that its events nest."""
    names = [frame["name"] for frame in page["shared"]["frames"]]
    sums: dict[str, int] = {}
    for profile in page["profiles"]:
        stack: list[int] = []
        at = profile["startValue"]
        for event in profile["events"]:
            assert event["at"] >= at
            if stack:
                sums[names[stack[-1]]] = sums.get(names[stack[-1]], 0) + event["at"] - at
            at = event["at"]
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert stack.pop() == event["frame"]
        assert stack == [] and at == profile["endValue"]
    return sums


def test_speedscope_nests_and_adds_up(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    sums = self_times(json.loads(export(assay, recording, "speedscope")))
    functions = {f["name"]: f["self_ns"] for f in report(assay, recording)["functions"]}
    for name in ("fib", "Shop.price", "even"):
        assert sums[name] == functions[name]
    assert sums["time.sleep"] == functions["sleep"]


def test_callgrind_adds_up_to_the_report(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    lines = export(assay, recording, "callgrind").splitlines()
    wall = sum(
        int(line.split()[1])
        for before, line in itertools.pairwise(lines)
        if re.fullmatch(r"\d+ \d+ \d+", line) and not before.startswith("calls=")
    )
    assert wall == sum(f["self_ns"] for f in report(assay, recording)["functions"])
    assert f"summary: {wall} " in "\n".join(lines)


def test_json_is_the_report(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    assert export(assay, recording, "json") == assay("report", recording, "--format", "json").stdout


# ---- files ----


def test_name_comes_from_the_recording(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    recording = runs(python, SHOP)
    names = {
        "pstats": "shop.prof",
        "callgrind": "callgrind.out.shop",
        "collapsed": "shop.collapsed",
        "speedscope": "shop.speedscope.json",
        "json": "shop.json",
    }
    for to, name in names.items():
        done = assay("export", recording, "--to", to, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"assay: wrote {name}\n")
    assert sorted(os.listdir(tmp_path)) == sorted(names.values())


def test_newest_recording_is_exported(assay: Any, python: Any, runs: Any) -> None:
    recording = runs(python, SHOP)
    done = assay("export", "--to", "collapsed", "-o", "-", cwd=recording.parent)
    assert done.stdout == export(assay, recording, "collapsed")


def test_a_file_that_is_there_stays_without_force(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.prof"
    path.write_text("mine")
    recording = runs(python, SHOP)
    assert "--force" in refused(assay("export", recording, "--to", "pstats", "-o", path))
    assert path.read_text() == "mine"
    assert assay("export", recording, "--to", "pstats", "-o", path, "--force").returncode == 0
    assert path.read_bytes()[:1] == b"{"
    assert os.listdir(tmp_path) == ["x.prof"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_force_replaces_what_a_link_leads_to(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.prof").write_text("old")
    link = tmp_path / "link.prof"
    link.symlink_to("real/x.prof")
    assert assay("export", runs(python, SHOP), "--to", "pstats", "-o", link, "--force").returncode == 0
    assert link.is_symlink() and (tmp_path / "real" / "x.prof").read_bytes()[:1] == b"{"


def test_an_export_may_replace_its_own_file(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.prof"
    assert assay("export", runs(python, SHOP), "--to", "pstats", "-o", path).returncode == 0
    before = marshal.loads(path.read_bytes())
    assert assay("export", "x.prof", "--to", "pstats", "--force", cwd=tmp_path).returncode == 0
    assert marshal.loads(path.read_bytes()) == before


def test_what_cannot_be_written_is_one_sentence(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    recording = runs(python, SHOP)
    for path, why in (
        (tmp_path / "no" / "x", "No such file"),
        (tmp_path, "Is a directory"),
        ("/dev/full", "No space left"),
        (tmp_path / ("n" * 300), "too long"),
        ("", "No such file"),
    ):
        said = refused(assay("export", recording, "--to", "pstats", "-o", path))
        assert "cannot be written" in said and why in said
    assert os.listdir(tmp_path) == []


def test_a_file_size_limit_leaves_nothing_behind(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [assay.path, "export", runs(python, SHOP), "--to", "json", "-o", tmp_path / "x.json"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=60)
    assert "too large" in refused(done)
    assert os.listdir(tmp_path) == []


def test_devices_and_pipes_are_written_to_as_they_are(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    recording = runs(python, SHOP)
    assert assay("export", recording, "--to", "pstats", "-o", "/dev/null").returncode == 0
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = assay.start("export", recording, "--to", "collapsed", "-o", pipe)
    assert pipe.read_text() == export(assay, recording, "collapsed")
    assert process.wait(60) == 0


def test_a_reader_that_has_had_enough_is_no_error_message(assay: Any, python: Any, runs: Any) -> None:
    process = assay.start(
        "export", runs(python, SHOP), "--to", "json", "-o", "-", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) in (1, -signal.SIGPIPE)


def test_closed_standard_output_is_refused(assay: Any, python: Any, runs: Any) -> None:
    command = f"exec '{assay.path}' export '{runs(python, SHOP)}' --to pstats -o - >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert "closed" in refused(done)


def test_an_interrupted_export_leaves_nothing(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    # Wherever it is when it ends: reading, writing, or done.
    sample = assay.path.parents[2] / "tests" / "c" / "report" / "report_sample"
    big = tmp_path / "big.assay"
    subprocess.run([sample, "300000", big], check=True)
    for delay in (0.05, 0.1, 0.2, 0.3):
        process = assay.start("export", big, "--to", "json", "-o", tmp_path / "x.json")
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        if process.wait(60) == 0:
            break
        assert process.returncode == -signal.SIGTERM
        assert os.listdir(tmp_path) == ["big.assay"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "--to FORMAT"),
        (["--to", "svg"], "--to cannot be svg"),
        (["--to", ""], "--to cannot be ''"),
        (["--to", "json", "--to", "json"], "--to can be given once"),
        (["--to"], "--to needs a value"),
        (["--to", "json", "-o", "a", "-o", "b"], "-o can be given once"),
        (["--to", "json", "a", "b"], "one file at a time"),
        (["--to", "json", "--nope"], "--nope is not an option"),
        (["--to", "json", "-x"], "-x is not an option"),
        (["--to", "json", "--force=1"], "takes no value"),
        (["--to", "json", "--tag", "x"], "KEY=VALUE"),
        (["--to", "json", "--process", "x"], "--process takes"),
        (["--to", "json", "missing.assay"], "does not exist"),
    ],
)
def test_wrong_options_are_one_sentence(assay: Any, args: list[str], said: str, tmp_path: Path) -> None:
    assert said in refused(assay("export", *args, cwd=tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_selection_that_is_not_there_is_refused(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    recording = runs(python, SHOP)
    for args in (["--thread", "nobody"], ["--tag", "customer=nobody"], ["--process", "1"]):
        for to in ("pstats", "speedscope", "json"):
            said = refused(assay("export", recording, "--to", to, *args, cwd=tmp_path))
            assert "in this recording" in said or "nothing in this recording" in said
    assert os.listdir(tmp_path) == []


def test_help_names_the_formats_and_fits_a_terminal(assay: Any) -> None:
    for args in (["export", "--help"], ["export", "-h"]):
        text = assay(*args).stdout
        assert all(word in text for word in ("pstats", "callgrind", "collapsed", "speedscope", "json", "examples"))
        assert max(map(len, text.splitlines())) <= 80
    assert "assay export" in assay("--help").stdout


def test_nothing_is_said_of_progress_but_to_a_terminal(assay: Any, tmp_path: Path) -> None:
    """A pipe for input holds it up for longer than a second."""
    pipe = tmp_path / "slow.prof"
    os.mkfifo(pipe)

    def run(stderr: int) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = assay.start(
            "export", "slow.prof", "--to", "pstats", "-o", "-", cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=stderr
        )
        return process

    for terminal in (True, False):
        keep = os.open(pipe, os.O_RDWR)  # so that it is not empty but waited for
        ours, theirs = pty.openpty() if terminal else os.pipe()
        process = run(theirs)
        os.close(theirs)
        time.sleep(1.5)
        os.write(keep, b"{0")
        os.close(keep)
        process.wait(60)
        try:
            said = os.read(ours, 1000)
        except OSError:  # a terminal that nobody has open
            said = b""
        os.close(ours)
        assert process.returncode == 0
        assert ("reading" in said.decode()) is terminal


def test_what_is_missing_is_said(assay: Any, python: Any, runs: Any, tmp_path: Path) -> None:
    whole = runs(python, SHOP).read_bytes()
    (tmp_path / "cut.assay").write_bytes(whole[:-3])
    done = assay("export", "cut.assay", "--to", "pstats", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("assay: wrote cut.prof\nassay: ") and "the recording" in done.stderr
    (tmp_path / "x.prof").write_bytes(marshal.dumps({("a.py", 1, "f"): (1, 1, -0.5, 0.5, {})}))
    done = assay("export", "x.prof", "--to", "callgrind", "-o", "-", cwd=tmp_path)
    assert done.returncode == 0 and "below zero" in done.stderr
    assert assay("export", "cut.assay", "--to", "json", "-o", "-", cwd=tmp_path).stderr == ""
