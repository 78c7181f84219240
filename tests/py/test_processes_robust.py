"""Many processes, killed ones, some that close all or take over a pid: nothing is lost or mixed up."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time

import pytest
from recordings import read


def run(assay, python, folder, program: str, *arguments: str, **kwargs):
    (folder / "x.py").write_text(program)
    done = assay("run", "-q", "--python", python, "x.py", *arguments, cwd=folder, **kwargs)
    assert (done.returncode, done.stderr) == (0, ""), done
    return read(assay, folder / "x.assay")


def test_a_pool_whose_workers_are_killed(assay, python, tmp_path):
    program = """
import multiprocessing, os, signal, time
def leaf(): pass
def task(n):
    for _ in range(10): leaf()
    if n < 0: os.kill(os.getpid(), signal.SIGKILL)
    return n
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        for n in range(4): pool.apply_async(task, (-1,))
        while len([p for p in multiprocessing.active_children()]) and pool._taskqueue.qsize(): time.sleep(0.01)
        time.sleep(0.5)
        assert pool.map(task, range(20), 1) == list(range(20))
"""
    recording = run(assay, python, tmp_path, program)
    assert recording.calls("task") == 24
    assert recording.calls("leaf") == 240
    assert recording.open("task") == 4
    killed = [each for each in recording.data["processes"] if each["killed_by"] == signal.SIGKILL]
    assert len(killed) <= 4


MANY = """
import os, sys
def leaf(): pass
for i in range(int(sys.argv[1])):
    if os.fork() == 0:
        for _ in range(7): leaf()
        os._exit(i % 3)
    os.wait()
"""


def test_a_thousand_short_processes_lose_nothing_in_bounded_memory(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(MANY)
    process = assay.start("run", "-q", "--arena", "64M", "--python", python, "x.py", "1000", cwd=tmp_path)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert usage.ru_maxrss < 300 * 1024  # of assay and what it waited for, KiB
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("leaf") == 7000
    assert recording.data["view"]["processes"] == 1001
    together = [each for each in recording.data["processes"] if each["processes"] > 1]
    assert len(together) == 1
    assert together[0]["processes"] + len(recording.data["processes"]) - 1 == 1001
    (remark,) = [each for each in recording.data["remarks"] if "counted together" in each]
    assert remark.startswith(f"{together[0]['processes']} short processes are counted together")
    assert not [each for each in recording.data["processes"] if any(each["losses"].values())]
    out = assay("report", tmp_path / "x.assay", "--by", "process", "--limit", "3").stdout
    assert f"{together[0]['processes']} together" in out


def test_more_than_a_thousand_pythons_that_are_started_share_their_functions(assay, python, tmp_path):
    """The recording does not grow by a process's start-up each time."""
    program = """
import subprocess, sys
for _ in range(int(sys.argv[1])): subprocess.run([sys.executable, "-S", "-c", "def leaf(): pass\\nleaf()"])
"""
    run(assay, python, tmp_path, program, "1")
    few = (tmp_path / "x.assay").stat().st_size
    recording = run(assay, python, tmp_path, program, "12")
    assert recording.calls("leaf") == 12
    assert (tmp_path / "x.assay").stat().st_size < 8 * few


def test_a_daemon_that_closes_every_descriptor_is_measured(assay, python, tmp_path):
    program = """
import os
def leaf(): pass
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(writer, 0)
        os.closerange(1, 65536)
        for _ in range(33): leaf()
        os.write(0, b"done")
        os._exit(0)
    os._exit(0)
os.close(writer)
os.wait()
assert os.read(reader, 4) == b"done"
assert os.read(reader, 4) == b""
leaf()
"""
    recording = run(assay, python, tmp_path, program)
    assert recording.calls("leaf") == 34
    assert len(recording.data["processes"]) == 3


def test_a_child_that_outlives_the_program_is_taken_as_it_stands(assay, python, tmp_path):
    program = """
import os, time
def leaf(): pass
if os.fork() == 0:
    os.setsid()
    for fd in (0, 1, 2): os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    for _ in range(21): leaf()
    open("daemon.tmp", "w").write(str(os.getpid()))
    os.rename("daemon.tmp", "daemon")
    time.sleep(600)
while not os.path.exists("daemon"): time.sleep(0.01)
"""
    try:
        recording = run(assay, python, tmp_path, program)
        assert recording.calls("leaf") == 21
        child = recording.data["processes"][1]
        assert (child["exit_status"], child["killed_by"]) == (None, None)
    finally:
        os.kill(int((tmp_path / "daemon").read_text()), signal.SIGKILL)


def can_choose_pids() -> bool:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", "echo 99 > /proc/sys/kernel/ns_last_pid"],
        capture_output=True,
    )
    return done.returncode == 0


def test_a_pid_that_is_used_again_is_another_process(assay, python, tmp_path):
    if os.geteuid() != 0 or not can_choose_pids():
        pytest.skip("needs a pid namespace of its own")
    (tmp_path / "x.py").write_text("""
import os, time
def first(): pass
def second(): pass
def fork():
    open("/proc/sys/kernel/ns_last_pid", "w").write("499")
    return os.fork()
for n, f in enumerate((first, second, first, second)):
    pid = fork()
    if pid == 0:
        for _ in range(10 + n): f()
        time.sleep(0.2 * (n % 2))
        os._exit(0)
    assert pid == 500, pid
    os.waitpid(pid, 0)
""")
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", assay.path, "run", "-q", "--python", python, "x.py"],
        cwd=tmp_path,
        env=assay.environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    recording = read(assay, tmp_path / "x.assay")
    children = [each for each in recording.data["processes"] if each["pid"] == 500]
    assert len(children) == 4
    assert (recording.calls("first"), recording.calls("second")) == (22, 24)
    assert [each["exit_status"] for each in children] == [0, 0, 0, 0]
    assert children == sorted(children, key=lambda each: each["start_ns"])


def test_a_limit_on_address_space_in_a_child_costs_only_what_finds_no_memory(assay, python, tmp_path):
    program = """
import os, resource
def leaf(): pass
if os.fork() == 0:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20), used + (1 << 20)))
    for _ in range(50): leaf()
    os._exit(0)
assert os.wait()[1] == 0
"""
    assert run(assay, python, tmp_path, program).calls("leaf") == 50


SERVER = """#!{python}
import os, signal, socket, sys
def handle(connection):
    connection.sendall(connection.recv(100).upper())
    connection.close()
def serve(listener):
    while True:
        handle(listener.accept()[0])
def stop(*ignored):
    for pid in workers: os.kill(pid, signal.SIGTERM)
    for pid in workers: os.waitpid(pid, 0)
    sys.exit(0)
listener = socket.create_server(("127.0.0.1", 0))
workers = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        serve(listener)
    workers.append(pid)
signal.signal(signal.SIGTERM, stop)
open("port.tmp", "w").write(str(listener.getsockname()[1]))
os.rename("port.tmp", "port")
while True: signal.pause()
"""


def test_a_server_that_forks_its_workers_first(assay, python, tmp_path):
    server = tmp_path / "server"
    server.write_text(SERVER.format(python=python))
    server.chmod(0o755)
    process = assay.start("run", "-o", "x.assay", "--", "./server", cwd=tmp_path, stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while not (tmp_path / "port").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", int((tmp_path / "port").read_text()))) as s:
            s.sendall(b"hello")
            assert s.recv(100) == b"HELLO"
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "4 processes" in err
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("handle") == 30
    assert [each["parent_pid"] for each in recording.data["processes"][1:]] == [
        recording.data["processes"][0]["pid"]
    ] * 3


def test_where_there_is_no_row_left_the_children_are_counted(assay, python, tmp_path):
    """1,024 processes live at once."""
    if 0 <= resource.getrlimit(resource.RLIMIT_NPROC)[0] < 4000:
        pytest.skip("so many processes are not allowed")
    program = """
import os, signal, sys
def leaf(): pass
children = []
reader, writer = os.pipe()
for _ in range(1100):
    pid = os.fork()
    if pid == 0:
        leaf()
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    children.append(pid)
os.close(writer)
for pid in children: os.waitpid(pid, 0)
"""
    recording = run(assay, python, tmp_path, program, timeout=120)
    lost = recording.data["session"]["losses"]["forks"]
    assert lost == 1100 - 1023
    assert recording.calls("leaf") == 1023
    assert f"{lost} forked processes were not measured" in recording.data["remarks"]
