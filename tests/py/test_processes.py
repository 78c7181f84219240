"""Every process of a program is measured, however it begins and ends; and the program notices nothing."""

from __future__ import annotations

import os
import subprocess

import pytest
from recordings import Recording, read

PROGRAM = """
import concurrent.futures, multiprocessing, os, signal, subprocess, sys

def leaf(): pass

def work(count, end):
    for _ in range(count):
        leaf()
    if end == "exit": sys.exit(5)
    if end == "_exit": os._exit(5)
    if end == "kill": os.kill(os.getpid(), signal.SIGKILL)

def told(status):
    print(os.waitstatus_to_exitcode(status), flush=True)

def by_multiprocessing(method, end):
    process = multiprocessing.get_context(method).Process(target=work, args=(100, end))
    process.start()
    process.join()
    print(process.exitcode)

def by_pool(method, end):
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            print(pool.submit(work, 100, end).result())
        except BaseException as problem:
            print(type(problem).__name__)

def command(end, *options):
    return [sys.executable, *options, os.path.abspath(__file__), "child", end]

def by_fork(end):
    pid = os.fork()
    if pid == 0:
        work(100, end)
    told(os.waitpid(pid, 0)[1])

def by_double_fork(end):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        os.close(reader)
        work(100, end)
    os.close(writer)
    told(os.wait()[1])
    print(os.read(reader, 1))  # nothing, as soon as the grandchild has ended

def by_exec(end):
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, command(end))
    told(os.waitpid(pid, 0)[1])

def by_posix_spawn(end):
    told(os.waitpid(os.posix_spawn(sys.executable, command(end), {}), 0)[1])

WAYS = {
    "fork": by_fork,
    "multiprocessing fork": lambda end: by_multiprocessing("fork", end),
    "multiprocessing spawn": lambda end: by_multiprocessing("spawn", end),
    "multiprocessing forkserver": lambda end: by_multiprocessing("forkserver", end),
    "concurrent.futures fork": lambda end: by_pool("fork", end),
    "concurrent.futures spawn": lambda end: by_pool("spawn", end),
    "subprocess": lambda end: print(subprocess.run(command(end)).returncode),
    "Popen with env={}": lambda end: print(subprocess.Popen(command(end), env={}).wait()),
    "-I": lambda end: print(subprocess.run(command(end, "-I")).returncode),
    "system": lambda end: told(os.system(" ".join(command(end)))),
    "a shell": lambda end: print(subprocess.run(["sh", "-c", " ".join(command(end)) + "; exit $?"]).returncode),
    "os.exec": by_exec,
    "posix_spawn": by_posix_spawn,
    "double fork": by_double_fork,
}

if __name__ == "__main__":
    if sys.argv[1] == "child":
        work(100, sys.argv[2])
    else:
        leaf()
        WAYS[sys.argv[1]](sys.argv[2])
        leaf()
"""

WAYS = [line.split('"')[1] for line in PROGRAM[PROGRAM.index("WAYS = {") :].splitlines() if line.startswith('    "')]


def run_both(assay, python, folder, program: str, *arguments: str, env=None) -> tuple[Recording, str]:
    """The recording of a program that did the same without us, and what it printed."""
    (folder / "x.py").write_text(program)
    plain = subprocess.run(
        [python, "x.py", *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    done = assay("run", "-q", "--python", python, "x.py", *arguments, cwd=folder, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    return read(assay, folder / "x.assay"), done.stdout


def calls_by_process(assay, folder, recording: Recording, name: str) -> list[int]:
    """How often each process called `name`, without those that did not."""
    pids = dict.fromkeys(each["pid"] for each in recording.data["processes"])
    counts = [read(assay, folder / "x.assay", "--process", str(pid)).calls(name) for pid in pids]
    return [count for count in counts if count > 0]


def lost(recording: Recording) -> dict[str, int]:
    """What was not measured, over all processes and the session; only what is not 0."""
    losses = [each["losses"] for each in recording.data["processes"]] + [recording.data["session"]["losses"]]
    return {key: n for each in losses for key, n in each.items() if n}


ENDS = ["exit", "_exit", "kill"] if os.environ.get("ASSAY_TEST_ALL") else ["exit", "kill"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_child_is_measured_however_it_begins_and_ends(assay, python, tmp_path, way, end):
    recording, _ = run_both(assay, python, tmp_path, PROGRAM, way, end)
    assert calls_by_process(assay, tmp_path, recording, "leaf") == [2, 100]
    assert recording.calls("work") == 1
    assert lost(recording) == {}
    assert recording.data["remarks"] == [] or all("call" in each for each in recording.data["remarks"])
    parent = recording.data["processes"][0]
    assert parent["exit_status"] == 0
    for child in recording.data["processes"][1:]:
        assert child["parent_pid"] != 0
        assert child["start_ns"] <= child["end_ns"] <= recording.data["session"]["duration_ns"]
    ends = {(each["exit_status"], each["killed_by"]) for each in recording.data["processes"][1:]}
    if "concurrent" not in way:
        assert ends & ({(None, 9), (None, None)} if end == "kill" else {(5, None)})


def test_what_was_counted_before_a_fork_is_the_parent_s_alone(assay, python, tmp_path):
    program = """
import os
def leaf(): pass
def inner():
    for _ in range(10): leaf()
    pid = os.fork()
    for _ in range(20 if pid == 0 else 5): leaf()
    return pid
def outer():
    pid = inner()
    if pid != 0: os.waitpid(pid, 0)
    return pid
pid = outer()
leaf()
"""
    recording, _ = run_both(assay, python, tmp_path, program)
    parent, child = recording.data["processes"]
    assert (parent["forked"], child["forked"]) == (False, True)
    assert child["parent_pid"] == parent["pid"]
    of_parent = read(assay, tmp_path / "x.assay", "--process", str(parent["pid"]))
    of_child = read(assay, tmp_path / "x.assay", "--process", str(child["pid"]))
    assert [of_parent.calls(name) for name in ("outer", "inner", "leaf")] == [1, 1, 16]
    assert [of_child.calls(name) for name in ("outer", "inner", "leaf")] == [0, 0, 21]
    for name in ("outer", "inner"):
        (node,) = [n for n in of_child.data["nodes"] if of_child.path(n)[-1:] == [name]]
        assert (node["calls"], node["inherited"], node["open"]) == (0, True, 0)
    paths = {
        tuple(of_child.path(n)) for n in of_child.data["nodes"] if of_child.path(n)[-1:] == ["leaf"] and n["calls"]
    }
    assert paths == {("<module>", "outer", "inner", "leaf"), ("<module>", "leaf")}
    assert lost(recording) == {}


@pytest.mark.parametrize("how", ["os", "raw"])
def test_a_fork_from_another_thread_is_measured(assay, python, tmp_path, how):
    program = """
import ctypes, os, sys, threading
fork = os.fork if sys.argv[1] == "os" else ctypes.PyDLL(None).fork
def leaf(): pass
def in_thread():
    pid = fork()
    if pid == 0:
        for _ in range(30): leaf()
        os._exit(0)
    os.waitpid(pid, 0)
    leaf()
thread = threading.Thread(target=in_thread, name="forker")
thread.start()
thread.join()
leaf()
"""
    recording, _ = run_both(assay, python, tmp_path, program, how, env={"PYTHONWARNINGS": "ignore"})
    assert calls_by_process(assay, tmp_path, recording, "leaf") == [2, 30]
    (child,) = read(assay, tmp_path / "x.assay", "--process", str(recording.data["processes"][1]["pid"])).functions(
        "leaf"
    )
    assert child["calls"] == 30
    assert lost(recording) == {}


def test_forks_of_forks_and_generators_threads_and_tags_in_them(assay, python, tmp_path, libdir):
    program = """
import os, threading
from assay import tag
def leaf(): pass
def gen():
    for _ in range(4):
        leaf()
        yield
def deeper(level):
    if level == 0: return
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=leaf) for _ in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        next(g)
        deeper(level - 1)
        os._exit(0)
    os.waitpid(pid, 0)
g = gen()
next(g)
with tag(level="top"):
    deeper(3)
    next(g)
"""
    env = {"PYTHONPATH": str(libdir.parent), "PYTHONWARNINGS": "ignore"}  # threads may be there at a fork
    recording, _ = run_both(assay, python, tmp_path, program, env=env)
    assert calls_by_process(assay, tmp_path, recording, "leaf") == [2, 4, 4, 4]
    assert recording.calls("gen") == 1
    tagged = read(assay, tmp_path / "x.assay", "--tag", "level=top")
    assert tagged.calls("leaf") == 3 + 1  # threads have a context of their own
    (tag,) = [each for each in tagged.data["functions"] if each["kind"] == "tag"]
    assert sum(node["calls"] for node in tagged.data["nodes"] if node["function"] == tag["id"]) == 1
    assert lost(recording) == {}


def test_a_fork_inside_a_profiled_callback(assay, python, tmp_path, libdir):
    """The text of a tag's value is made inside an event of ours."""
    program = """
import os
from assay import tag
def leaf(): pass
class Value:
    pid = None
    def __str__(self):
        if Value.pid is None: Value.pid = os.fork()
        return "v"
def tagged():
    leaf()
with tag(key=Value()): tagged()
if Value.pid is None: Value.pid = os.fork()  # without assay nobody asks for the text
if Value.pid == 0: os._exit(0)
os.waitpid(Value.pid, 0)
print("done")
"""
    recording, out = run_both(assay, python, tmp_path, program, env={"PYTHONPATH": str(libdir.parent)})
    assert out == "done\n"
    assert calls_by_process(assay, tmp_path, recording, "leaf") == [1, 1]


def test_c_code_that_forks_inside_a_hook_of_the_program(assay, python, tmp_path):
    program = """
import ctypes, os, sys
fork = ctypes.PyDLL(None).fork
pids = []
def leaf(): pass
def hook(frame, event, arg):
    if event == "line" and not pids: pids.append(fork())
    return hook
def traced():
    leaf()
    leaf()
sys.settrace(hook)
traced()
sys.settrace(None)
if pids[0] == 0: os._exit(0)
os.waitpid(pids[0], 0)
"""
    recording, _ = run_both(assay, python, tmp_path, program)
    assert calls_by_process(assay, tmp_path, recording, "leaf") == [2, 2]


def test_report_by_process_shows_each_with_its_command_line_and_parent(assay, python, tmp_path):
    run_both(assay, python, tmp_path, PROGRAM, "subprocess", "_exit")
    recording = read(assay, tmp_path / "x.assay")
    parent, child = recording.data["processes"]
    out = assay("report", tmp_path / "x.assay", "--by", "process", env={"COLUMNS": "250"}).stdout
    (of_parent,) = [line for line in out.splitlines() if "x.py subprocess _exit" in line]
    (of_child,) = [line for line in out.splitlines() if "x.py child _exit" in line]
    assert parent["parent_pid"] == 0
    assert f" {parent['pid']} " in of_parent and "exit 0" in of_parent
    assert f" {child['pid']} " in of_child and f" {parent['pid']} " in of_child and "exit 5" in of_child
    alone = assay("report", tmp_path / "x.assay", "--by", "process", "--process", str(child["pid"])).stdout
    assert str(parent["pid"]) in alone and "x.py subprocess" not in alone.splitlines()[2]
    both = assay("report", tmp_path / "x.assay", "--by", "process", "--tree")
    assert both.returncode == 2 and "two reports" in both.stderr


def test_a_script_and_a_server_profile_every_python_that_they_start(assay, python, tmp_path):
    (tmp_path / "job.py").write_text("def leaf(): pass\nfor _ in range(50): leaf()\n")
    start = tmp_path / "start.sh"
    start.write_text(f"#!/bin/sh\n'{python}' job.py & \n'{python}' -I job.py\nwait\n")
    start.chmod(0o755)
    done = assay("run", "--", "./start.sh", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 processes" in done.stderr
    assert read(assay, tmp_path / "start.sh.assay").calls("leaf") == 100


def test_windows_in_a_fork_child(assay, python, tmp_path, libdir):
    """One that the fork crosses gives nothing there; others do, under assay run."""
    program = """
import assay, os, sys
def leaf(): pass
def before(): pass
before()
with assay.profile() as outer:
    pid = os.fork()
    if pid == 0:
        with assay.profile() as inner:
            for _ in range(17): leaf()
            before()
        calls = {n.function.name: n.calls for t in inner.recording.threads for n in t if n.function}
        assert (calls["leaf"], calls["before"]) == (17, 1), calls
if pid == 0:
    try:
        outer.recording
    except RuntimeError as problem:
        assert "fork" in str(problem)
        os._exit(3)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
assert "fork" in {n.function.name for t in outer.recording.threads for n in t if n.function}
"""
    (tmp_path / "x.py").write_text(program)
    done = assay("run", "-q", "--python", python, "x.py", cwd=tmp_path, env={"PYTHONPATH": str(libdir.parent)})
    assert (done.returncode, done.stderr) == (0, "")
    assert read(assay, tmp_path / "x.assay").calls("leaf") == 17
