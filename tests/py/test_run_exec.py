"""A program that becomes another one by exec: its measuring ends there, and it is said."""

from __future__ import annotations

import pytest
from recordings import read

SAID = "1 process became another program by exec: measured up to there"

WORK = """
import os, subprocess, sys, time
def work():
    for _ in range(1000): len(())
"""


def run(assay, python, place, code):
    (place / "x.py").write_text(WORK + code)
    done = assay("run", "--python", python, "x.py", cwd=place)
    return done, read(assay, place / "x.assay")


@pytest.mark.parametrize("call", ["execv", "execve", "execvp", "execve by descriptor"])
def test_time_after_an_exec_is_not_the_program_s_and_it_is_said(assay, python, tmp_path, call):
    arguments = "['sh', '-c', 'sleep 1; exit 5']"
    calls = {
        "execv": f"os.execv('/bin/sh', {arguments})",
        "execve": f"os.execve('/bin/sh', {arguments}, os.environ)",
        "execvp": f"os.execvp('sh', {arguments})",
        "execve by descriptor": f"os.execve(os.open('/bin/sh', os.O_RDONLY), {arguments}, os.environ)",
    }
    done, recording = run(assay, python, tmp_path, f"work()\n{calls[call]}\n")
    assert done.returncode == 5
    assert SAID in done.stderr
    assert recording.calls("work") == 1
    exec_name = call.split()[0] if call != "execvp" else "execv"
    (found,) = [f for f in recording.functions(exec_name) if f["kind"] == "c"]
    assert found["open"] == 1
    assert found["total_ns"] < 900_000_000
    (process,) = recording.data["processes"]
    assert process["end_ns"] - process["start_ns"] < 900_000_000


def test_a_python_that_takes_the_place_is_measured_too(assay, python, tmp_path):
    code = "work()\nif len(sys.argv) == 1: os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], 'again'])\n"
    done, recording = run(assay, python, tmp_path, code + "sys.exit(6)\n")
    assert done.returncode == 6
    assert SAID not in done.stderr
    assert " 1 process," in done.stderr
    assert recording.calls("work") == 2
    first, second = recording.data["processes"]
    assert first["pid"] == second["pid"]
    assert (first["image"], second["image"]) == (0, 1)
    assert (first["exit_status"], second["exit_status"]) == (None, 6)
    assert first["end_ns"] <= second["start_ns"]
    assert second["command"].endswith("x.py again")


def test_a_program_in_between_is_not_measured_and_the_python_after_it_is(assay, python, tmp_path):
    code = (
        "work()\nif len(sys.argv) == 1: os.execv('/bin/sh', ['sh', '-c', 'exec \"$0\" x.py again', sys.executable])\n"
    )
    done, recording = run(assay, python, tmp_path, code)
    assert done.returncode == 0
    assert SAID not in done.stderr
    assert recording.calls("work") == 2
    assert [each["image"] for each in recording.data["processes"]] == [0, 1]


def test_an_exec_that_fails_changes_nothing(assay, python, tmp_path):
    code = "try: os.execv('/no/such/program', ['x'])\nexcept OSError as e: print(e.errno)\ntime.sleep(0.3)\nwork()\n"
    done, recording = run(assay, python, tmp_path, code)
    assert (done.returncode, done.stdout) == (0, "2\n")
    assert SAID not in done.stderr
    assert recording.calls("work") == 1
    (process,) = recording.data["processes"]
    assert process["end_ns"] - process["start_ns"] > 300_000_000
    (found,) = [f for f in recording.functions("execv") if f["kind"] == "c"]
    assert (found["open"], found["total_ns"] < 200_000_000) == (0, True)


def test_a_child_that_becomes_another_program_does_not_end_its_parent_s_measuring(assay, python, tmp_path):
    code = (
        "subprocess.run(['true'])\n"
        "subprocess.run(['true'], preexec_fn=lambda: None)\n"
        "if os.fork() == 0: os.execv('/bin/true', ['true'])\n"
        "os.wait()\ntime.sleep(0.2)\nwork()\n"
    )
    done, recording = run(assay, python, tmp_path, code)
    assert done.returncode == 0
    assert recording.calls("work") == 1
    process, *children = recording.data["processes"]
    assert process["end_ns"] - process["start_ns"] > 200_000_000
    assert all(child["forked"] for child in children)
    assert f"{len(children)} process{'es' if len(children) > 1 else ''} became another program by exec" in done.stderr
