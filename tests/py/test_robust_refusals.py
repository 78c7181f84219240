"""What cannot be done is said in one sentence, and what could be kept is kept."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import read
from robust_support import wait_until

SCRIPT = """
import sys
def leaf():
    pass
for _ in range(100):
    leaf()
print("ran", flush=True)
sys.exit(3)
"""


@pytest.fixture
def script(tmp_path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def one_sentence(text: str) -> bool:
    """Whether stderr holds one line of ours and nothing else."""
    lines = text.splitlines()
    return len(lines) == 1 and lines[0].startswith("assay: ") and len(lines[0]) > 15


def ours(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("assay: ")]


def test_missing_script_is_the_interpreter_s_own_error(assay, python, tmp_path):
    done = assay("run", "-o", tmp_path / "out.assay", "--python", python, tmp_path / "missing.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "missing.py" in done.stderr


def test_no_program_to_run_is_refused(assay):
    done = assay("run")
    assert done.returncode == 2
    assert ours(done.stderr)


@pytest.mark.parametrize("out", ["missing-directory/out.assay", "/proc/out.assay", "."])
def test_unwritable_place_is_refused_before_the_program_starts(assay, python, tmp_path, script, out):
    done = assay("run", "-o", out, "--python", python, script, cwd=tmp_path)
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr
    assert "ran" not in done.stdout


def limit_descriptors(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8])
def test_limit_on_open_files_is_named_before_the_program_starts(assay, python, tmp_path, script, count):
    (tmp_path / "out.assay").write_bytes(b"\x89ASSAY\r\nbefore")
    process = assay.start(
        *("run", "-o", tmp_path / "out.assay", "--python", python, script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: limit_descriptors(count),
    )
    out, err = process.communicate(timeout=60)
    if count == 8:
        assert (process.returncode, out) == (3, "ran\n"), err
    else:
        assert (process.returncode, out) == (2, ""), err
        assert one_sentence(err) and "(ulimit -n)" in err, err
        assert (tmp_path / "out.assay").read_bytes() == b"\x89ASSAY\r\nbefore"


def limit_file_size(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 512, 1 << 20, 1 << 26])
def test_file_size_limit_at_the_start_is_borne_or_refused_before_the_program_starts(
    assay, python, tmp_path, script, size
):
    process = assay.start(
        *("run", "-o", tmp_path / "out.assay", "--python", python, script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: limit_file_size(size),
    )
    out, err = process.communicate(timeout=60)
    if process.returncode == 2:
        assert out == "" and one_sentence(err), err
        assert "ulimit -f" in err
        assert size < 1 << 21
        assert not (tmp_path / "out.assay").exists()
    else:
        assert (process.returncode, out) == (3, "ran\n"), err
        assert size > 512 or len(ours(err)) >= 1, err


LIMITS_ITSELF = """
import resource, signal, sys, threading
def leaf(): pass
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # deadly
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
def work():
    for n in range(2000):
        scope = {"leaf": leaf}
        exec(f"def f{n}(): leaf()", scope)
        scope[f"f{n}"]()
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print("ran")
sys.exit(3)
"""


def test_file_size_limit_that_the_program_sets_itself_costs_nothing(assay, python, tmp_path):
    script = tmp_path / "limits.py"
    script.write_text(LIMITS_ITSELF)
    done = assay("run", "-o", tmp_path / "out.assay", "--python", python, script)
    assert (done.returncode, done.stdout) == (3, "ran\n"), done.stderr
    assert "none lost" in done.stderr, done.stderr
    assert read(assay, tmp_path / "out.assay").calls("leaf") == 16_000


@pytest.mark.parametrize("size", ["0", "1000", "600K", "1023K"])
def test_arena_that_is_too_small_is_refused_by_its_name(assay, python, tmp_path, script, size):
    done = assay("run", "--arena", size, "--python", python, script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_sentence(done.stderr) and "--arena" in done.stderr
    assert list(tmp_path.glob("*.assay")) == []


def test_arena_of_the_smallest_size_serves(assay, python, tmp_path, script):
    # -S: what an installation's own site-packages run at the start may fill it
    done = assay("run", "--arena=1M", "-o", tmp_path / "out.assay", "--python", python, "-S", script)
    assert (done.returncode, done.stdout) == (3, "ran\n")
    assert read(assay, tmp_path / "out.assay").calls("leaf") == 100


def run_in_memory(assay, directory: Path, soft: int, hard: int, *command: str) -> tuple[int, str, str]:
    process = assay.start(
        *("run", *command),
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (soft, hard)),
    )
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_memory_limit_under_which_we_cannot_begin_is_named(assay, tmp_path):
    """From a limit under which the loader fails up to one under which a shell runs."""
    refused = 0
    for size in range(3 << 20, 12 << 20, 1 << 18):
        status, out, err = run_in_memory(assay, tmp_path, size, size, "--", "sh", "-c", "echo ran; exit 3")
        if status == 2:
            assert out == "" and one_sentence(err) and "ulimit -v" in err, err
            assert list(tmp_path.glob("*.assay")) == []
            refused += 1
        elif status == 3:
            assert out == "ran\n"
            break
    assert (status, refused > 0) == (3, True)


def test_memory_limit_that_may_be_raised_does_not_bind_us(assay, tmp_path):
    size = 5 << 20
    status, out, err = run_in_memory(assay, tmp_path, size, -1, "--", "sh", "-c", "ulimit -v; exit 3")
    assert (status, out) == (3, f"{size >> 10}\n"), err


MANY_FUNCTIONS = """
import random, string, sys
print("ready", flush=True)
sys.stdin.readline()
for n in range(4000):
    name = "".join(random.Random(n).choices(string.ascii_letters, k=80))
    scope = {}
    exec(f"def {name}(): pass", scope)
    scope[name]()
print("ran", flush=True)
sys.exit(3)
"""


def start_ready(assay, python, folder: Path, source: str, recording: Path, *args: Path) -> subprocess.Popen[str]:
    """Start a script under assay; it has said that it is ready."""
    script = folder / "script.py"
    script.write_text(source)
    process = assay.start(
        *("run", "-o", recording, "--python", python, script, *args),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("size", [0, 1000, 20_000])
def test_file_that_stops_growing_midway_leaves_the_program_s_own_status(assay, python, tmp_path, size):
    """A limit on the size of files is what a full disk looks like, without a disk."""
    recording = tmp_path / "out.assay"
    process = start_ready(assay, python, tmp_path, MANY_FUNCTIONS, recording)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate("go\n", timeout=60)
    assert (process.returncode, out) == (3, "ran\n"), err
    assert "breaks off" in err.splitlines()[0], err
    assert "none lost" in err and counted(err) >= 4000, err
    if recording.exists():
        assert refused_or_read(assay("report", recording))


EARLY_AND_LATE = """
import os, sys, time
def early(): pass
def late(): pass
for _ in range(1000): early()
while not os.path.exists("go"): time.sleep(0.01)
for _ in range(1000): late()
print("ran")
sys.exit(3)
"""


def counted(summary: str) -> int:
    """How many calls it says were counted."""
    return int(re.search(r"([\d,]+) calls? counted", summary)[1].replace(",", ""))


def early_is_kept(assay, recording: Path) -> bool:
    try:
        return read(assay, recording).calls("early") == 1000
    except AssertionError:
        return False  # nothing to read yet


def test_what_was_written_before_the_disk_was_full_is_kept_and_shown(assay, python, tmp_path):
    script = tmp_path / "x.py"
    script.write_text(EARLY_AND_LATE)
    recording = tmp_path / "x.assay"
    process = assay.start(
        *("run", "--python", python, "x.py"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    wait_until(lambda: early_is_kept(assay, recording))  # at a checkpoint
    size = recording.stat().st_size
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "ran\n"), err
    assert ours(err)[0] == "assay: the recording x.assay breaks off: no space left; the summary is complete"
    assert "none lost" in err and "what came before is shown" not in err and "x.assay · more" not in err
    assert counted(err) >= 2000, err
    kept = read(assay, recording)
    assert kept.data["session"]["complete"] is False
    assert (kept.calls("early"), kept.calls("late")) == (1000, 0)


@pytest.fixture
def small_disk(tmp_path, request):
    """A file system of 64 KiB, or of the size that is the parameter; skips where it cannot be mounted."""
    size = getattr(request, "param", "64k")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "assay-test", str(disk)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass


def test_disk_full_midway_leaves_the_program_s_own_status(assay, python, tmp_path, small_disk):
    script = tmp_path / "many.py"
    script.write_text(MANY_FUNCTIONS)
    recording = small_disk / "out.assay"
    done = assay("run", "-o", recording, "--python", python, script, input="go\n")
    assert (done.returncode, done.stdout) == (3, "ready\nran\n"), done.stderr
    assert "breaks off" in done.stderr.splitlines()[0], done.stderr
    assert "none lost" in done.stderr and counted(done.stderr) >= 4000, done.stderr
    if recording.exists():
        assert refused_or_read(assay("report", recording))


def test_full_disk_is_refused_before_the_program_starts(assay, python, tmp_path, small_disk):
    script = tmp_path / "x.py"
    script.write_text("print('ran')")
    (small_disk / "x.assay").write_bytes(b"\x89ASSAY\r\nbefore")
    fill(small_disk)
    for name in ("new.assay", "x.assay"):
        done = assay("run", "-o", small_disk / name, "--python", python, script)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert one_sentence(done.stderr) and "No space left" in done.stderr
    assert {p.name for p in small_disk.iterdir()} == {"x.assay", "filler"}
    assert (small_disk / "x.assay").read_bytes() == b"\x89ASSAY\r\nbefore"


NAMED_AND_WAITING = """
import os, random, string, sys, time
def early(): pass
for _ in range(1000): early()
print("ready", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
for n in range(2000):
    name = "".join(random.Random(n).choices(string.ascii_letters, k=80))
    scope = {}
    exec(f"def {name}(): pass", scope)
    scope[name]()
time.sleep(1)
print("ran", flush=True)
sys.exit(3)
"""


@pytest.mark.parametrize("small_disk", ["2m"], indirect=True)
def test_disk_that_others_fill_in_the_first_second_costs_nothing_of_a_usual_recording(
    assay, python, tmp_path, small_disk
):
    recording = small_disk / "out.assay"
    process = start_ready(assay, python, tmp_path, NAMED_AND_WAITING, recording, tmp_path / "go")
    fill(small_disk)
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "ran\n"), err
    assert "breaks off" not in err, err
    kept = read(assay, recording)
    assert kept.data["session"]["complete"] is True
    assert kept.calls("early") == 1000


def test_disk_full_in_the_first_seconds_keeps_the_last_whole_state(assay, python, tmp_path, small_disk):
    """Definitions for which there is room, but not for their counts, would show nothing."""
    recording = small_disk / "out.assay"
    process = start_ready(assay, python, tmp_path, NAMED_AND_WAITING, recording, tmp_path / "go")
    wait_until(lambda: early_is_kept(assay, recording))  # at the first checkpoint, soon
    (tmp_path / "go").touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "ran\n"), err
    assert "breaks off" in ours(err)[0], err
    assert "none lost" in err and counted(err) >= 3000, err
    kept = read(assay, recording)
    assert kept.data["session"]["complete"] is False
    assert kept.calls("early") == 1000


HUNDRED_CALLS = "def leaf(): pass\nfor _ in range(100): leaf()\n"


@pytest.fixture
def crowded(small_disk) -> tuple[Path, str]:
    """A disk that takes the session's own block, and an argument too long for the first state as well."""
    (small_disk / "filler").write_bytes(bytes(44 << 10))
    return small_disk, "".join(random.Random(1).choices(string.ascii_letters, k=16000))


def test_disk_full_before_the_first_state_costs_the_recording_not_the_summary(assay, python, tmp_path, crowded):
    disk, argument = crowded
    script = tmp_path / "x.py"
    script.write_text(HUNDRED_CALLS)
    done = assay("run", "-o", disk / "out.assay", "--python", python, script, argument)
    assert done.returncode == 0, done.stderr
    assert ours(done.stderr)[0].endswith("breaks off: no space left; the summary is complete"), done.stderr
    assert "none lost" in done.stderr and counted(done.stderr) >= 100, done.stderr
    shown = assay("report", disk / "out.assay")
    size = (disk / "out.assay").stat().st_size
    assert f"the recording breaks off at byte {size:,}, before anything was measured" in shown.stdout, shown


def test_disk_full_before_the_first_state_leaves_the_recording_before_it(assay, python, tmp_path, crowded):
    disk, argument = crowded
    script = tmp_path / "x.py"
    script.write_text(HUNDRED_CALLS)
    (disk / "filler").write_bytes(bytes(40 << 10))
    (disk / "x.assay").write_bytes(b"\x89ASSAY\r\nbefore")
    done = assay("run", "--python", python, script, argument, cwd=disk)
    assert done.returncode == 0, done.stderr
    assert ours(done.stderr)[0] == "assay: there is no recording x.assay: no space left; the summary is complete"
    assert "none lost" in done.stderr and counted(done.stderr) >= 100, done.stderr
    assert (disk / "x.assay").read_bytes() == b"\x89ASSAY\r\nbefore"
    assert {p.name for p in disk.iterdir()} == {"x.assay", "filler"}


def test_what_is_not_a_python_runs_as_without_us(assay, tmp_path):
    done = assay("run", "-o", tmp_path / "out.assay", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 4")
    assert (done.returncode, done.stdout) == (4, "out\n")
    assert "err\n" in done.stderr
    assert len(ours(done.stderr)) == 1, done.stderr


def test_missing_command_is_refused(assay, tmp_path):
    done = assay("run", "-o", tmp_path / "out.assay", "--", "no-such-command-anywhere")
    assert done.returncode in (2, 127)
    assert one_sentence(done.stderr), done.stderr


def test_python_that_is_not_there_is_refused(assay, tmp_path, script):
    done = assay("run", "-o", tmp_path / "out.assay", "--python", tmp_path / "python9", script)
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr


def unsupported_pythons() -> list[str]:
    """Older CPythons of this machine."""
    places = [*Path.home().glob(".pyenv/versions/[23].*/bin/python"), *Path("/usr/bin").glob("python[23].*")]
    old = []
    for place in sorted(places):
        code = "import sys; print(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([place, "-E", "-c", code], capture_output=True, text=True)
        except OSError:
            continue
        if done.stdout.strip() == "True":
            old.append(str(place))
    return old


def test_older_python_runs_unprofiled_and_one_line_says_so(assay, tmp_path, script):
    old = unsupported_pythons()
    if not old:
        pytest.skip("no older Python is here")
    script.write_text("import sys; sys.stdout.write('ran\\n'); sys.exit(3)")
    for python in old:
        done = assay("run", "-o", tmp_path / "out.assay", "--python", python, script)
        assert (done.returncode, done.stdout) == (3, "ran\n"), (python, done.stderr)
        assert len(ours(done.stderr)) == 1, (python, done.stderr)
        assert re.search(
            r": Python [23]\.\d+ is not supported \(3\.11 to 3\.15 are\): ran unprofiled$", ours(done.stderr)[0]
        )


def test_python_that_we_were_not_built_for_is_named_with_its_kind(assay, python, tmp_path, script):
    libraries = tmp_path / "lib"
    shutil.copytree(assay.libdir, libraries, ignore=lambda _, names: [n for n in names if n.endswith(python.suffix)])
    done = assay("run", "--python", python, script, cwd=tmp_path, env={"ASSAY_LIBDIR": str(libraries)})
    assert (done.returncode, done.stdout) == (3, "ran\n"), done.stderr
    assert ours(done.stderr)[0].endswith(f": this assay was not built for Python {python.version}: ran unprofiled")


MANY_PATHS = """
import sys
def make(count, callees):
    made = []
    for n in range(count):
        scope = {"callees": callees}
        exec(f"def f{n}():\\n for callee in callees: callee()", scope)
        made.append(scope[f"f{n}"])
    return made
for function in make(30, make(30, make(30, ()))):
    function()
def leaf():
    pass
for _ in range(100):
    leaf()
print("ran", flush=True)
sys.exit(3)
"""


def all_calls(recording) -> int:
    return sum(node["calls"] for node in recording.data["nodes"]) + recording.data["view"]["startup"]["calls"]


def test_exhausted_arena_keeps_the_number_of_calls_and_says_what_was_lost(assay, python, tmp_path):
    script = tmp_path / "paths.py"
    script.write_text(MANY_PATHS)
    counts = []
    for size in (1 << 20, 1 << 24):
        recording = tmp_path / "out.assay"
        done = assay("run", "--arena", str(size), "-o", recording, "--python", python, script)
        assert (done.returncode, done.stdout) == (3, "ran\n"), done.stderr
        assert ("without their path" in done.stderr) == (size == 1 << 20), done.stderr
        counts.append(all_calls(read(assay, recording)))
    assert counts[1] > 30**3
    # What start-up calls depends on caches: two runs are alike within a little.
    assert abs(counts[0] - counts[1]) <= 20


@pytest.mark.parametrize("size", ["2M", "64M"])
def test_calls_without_a_path_are_the_programs_own(assay, python, tmp_path, size):
    script = tmp_path / "paths.py"
    script.write_text(
        """
def a(n): return n and a(n - 1) + b(n - 1)
def b(n): return n and a(n - 1) + b(n - 1)
def late(): return len("x")
a(15)
late()
"""
    )
    recording = tmp_path / "out.assay"
    done = assay("run", "--arena", size, "-o", recording, "--python", python, script)
    assert ("without their path" in done.stderr) == (size != "64M"), done.stderr
    read_back = read(assay, recording)
    calls = {f["name"]: f["calls"] for f in read_back.data["functions"]}
    assert (calls["a"], calls["b"], calls["late"], calls["len"]) == (2**15, 2**15 - 1, 1, 1)
    assert read_back.data["view"]["startup"]["calls"] < 2**15


@pytest.fixture(scope="module")
def good(assay, tmp_path_factory) -> bytes:
    """A whole recording, made on the Python that runs the tests' first parameter or any."""
    directory = tmp_path_factory.mktemp("good")
    script = directory / "script.py"
    script.write_text(SCRIPT)
    first = os.environ.get("ASSAY_TEST_PYTHONS", sys.executable).split(":")[0]
    assay("run", "-q", "-o", directory / "good.assay", "--python", first, script)
    return (directory / "good.assay").read_bytes()


def report(assay, directory: Path, content: bytes, *options: str) -> subprocess.CompletedProcess:
    path = directory / "broken.assay"
    path.write_bytes(content)
    return assay("report", path, *options, timeout=20)


def refused_or_read(done: subprocess.CompletedProcess) -> bool:
    """Status 0 with an answer, or 2 with one sentence; never a signal."""
    if done.returncode == 0:
        return done.stdout != ""
    return done.returncode == 2 and one_sentence(done.stderr)


def read_to(done: subprocess.CompletedProcess) -> int:
    """The offset that a report of a cut recording says it was read to."""
    return int(re.search(r"breaks off at byte ([\d,]+)", done.stdout)[1].replace(",", ""))


def test_recording_cut_anywhere_is_read_to_its_last_block_or_refused(assay, tmp_path, good):
    step = max(1, len(good) // 60)
    for size in [*range(0, len(good), step), len(good) - 1]:
        done = report(assay, tmp_path, good[:size])
        assert refused_or_read(done), (size, done)
        if done.returncode == 0:
            at = read_to(done)
            assert at <= size and read_to(report(assay, tmp_path, good[:at])) == at


def test_recording_with_flipped_bits_is_read_in_part_or_refused(assay, tmp_path, good):
    dice = random.Random(5)
    for _ in range(60):
        content = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        for options in ((), ("--format", "json"), ("--tree",)):
            done = report(assay, tmp_path, bytes(content), *options)
            assert refused_or_read(done), done


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"#!/usr/bin/python\nprint()\n", b"\xff" * 65536, b"PK\x03\x04" + b"a" * 100],
    ids=["empty", "zeros", "script", "ones", "zip"],
)
def test_what_is_not_a_recording_is_refused_in_one_sentence(assay, tmp_path, content):
    done = report(assay, tmp_path, content)
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr


@pytest.mark.parametrize("path", ["/no/such/file.assay", ".", "/dev/null"])
def test_file_that_cannot_be_read_is_refused_in_one_sentence(assay, tmp_path, path):
    done = assay("report", path, cwd=tmp_path)
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr


def test_report_without_a_recording_here_is_refused(assay, tmp_path):
    done = assay("report", cwd=tmp_path)
    assert done.returncode == 2
    assert one_sentence(done.stderr), done.stderr


def test_names_in_a_recording_cannot_write_to_the_terminal(assay, python, tmp_path):
    script = tmp_path / "hostile.py"
    script.write_text(
        "code = compile('def f():\\n  pass\\nf()', '\\x1b[31mred\\x07\\n.py', 'exec')\n"
        "for _ in range(1000): exec(code)\n"
    )
    recording = tmp_path / "out.assay"
    assay("run", "-q", "-o", recording, "--python", python, script)
    for options in ((), ("--tree",), ("--format", "json"), ("--by", "calls")):
        done = assay("report", recording, *options)
        assert done.returncode == 0, done.stderr
        assert not any(ord(char) < 32 and char not in "\n" for char in done.stdout), options


def test_thread_that_finds_no_memory_does_not_ask_at_every_call(assay, python, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("""
import threading, time
space = {}
names = [f"f{n}" for n in range(60000)]
exec("".join(f"def {name}(): pass\\n" for name in names), space)
def leaf():
    pass
def fill():
    for name in names:
        space[name]()
    run(lambda: [leaf() for _ in range(20000)], "refused")
def run(work, name):
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join()
run(fill, "fill")
for n in range(60):
    run(leaf, "late")
    time.sleep(0.02)
""")
    recording = tmp_path / "full.assay"
    done = assay("run", "-q", "--arena", "2M", "-o", recording, "--python", python, script)
    assert done.returncode == 0, done.stderr
    data = read(assay, recording).data
    assert data["processes"][0]["losses"]["events"] >= 40000  # a call and a return each
    serials = {thread["name"]: thread["serial"] for thread in data["threads"]}
    assert serials["late"] < 1000 and "refused" not in serials  # each try takes a number
