"""However a program ends, its status is repeated and its calls are kept."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from recordings import read
from robust_support import children, wait_until

WORK = """
def work():
    return [leaf() for _ in range(100)]

def leaf():
    pass

work()
"""


def write(directory: Path, ending: str, before: str = WORK) -> Path:
    script = directory / "script.py"
    script.write_text(before + textwrap.dedent(ending))
    return script


def run(assay, python, directory: Path, ending: str, **kwargs) -> tuple[subprocess.CompletedProcess, Path]:
    recording = directory / "death.assay"
    script = write(directory, ending)
    return assay("run", "-q", "-o", recording, "--python", python, script, cwd=directory, **kwargs), recording


ENDINGS = {
    "exit": ("import os; os._exit(7)", 7),
    "sys_exit": ("import sys; sys.exit(5)", 5),
    "exception": ("raise ValueError('mine')", 1),
    "exit_in_a_thread": (
        """
        import os, threading
        threading.Thread(target=os._exit, args=(6,)).start()
        threading.Event().wait()
        """,
        6,
    ),
    "abort": ("import os; os.abort()", -signal.SIGABRT),
    "segfault": ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
    "sigterm": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "sigusr1": ("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)", -signal.SIGUSR1),
    "sighup": ("import os, signal; os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP),
    "sigalrm": (
        "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(30)",
        -signal.SIGALRM,
    ),
    "keyboard_interrupt": ("import signal; signal.raise_signal(signal.SIGINT)", -signal.SIGINT),
    "sigkill": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_way_to_end_keeps_the_status_and_the_calls(assay, python, tmp_path, ending):
    code, status = ENDINGS[ending]
    done, recording = run(assay, python, tmp_path, code)
    assert done.returncode == status, done.stderr
    assert read(assay, recording).calls("leaf") == 100


@pytest.mark.parametrize("ending", ["exception", "segfault", "exit"])
def test_the_program_s_own_output_is_as_without_assay(assay, python, tmp_path, ending):
    code, _ = ENDINGS[ending]
    done, _ = run(assay, python, tmp_path, "print('said', flush=True)\n" + textwrap.dedent(code))
    plain = subprocess.run([python, tmp_path / "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))


def test_out_of_memory_is_the_program_s_own_and_keeps_the_calls(assay, python, tmp_path):
    ending = """
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    held = []
    try:
        while True:
            held.append(bytes(16 << 20))
    except MemoryError:
        pass
    del held
    work()
    raise SystemExit(9)
    """
    done, recording = run(assay, python, tmp_path, ending)
    assert done.returncode == 9, done.stderr
    assert read(assay, recording).calls("leaf") == 200


def test_memory_limit_set_before_the_start_is_borne(assay, python, tmp_path):
    recording = tmp_path / "death.assay"
    process = assay.start(
        *("run", "-q", "-o", recording, "--python", python, write(tmp_path, "raise SystemExit(9)")),
        cwd=tmp_path,
        preexec_fn=limit_memory,
        stderr=subprocess.PIPE,
    )
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 9, stderr
    assert read(assay, recording).calls("leaf") == 100


def test_a_signal_sent_to_assay_alone_reaches_the_program(assay, python, tmp_path):
    ending = """
    import signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(11))
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
    """
    recording = tmp_path / "death.assay"
    process = assay.start(
        *("run", "-q", "-o", recording, "--python", python, write(tmp_path, ending)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 11, stderr
    assert read(assay, recording).calls("leaf") == 100


INTERRUPTED = """
import signal, time
seen = 0
def count(number, frame):
    global seen
    seen += 1
signal.signal(signal.SIGINT, count)  # an exception could come anywhere
print("ready", flush=True)
end = time.monotonic() + 1
while time.monotonic() < end:
    time.sleep(0.01)
print("interrupted", seen, flush=True)
signal.signal(signal.SIGINT, signal.default_int_handler)
raise KeyboardInterrupt
"""


def read_terminal(fd: int, until: str, seconds: float = 30) -> str:
    """What the terminal shows, up to and with `until`; or to its end."""
    text = b""
    os.set_blocking(fd, False)
    limit = time.monotonic() + seconds
    while until.encode() not in text and time.monotonic() < limit:
        try:
            if not (got := os.read(fd, 65536)):
                break
            text += got
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            break  # the other side is closed
    return text.decode()


def test_ctrl_c_on_a_terminal_interrupts_the_program_once(assay, python, tmp_path):
    recording = tmp_path / "death.assay"
    script = write(tmp_path, INTERRUPTED)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["ASSAY_LIBDIR"] = str(assay.libdir)
        command = [assay.path, "run", "-q", "-o", recording, "--python", python, script]
        os.execv(assay.path, [os.fspath(part) for part in command])
    try:
        read_terminal(terminal, "ready")
        os.write(terminal, b"\x03")
        shown = read_terminal(terminal, "interrupted 1\r\n")
        assert "interrupted 1\r\n" in shown
        read_terminal(terminal, "no such text")
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGINT
    assert read(assay, recording).calls("leaf") == 100


def test_stop_and_continue_are_mirrored(assay, python, tmp_path):
    ending = """
    import os, signal
    os.kill(os.getpid(), signal.SIGSTOP)
    raise SystemExit(4)
    """
    recording = tmp_path / "death.assay"
    process = assay.start(
        *("run", "-q", "-o", recording, "--python", python, write(tmp_path, ending)),
        stderr=subprocess.PIPE,
    )
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    try:
        assert os.WIFSTOPPED(status)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode == 4
    assert read(assay, recording).calls("leaf") == 100


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    with open("daemon.pid", "w") as out:
        out.write(str(os.getpid()))
    time.sleep(60)
    os._exit(0)
while not os.path.exists("daemon.pid") or not open("daemon.pid").read():
    time.sleep(0.01)
"""


def test_a_daemon_that_outlives_its_parent_does_not_delay_the_exit(assay, python, tmp_path):
    began = time.monotonic()
    done, recording = run(assay, python, tmp_path, DAEMON)
    took = time.monotonic() - began
    daemon = int((tmp_path / "daemon.pid").read_text())
    try:
        assert done.returncode == 0, done.stderr
        assert took < 30  # the daemon sleeps for 60
        assert Path(f"/proc/{daemon}").exists()
        assert read(assay, recording).calls("leaf") == 100
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_child_left_running_with_our_output_open_does_not_delay_the_exit(assay, python, tmp_path):
    script = write(tmp_path, "import subprocess; subprocess.Popen(['sleep', '60']); raise SystemExit(3)")
    process = assay.start("run", "-q", "-o", tmp_path / "death.assay", "--python", python, script)
    wait_until(lambda: children(process.pid) or process.poll() is not None)
    assert process.wait(timeout=30) == 3
