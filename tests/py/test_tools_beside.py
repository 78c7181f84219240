"""Debuggers and coverage beside us: their output is what it is without assay, and our counts stay exact."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from packages import pure
from tree import read

PROGRAM = """
def leaf(x):
    return x + 1

def main():
    total = 0
    for i in range(5):
        total = leaf(total)
    print(total)

main()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture(scope="session")
def coverage_dir() -> Path:
    """coverage.py without its C tracer: one copy for every interpreter."""
    return pure("coverage-7", "coverage>=7.6,<8")


def test_pdb_shows_what_it_shows_without_us(assay, python, script: Path, tmp_path: Path) -> None:
    commands = "break leaf\ncontinue\nwhere\nstep\nstep\nclear 1\ncontinue\nquit\n"
    plain = subprocess.run(
        [python, "-m", "pdb", script], input=commands, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    recording = tmp_path / "pdb.assay"
    done = assay("run", "-q", "-o", recording, "--python", python, "-m", "pdb", script, input=commands, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert read(assay, recording).calls("leaf") == 5


@pytest.mark.parametrize("core", ["pytrace", "sysmon"])
def test_coverage_counts_the_same_lines(
    assay, python, script: Path, tmp_path: Path, coverage_dir: Path, core: str
) -> None:
    if core == "sysmon" and python.minor == 11:
        core = "pytrace"  # there is no sys.monitoring
    env = {"PYTHONPATH": str(coverage_dir), "COVERAGE_CORE": core, "COVERAGE_FILE": str(tmp_path / "data")}
    run = ["-m", "coverage", "run", "--include", script, script]
    show = [python, "-m", "coverage", "report", "-m"]

    def report() -> str:
        return subprocess.run(show, env={**os.environ, **env}, capture_output=True, text=True, cwd=tmp_path).stdout

    subprocess.run([python, *run], env={**os.environ, **env}, check=True, capture_output=True, cwd=tmp_path)
    plain = report()
    (tmp_path / "data").unlink()
    recording = tmp_path / "coverage.assay"
    done = assay("run", "-q", "-o", recording, "--python", python, *run, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr
    assert report() == plain
    assert "100%" in plain
    assert read(assay, recording).calls("leaf") == 5


# How a program takes our tool away. The last two are seen by no event of ours.
TAKEN = {
    "switched_off": "mon.set_events(ours, 0)",
    "events_changed": "mon.set_events(ours, mon.events.PY_START)",
    "callbacks_removed": "for e in range(9): mon.register_callback(ours, 1 << e, None)",
    "freed": "mon.free_tool_id(ours)",
    "taken_over": "mon.free_tool_id(ours); mon.use_tool_id(ours, 'assay'); mon.set_events(ours, mon.events.PY_START)",
    "switched_off_from_c": "list(map(mon.set_events, [ours], [0]))",
    "callback_removed_from_c": "list(map(mon.register_callback, [ours], [mon.events.PY_START], [None]))",
}
TAKER = """
    import sys, threading
    mon = sys.monitoring
    def leaf():
        pass
    leaf()
    [ours] = [i for i in range(6) if mon.get_tool(i) == "assay"]
    {how}
    {after}
"""


@pytest.mark.since(12)  # sys.monitoring
@pytest.mark.parametrize("how", TAKEN)
def test_a_program_that_takes_our_tool_away_is_noticed(record, assay, python, tmp_path: Path, how: str) -> None:
    tree = record(TAKER.format(how=TAKEN[how], after="leaf()"))
    assert tree.losses()["hook_replaced"] == 1
    done = assay("run", "--python", python, tmp_path / "script.py", cwd=tmp_path)
    assert "not exact: " in done.stderr and "the program replaced our hook by its own once" in done.stderr


@pytest.mark.since(12)
@pytest.mark.parametrize(
    ("how", "after"),
    [
        ("switched_off", "import os; os._exit(0)"),
        ("events_changed", "import os; os._exit(0)"),
        # no call of it is seen, but a new thread is
        (
            "list(map(mon.set_events, [ours], [mon.events.PY_START]))",
            "t = threading.Thread(target=leaf); t.start(); t.join(); import os; os._exit(0)",
        ),
    ],
)
def test_it_is_noticed_before_the_end_where_that_can_be(record, how: str, after: str) -> None:
    tree = record(TAKER.format(how=TAKEN.get(how, how), after=after))
    assert tree.losses()["hook_replaced"] == 1


@pytest.mark.since(12)
def test_what_does_not_touch_our_tool_is_no_loss(record) -> None:
    tree = record(
        TAKER.format(
            how="""
    mon.use_tool_id(2, "other")
    mon.register_callback(2, mon.events.PY_START, lambda code, offset: mon.DISABLE)
    mon.set_events(2, mon.events.PY_START)
    mon.set_local_events(2, leaf.__code__, mon.events.LINE)
    leaf()
    mon.restart_events()
    mon.set_events(2, 0)
    mon.free_tool_id(2)
    mon.get_tool(ours), mon.get_events(ours)
    mon.set_local_events(ours, leaf.__code__, 0)
""",
            after="leaf()",
        ),
    )
    assert tree.losses() == {}
    assert tree.calls("leaf") == 3


def test_cprofile_that_takes_the_place_of_our_hook_is_noticed(record, python) -> None:
    tree = record(
        """
        import cProfile
        def leaf():
            pass
        p = cProfile.Profile()
        p.enable()
        leaf()
        p.disable()
        leaf()
        [row] = [row for row in p.getstats() if getattr(row.code, "co_name", "") == "leaf"]
        print(row.callcount)
        """,
    )
    assert tree.result.stdout == "1\n"
    if python.minor == 11:
        assert tree.losses()["hook_replaced"] == 1
    else:
        assert tree.losses() == {}
        assert tree.calls("leaf") == 2


def test_a_hook_that_is_replaced_from_c_is_noticed_at_the_end(record, python) -> None:
    tree = record(
        """
        import sys
        list(map(sys.setprofile, [None]))
        """,
    )
    assert tree.losses().get("hook_replaced", 0) == (1 if python.minor == 11 else 0)


# How a program puts its own function in place of our hook in a thread that is not looked at again.
REPLACED_IN_A_THREAD = {
    "cprofile": "p = cProfile.Profile(); p.enable(); p.disable()",
    "derived_cprofile": "p = type('Mine', (cProfile.Profile,), {})(); p.enable(); p.disable()",
    "from_c": "list(map(sys.setprofile, [own])); list(map(sys.setprofile, [None]))",
}


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("how", REPLACED_IN_A_THREAD)
def test_a_hook_that_is_replaced_in_another_thread_is_noticed(record, python, how: str, ends: bool) -> None:
    source = f"""
        import cProfile, os, sys, threading, time
        go, done = threading.Event(), threading.Event()
        def leaf():
            pass
        def own(*args):
            pass
        def work():
            for _ in range(10): leaf()
            {REPLACED_IN_A_THREAD[how]}
            for _ in range(10): leaf()
            done.set()
            {"" if ends else "go.wait()"}
        threading.stack_size(1 << 20)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        done.wait()
        while {ends} and len(os.listdir("/proc/self/task")) > 1:  # its end is seen where it leaves the system
            time.sleep(0.01)
        """
    tree = record(source)
    if python.minor == 11 and (ends or how != "from_c"):
        assert tree.losses()["hook_replaced"] == 1
    elif python.minor != 11:
        assert tree.losses() == {}
        assert tree.calls("leaf") == 20


def test_a_hook_that_is_replaced_in_a_living_thread_is_noticed_at_a_profiles_end(inside, python) -> None:
    printed = inside(
        """
        import assay, sys, threading
        begun, go, done, end = (threading.Event() for _ in range(4))
        def work():
            begun.set()
            go.wait()
            list(map(sys.setprofile, [None]))
            done.set()
            end.wait()
        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        with assay.profile() as p:
            go.set()
            done.wait()
        print(p.recording.processes[0].losses.get("hook_replaced", 0))
        with assay.profile() as p:
            end.set()
            thread.join()
        print(p.recording.processes[0].losses.get("hook_replaced", 0))
        """
    )
    assert printed == ("1\n0\n" if python.minor == 11 else "0\n0\n")


def test_threads_that_are_stopped_inside_their_calls_are_no_loss(record) -> None:
    tree = record(
        """
        import threading, time
        def work():
            while True:
                time.sleep(0.001)
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.02)
        """
    )
    assert "hook_replaced" not in tree.losses()
