"""While the program runs: signals, stops, terminals; and each of the two outliving the other."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from recordings import read

PATIENCE_S = 30.0


def wait_for(condition, what: str):
    """Poll until `condition()` is true; the deadline only ends a hung test."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}")
        time.sleep(0.01)
    return value


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def children_of(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def running(assay, python, tmp_path, code: str, **kwargs):
    """A program under `assay run` that has written its pid to `ready`; yields (assay process, pid)."""
    (tmp_path / "x.py").write_text(code)
    process = assay.start(
        "run",
        "--quiet",
        "--python",
        python,
        "x.py",
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )
    try:
        ready = tmp_path / "ready"
        wait_for(lambda: ready.exists() and ready.read_text(), "the program to begin")
        yield process, int(ready.read_text())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((tmp_path / "ready").read_text()), signal.SIGKILL)
        process.kill()
        process.wait()


READY = """import os, signal, sys, time
def ready():
  open('ready.tmp', 'w').write(str(os.getpid()))
  os.rename('ready.tmp', 'ready')
"""
COUNTING = READY + (
    "got = []\n"
    "names = 'TERM INT HUP QUIT USR1 USR2 ALRM WINCH PROF VTALRM IO RTMIN RTMAX'.split()\n"
    "for number in [getattr(signal, 'SIG' + name) for name in names]:\n"
    "  signal.signal(number, lambda n, f: got.append(n))\n"
    "ready()\n"
    "while not got: time.sleep(0.01)\n"
    "time.sleep(0.3)\n"
    "print(*got); sys.exit(5)\n"
)


@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM",
        "SIGINT",
        "SIGHUP",
        "SIGQUIT",
        "SIGUSR1",
        "SIGUSR2",
        "SIGALRM",
        "SIGWINCH",
        "SIGPROF",
        "SIGIO",
        "SIGRTMIN",
    ],
)
def test_a_signal_to_our_pid_alone_reaches_the_program_once(assay, python, tmp_path, name):
    with running(assay, python, tmp_path, COUNTING) as (process, _):
        process.send_signal(signal.Signals[name])
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert out == f"{int(signal.Signals[name])}\n"
        assert process.returncode == 5


def test_a_signal_to_the_group_reaches_the_program_once(assay, python, tmp_path):
    for name in ("SIGINT", "SIGTERM"):
        (tmp_path / "ready").unlink(missing_ok=True)
        with running(assay, python, tmp_path, COUNTING, start_new_session=True) as (process, _):
            os.killpg(process.pid, signal.Signals[name])
            out, _ = process.communicate(timeout=PATIENCE_S)
            assert out == f"{int(signal.Signals[name])}\n"


def test_a_signal_to_the_group_hides_none_that_comes_later_to_us(assay, python, tmp_path):
    code = READY + (
        "got = []\n"
        "signal.signal(signal.SIGUSR1, lambda n, f: got.append(n))\n"
        "ready()\n"
        "for seen in (1, 2):\n"
        "  while len(got) < seen: time.sleep(0.01)\n"
        "  open(f'seen{seen}', 'w')\n"
        "time.sleep(0.3); print(*got)\n"
    )
    with running(assay, python, tmp_path, code, start_new_session=True) as (process, _):
        os.killpg(process.pid, signal.SIGUSR1)
        wait_for((tmp_path / "seen1").exists, "the first signal")
        time.sleep(0.1)  # it is pending for us until we have asked about it: a second would be one with it
        process.send_signal(signal.SIGUSR1)
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert out == "10 10\n"


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()


LOOKS = {
    "killall assay": lambda pid: name_of(pid) == "assay" or os.path.basename(command_of(pid).split()[0]) == "assay",
    "pkill -f x.py": lambda pid: "x.py" in command_of(pid),
    "pkill -f 'assay run'": lambda pid: "assay run" in command_of(pid),
}


@pytest.mark.parametrize("looks", LOOKS.values(), ids=LOOKS)
def test_a_signal_to_what_is_called_like_us_reaches_the_program_once(assay, python, tmp_path, looks):
    with running(assay, python, tmp_path, COUNTING) as (process, _):
        wait_for(lambda: len(children_of(process.pid)) == 2, "the witness")
        # Between fork and exec each still has our name.
        wait_for(lambda: all(name_of(p) != "assay" for p in children_of(process.pid)), "their own names")
        wait_for(lambda: all("assay run" not in command_of(p) for p in children_of(process.pid)), "their own arguments")
        for found in filter(looks, [process.pid, *children_of(process.pid)]):
            os.kill(found, signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert out == f"{int(signal.SIGTERM)}\n"


def test_a_killed_assay_leaves_no_process_of_its_own(assay, python, tmp_path):
    code = READY + "ready()\ntime.sleep(60)"
    with running(assay, python, tmp_path, code, start_new_session=True) as (process, pid):
        helpers = wait_for(lambda: [p for p in children_of(process.pid) if p != pid], "the witness")
        process.kill()
        process.wait(PATIENCE_S)
        wait_for(lambda: all(state_of(p) in ("gone", "Z") for p in helpers), "the witness to end")
        assert state_of(pid) == "S"


def test_a_program_that_a_forwarded_signal_kills_kills_us_in_the_same_way(assay, python, tmp_path):
    with running(assay, python, tmp_path, READY + "ready()\ntime.sleep(60)") as (process, _):
        process.terminate()
        assert process.wait(PATIENCE_S) == -signal.SIGTERM


def test_a_stopped_program_stops_us_and_is_continued_with_us(assay, python, tmp_path):
    code = READY + "ready()\nwhile not os.path.exists('go'): time.sleep(0.01)\nsys.exit(6)"
    with running(assay, python, tmp_path, code) as (process, pid):
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: state_of(process.pid) == "T", "assay to stop")
        assert state_of(pid) == "T"
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: state_of(pid) != "T", "the program to go on")
        (tmp_path / "go").touch()
        assert process.wait(PATIENCE_S) == 6


def test_a_stopped_program_that_is_continued_alone_continues_us(assay, python, tmp_path):
    code = READY + "ready()\nwhile not os.path.exists('go'): time.sleep(0.01)\nsys.exit(6)"
    with running(assay, python, tmp_path, code) as (process, pid):
        for _ in range(2):
            os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: state_of(process.pid) == state_of(pid) == "T", "both to stop")
            os.kill(pid, signal.SIGCONT)
            wait_for(lambda: state_of(process.pid) != "T", "assay to go on")
        (tmp_path / "go").touch()
        assert process.wait(PATIENCE_S) == 6


def test_a_stopped_program_that_is_killed_continues_us(assay, python, tmp_path):
    with running(assay, python, tmp_path, READY + "ready()\ntime.sleep(60)") as (process, pid):
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: state_of(process.pid) == "T", "assay to stop")
        os.kill(pid, signal.SIGKILL)
        assert process.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_killed_assay_leaves_the_program_running(assay, python, tmp_path):
    code = READY + "ready()\nwhile not os.path.exists('go'): time.sleep(0.01)\nopen('done', 'w').write('yes')"
    with running(assay, python, tmp_path, code) as (process, pid):
        process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
        (tmp_path / "go").touch()
        wait_for(lambda: (tmp_path / "done").exists() and (tmp_path / "done").read_text() == "yes", "the program's end")
        wait_for(lambda: state_of(pid) in ("gone", "Z"), "the program to exit")


def test_a_killed_assay_leaves_a_recording_that_can_be_read_or_none(assay, python, tmp_path):
    code = READY + "ready()\ndef f(): pass\nwhile True: f()"
    with running(assay, python, tmp_path, code) as (process, _):
        recording = tmp_path / "x.assay"
        begun = recording.stat().st_size
        wait_for(lambda: recording.stat().st_size > begun, "the first checkpoint")
        process.kill()
        process.wait(PATIENCE_S)
    result = assay("report", "x.assay", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "f" in result.stdout


def test_an_assay_killed_at_once_leaves_a_recording_that_says_so(assay, python, tmp_path):
    """Before the first checkpoint, which comes after a second."""
    code = READY + "ready()\nwhile True: time.sleep(0.01)"
    with running(assay, python, tmp_path, code) as (process, _):
        process.kill()
        process.wait(PATIENCE_S)
    result = assay("report", "x.assay", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "x.py" in result.stdout
    assert "the recording breaks off" in result.stdout


def test_a_daemon_that_outlives_its_parent_does_not_delay_our_exit(assay, python, tmp_path):
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "  os.setsid()\n"
        "  for fd in (0, 1, 2): os.dup2(os.open('/dev/null', os.O_RDWR), fd)\n"
        "  open('daemon.tmp', 'w').write(str(os.getpid())); os.rename('daemon.tmp', 'daemon')\n"
        "  time.sleep(600)\n"
        "while not os.path.exists('daemon'): time.sleep(0.01)\n"
        "sys.exit(8)\n"
    )
    (tmp_path / "x.py").write_text(code)
    try:
        result = assay("run", "--python", python, "x.py", cwd=tmp_path)
        assert result.returncode == 8
        assert state_of(int((tmp_path / "daemon").read_text())) == "S"
    finally:
        os.kill(int((tmp_path / "daemon").read_text()), signal.SIGKILL)


def test_processes_of_a_command_are_each_measured_to_their_end(assay, python, tmp_path):
    programs = ("print(1)", "import os; os.kill(os.getpid(), 9)", "print(3)")
    code = "; ".join([*(f"'{python}' -c '{program}'" for program in programs), "exit 4"])
    result = assay("run", "--", "sh", "-c", code, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (4, "1\n3\n")
    assert "unprofiled" not in result.stderr


def test_when_the_program_has_ended_a_signal_ends_us_too(assay, python, tmp_path):
    """With a summary that nobody reads."""
    (tmp_path / "x.py").write_text("import os\nopen('ready', 'w').write(str(os.getpid()))")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    process = assay.start("run", "--python", python, "x.py", cwd=tmp_path, stderr=writer)
    try:
        wait_for(lambda: (tmp_path / "ready").exists() and (tmp_path / "ready").read_text(), "the program to begin")
        wait_for(lambda: state_of(int((tmp_path / "ready").read_text())) == "gone", "the program to end")

        def has_ended():
            process.terminate()
            return process.poll() is not None

        wait_for(has_ended, "assay to end")
        assert process.returncode == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)
    assert "breaks off" not in assay("report", "x.assay", cwd=tmp_path).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_that_ended_the_program_does_not_cost_the_summary(assay, python, tmp_path, number):
    (tmp_path / "x.py").write_text(f"import os, signal\nsignal.signal({int(number)}, 0)\nos.killpg(0, {int(number)})")
    process = assay.start(
        *("run", "--python", python, "x.py"), cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
    )
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -number
    assert "x.assay · more: assay report" in err


UNSHARED = """import threading, time
def f(): pass
def g(until):
  n = 0
  while time.monotonic() < until:
    for _ in range(100): f()
    n += 100
    time.sleep(0.001)
  return n
counts = []
other = threading.Thread(target=lambda: counts.append(g(time.monotonic() + 0.7)))
other.start()
counts.append(g(time.monotonic() + 0.7))
other.join()
print(sum(counts))
"""


@pytest.mark.parametrize("space", ["--pid", "--time"])
def test_a_process_in_a_namespace_of_its_own_is_measured_to_its_end(assay, python, tmp_path, space):
    """Its ids, or its start time, are others than those that we see."""
    (tmp_path / "x.py").write_text(UNSHARED)
    apart = ["unshare", space, "--fork", *(["--boottime", "100000"] if space == "--time" else [])]
    if subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
        pytest.skip("no namespace can be made here")
    result = assay("run", "-o", "x.assay", "--", *apart, python, "x.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("f") == int(result.stdout)
    assert len(recording.data["processes"]) == 1
    assert "damaged" not in result.stderr


# ---- on a terminal ----


class Terminal:
    """A terminal with a job-control shell in miniature.

    The leader starts one job in the foreground and tells what becomes of it.
    """

    def __init__(self, command: list[str], cwd: Path, env: dict[str, str]):
        self.output = b""
        self.leader, self.master = pty.fork()
        if self.leader == 0:
            try:
                self._shell([os.fspath(part) for part in command], cwd, env)
            finally:
                os._exit(99)

    @staticmethod
    def _shell(command: list[str], cwd: Path, env: dict[str, str]) -> None:
        os.chdir(cwd)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execve(command[0], command, env)
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            os.tcsetpgrp(0, os.getpgrp())
            os.write(1, b"[stopped by %d]\n" % os.WSTOPSIG(status))
            os.read(0, 1)  # any line: fg
            os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)
        os.tcsetpgrp(0, os.getpgrp())
        os.write(1, b"[ended with %d]\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)

    def read_until(self, text: bytes) -> bytes:
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.output:
            if time.monotonic() > deadline or not select.select([self.master], [], [], PATIENCE_S)[0]:
                pytest.fail(f"the terminal did not show {text!r}: {self.output!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:
                pytest.fail(f"the terminal closed before {text!r}: {self.output!r}")
            self.output += data
        return self.output

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.leader, signal.SIGKILL)
        os.close(self.master)
        os.waitpid(self.leader, 0)


@pytest.fixture(params=["without", "with"])
def terminal(request, assay, python, tmp_path):
    """Start a program on a terminal, once without and once with assay: each test holds for both."""
    made = []

    def start(code: str) -> Terminal:
        (tmp_path / "x.py").write_text(code)
        before = [assay.path, "run", "--quiet", "--python", python] if request.param == "with" else [python]
        made.append(Terminal([*before, "x.py"], tmp_path, assay.environ()))
        return made[-1]

    yield start
    for t in made:
        t.close()


def test_the_program_is_in_the_terminals_foreground(terminal):
    t = terminal(
        "import os; print([os.isatty(n) for n in (0, 1, 2)], os.tcgetpgrp(0) == os.getpgrp(), os.get_terminal_size())"
    )
    assert b"[True, True, True] True" in t.read_until(b"[ended with 0]")


def test_a_line_typed_reaches_the_program(terminal):
    t = terminal("print('got', input('name? '))")
    t.read_until(b"name? ")
    t.type(b"x y\n")
    t.read_until(b"got x y")
    t.read_until(b"[ended with 0]")


def test_ctrl_c_interrupts_the_program_once(terminal):
    t = terminal(COUNTING.replace("ready()\nwhile", "print('ready', flush=True)\nwhile"))
    t.read_until(b"ready")
    t.type(b"\x03")
    after = t.read_until(b"[ended with 5]").partition(b"ready")[2]
    assert after.replace(b"^C", b"").split() == [b"2", b"[ended", b"with", b"5]"]


def test_ctrl_c_ends_a_program_that_does_not_catch_it(terminal):
    t = terminal("import time\nprint('ready', flush=True)\ntime.sleep(60)")
    t.read_until(b"ready")
    t.type(b"\x03")
    assert t.read_until(b"[ended with -2]").count(b"KeyboardInterrupt") == 1


def test_ctrl_backslash_ends_the_program(terminal):
    t = terminal("import time, resource\nresource.setrlimit(4, (0, 0))\nprint('ready', flush=True)\ntime.sleep(60)")
    t.read_until(b"ready")
    t.type(b"\x1c")
    t.read_until(b"[ended with -3]")


def test_ctrl_z_stops_the_job_and_fg_goes_on(terminal):
    t = terminal(
        "import signal, time\n"
        "n = []\n"
        "signal.signal(signal.SIGCONT, lambda *a: n.append(1))\n"
        "print('ready', flush=True)\n"
        "while not n: time.sleep(0.01)\n"
        "time.sleep(0.2); print('continued', len(n), flush=True)\n"
        "input(); raise SystemExit(7)\n"
    )
    t.read_until(b"ready")
    t.type(b"\x1a")
    t.read_until(b"[stopped by 20]")
    t.type(b"\n")
    t.read_until(b"continued 1\r\n")
    t.type(b"\n")
    t.read_until(b"[ended with 7]")


def test_a_program_that_ignores_ctrl_z_goes_on(terminal):
    t = terminal(
        "import signal\nsignal.signal(signal.SIGTSTP, signal.SIG_IGN)\nprint('ready', flush=True)\nprint(input())"
    )
    t.read_until(b"ready")
    t.type(b"\x1a")
    t.type(b"still here\n")
    assert b"stopped" not in t.read_until(b"[ended with 0]")
