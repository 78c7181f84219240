"""The file that a run leaves: which name it takes, who else has that name, and what the program does to it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from recordings import read
from robust_support import wait_until

MAGIC = b"\x89ASSAY\r\n"

WAITS = """
import os, sys, time
open("begun." + sys.argv[1], "w").close()
while not os.path.exists("go"): time.sleep(0.01)
"""


def last_line_names(stderr: str) -> str:
    return stderr.splitlines()[-1].split(" · ")[0].strip()


# ---- what is no file ----


def make_fifo(place: Path) -> str:
    os.mkfifo(place / "pipe")
    return "pipe"


def make_socket(place: Path) -> str:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(place / "socket"))
    return "socket"


def make_directory(place: Path) -> str:
    (place / "directory").mkdir()
    return "directory"


def make_link_to_fifo(place: Path) -> str:
    os.mkfifo(place / "target")
    (place / "pipe").symlink_to("target")
    return "pipe"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (make_fifo, "pipe"),
        (make_link_to_fifo, "pipe"),
        (make_socket, "socket"),
        (make_directory, "directory"),
        (lambda place: "/dev/full", "device"),
        (lambda place: "/dev/null", "device"),
    ],
    ids=["fifo", "link to a fifo", "socket", "directory", "full", "null"],
)
@pytest.mark.parametrize("named", [True, False], ids=["-o", "by default"])
def test_what_is_no_file_is_refused_before_the_program_starts(assay, tmp_path, make, kind, named):
    name = make(tmp_path)
    (tmp_path / "x.py").write_text("open('started', 'w')")
    if not named:
        (tmp_path / "x.assay").symlink_to(name)
    done = assay("run", *(["-o", name] if named else []), "x.py", cwd=tmp_path, timeout=20)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"{name if named else 'x.assay'} is a {kind}: a recording needs the name of a file" in done.stderr
    assert not (tmp_path / "started").exists()


def test_a_link_that_points_nowhere_makes_the_file_it_points_to(assay, python, tmp_path):
    (tmp_path / "link").symlink_to("target")
    assert assay("run", "-o", "link", "--python", python, "-c", "pass", cwd=tmp_path).returncode == 0
    assert (tmp_path / "target").read_bytes().startswith(MAGIC)
    assert (tmp_path / "link").is_symlink()


def test_a_recording_that_may_not_be_written_to_is_kept_like_another(assay, python, tmp_path):
    (tmp_path / "x.assay").write_bytes(MAGIC + b"protected")
    (tmp_path / "x.assay").chmod(0o444)
    assert assay("run", "-o", "x.assay", "--python", python, "-c", "pass", cwd=tmp_path).returncode == 0
    assert (tmp_path / "x.old.assay").read_bytes() == MAGIC + b"protected"


@pytest.mark.parametrize("arguments", [["x.py"], ["-o", "x.assay", "--", "./odd"]], ids=["not begun", "not started"])
def test_a_run_that_fails_leaves_both_recordings_before_it(assay, python, tmp_path, arguments):
    (tmp_path / "x.py").write_text("def f(:")
    (tmp_path / "odd").write_bytes(b"\0\1\2\3")
    (tmp_path / "odd").chmod(0o755)
    before = {"x.assay": MAGIC + b"before", "x.old.assay": MAGIC + b"older"}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    options = ["--python", python] if arguments == ["x.py"] else []
    assert assay("run", *options, *arguments, cwd=tmp_path).returncode != 0
    left = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert left.pop("x.py") and left.pop("odd")
    assert left == before


@pytest.mark.parametrize("options", [[], ["-o", "x.assay"]], ids=["by default", "-o"])
def test_two_recordings_are_kept_and_no_third(assay, python, tmp_path, options):
    """Also where a killed run has left a third behind."""
    (tmp_path / "x.py").write_text("")
    for name in ("x.assay", "x.old.assay", ".x.old.assay.kept"):
        (tmp_path / name).write_bytes(MAGIC + name.encode())
    assert assay("run", *options, "--python", python, "x.py", cwd=tmp_path).returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.assay", "x.old.assay", "x.py"]
    assert (tmp_path / "x.old.assay").read_bytes() == MAGIC + b"x.assay"


# ---- several runs at once ----


def start_waiting(assay, python, place: Path, mark: str, *options: str) -> subprocess.Popen[str]:
    process = assay.start(
        *("run", *options, "--python", python, "x.py", mark), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until((place / f"begun.{mark}").exists)
    return process


@pytest.mark.parametrize("options", [(), ("-o", "x.assay")], ids=["by default", "-o"])
def test_runs_at_once_lose_nothing_and_each_names_its_own_recording(assay, python, tmp_path, options):
    (tmp_path / "x.py").write_text(WAITS)
    (tmp_path / "x.assay").write_bytes(MAGIC + b"before")
    runs = {mark: start_waiting(assay, python, tmp_path, mark, *options) for mark in ("one", "two", "three")}
    (tmp_path / "go").touch()
    named = {}
    for mark, process in runs.items():
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0
        named[mark] = last_line_names(err)
        told = "assay: x.assay was being written by another run: this recording is" in err
        assert told == (bool(options) and mark != "one"), err
        assert read(assay, tmp_path / named[mark]).data["session"]["command"].endswith(f"x.py {mark}")
    assert named == {"one": "x.assay", "two": "x.2.assay", "three": "x.3.assay"}
    assert (tmp_path / "x.old.assay").read_bytes() == MAGIC + b"before"
    assert len(list(tmp_path.glob("*.assay"))) == 4


def test_the_name_is_free_again_when_a_run_has_ended_or_was_killed(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(WAITS)
    first = start_waiting(assay, python, tmp_path, "one")
    first.kill()
    first.wait(timeout=60)
    second = start_waiting(assay, python, tmp_path, "two")
    (tmp_path / "go").touch()
    _, err = second.communicate(timeout=60)
    first.communicate(timeout=60)  # its program went on
    assert last_line_names(err) == "x.assay"
    assert {p.name for p in tmp_path.glob("*.assay")} == {"x.assay", "x.old.assay"}


def test_the_older_recording_is_not_written_over_while_it_is_being_written(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(WAITS)
    (tmp_path / "x.assay").write_bytes(MAGIC + b"before")
    older = start_waiting(assay, python, tmp_path, "older", "-o", "x.old.assay")
    newer = start_waiting(assay, python, tmp_path, "newer")
    (tmp_path / "go").touch()
    for process, name in ((older, "x.old.assay"), (newer, "x.2.assay")):
        _, err = process.communicate(timeout=60)
        assert last_line_names(err) == name
    assert (tmp_path / "x.assay").read_bytes() == MAGIC + b"before"


def test_many_runs_that_begin_together_leave_as_many_recordings(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(WAITS)
    marks = [str(n) for n in range(6)]
    runs = [
        assay.start("run", "-q", "--python", python, "x.py", mark, cwd=tmp_path, stderr=subprocess.PIPE)
        for mark in marks
    ]
    for mark in marks:
        wait_until((tmp_path / f"begun.{mark}").exists)
    (tmp_path / "go").touch()
    for process in runs:
        assert process.communicate(timeout=60)[1] == ""
    commands = [read(assay, path).data["session"]["command"] for path in tmp_path.glob("*.assay")]
    assert sorted(command.rpartition(" ")[2] for command in commands) == marks


# ---- what the program does to it ----


def run_code(assay, python, place: Path, code: str, *options: str) -> tuple[str, list[str]]:
    """What the last line names and the sentences before the summary."""
    (place / "x.py").write_text(code)
    done = assay("run", *options, "--python", python, "x.py", cwd=place)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    return last_line_names(done.stderr), [line for line in lines if line.startswith("assay: ")]


def test_a_recording_that_the_program_removes_is_written_again(assay, python, tmp_path):
    named, said = run_code(assay, python, tmp_path, "import os\ndef f(): os.remove('x.assay')\nf()")
    assert said[0] == "assay: the recording x.assay was removed while the program ran: x.assay is written again"
    assert named == "x.assay"
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("f") == 1
    assert recording.data["session"]["complete"] is True


def test_a_recording_whose_name_the_program_gives_to_another_file_is_written_beside_it(assay, python, tmp_path):
    code = "import os\nos.remove('x.assay')\nopen('x.assay', 'w').write('mine')"
    named, said = run_code(assay, python, tmp_path, code)
    assert said[0] == "assay: the recording x.assay was removed while the program ran: x.2.assay is written again"
    assert named == "x.2.assay"
    assert (tmp_path / "x.assay").read_text() == "mine"
    assert read(assay, tmp_path / "x.2.assay").data["session"]["complete"] is True


def test_a_recording_that_is_moved_is_named_where_it_is(assay, python, tmp_path):
    named, said = run_code(assay, python, tmp_path, "import os\nos.rename('x.assay', 'y.assay')")
    assert said[0] == "assay: the recording was moved while the program ran: it is y.assay"
    assert named == "y.assay"
    assert read(assay, tmp_path / "y.assay").data["session"]["complete"] is True
    assert not (tmp_path / "x.assay").exists()


def test_a_recording_whose_directory_is_gone_is_said_to_be_gone(assay, python, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    named, said = run_code(assay, python, place, f"import shutil\nshutil.rmtree({str(place)!r})")
    assert said[0] == "assay: the recording x.assay was removed while the program ran: there is none"
    assert ".assay" not in named
    assert len(said) == 2  # and what it took is shown


def test_no_room_is_left_reserved_behind_a_recording(assay, python, tmp_path):
    run_code(assay, python, tmp_path, "pass")
    status = (tmp_path / "x.assay").stat()
    assert status.st_blocks * 512 < status.st_size + (64 << 10)
