"""A process killed at any moment leaves every call it made, and assay killed leaves the program alone."""

from __future__ import annotations

import os
import random
import signal
import time

from recordings import read, read_threads
from robust_support import alive, children, end, start_counting, wait_until

RUNS = 200 if os.environ.get("ASSAY_TEST_ALL") else 20
THREADS = 3


def kill_at_random(assay, python, directory, moment: random.Random):
    """One run, killed up to 0.2 s after its first turn."""
    run = start_counting(assay, python, directory, THREADS)
    wait_until(lambda: all(run.words()))
    time.sleep(moment.uniform(0, 0.2))
    end(run.pid, signal.SIGKILL)
    _, stderr = run.process.communicate(timeout=30)
    assert run.process.returncode == -signal.SIGKILL, stderr
    return run.words()[1:], run.recording


def test_counts_of_a_killed_process_equal_its_own_within_one_event_a_thread(assay, python, tmp_path):
    moment = random.Random(20261122)
    for number in range(RUNS):
        own, path = kill_at_random(assay, python, tmp_path, moment)
        threads = read_threads(assay, path)
        for name in ("turn", "leaf", "abs"):
            # The turn under way may have begun this call, and has not been counted by the program itself.
            counted = sorted(thread.calls(name) for thread in threads)
            assert len(counted) == THREADS, (number, name, counted)
            for own_count, count in zip(sorted(own), counted, strict=True):
                assert own_count <= count <= own_count + 1, (number, name, own, counted)


def test_calls_that_a_kill_cut_short_are_marked_as_open(assay, python, tmp_path):
    _, path = kill_at_random(assay, python, tmp_path, random.Random(1))
    recording = read(assay, path)
    assert recording.open("count") == THREADS
    assert recording.open("main") == 1
    assert recording.open("turn") <= THREADS


def test_a_process_killed_while_it_starts_leaves_a_readable_recording_or_none(assay, python, tmp_path):
    moment = random.Random(7)
    for _ in range(RUNS // 4):
        run = start_counting(assay, python, tmp_path, THREADS)
        child = wait_until(lambda run=run: children(run.process.pid))[0]
        time.sleep(moment.uniform(0, 0.06))
        end(child, signal.SIGKILL)
        _, stderr = run.process.communicate(timeout=30)
        assert run.process.returncode == -signal.SIGKILL, stderr
        if run.recording.exists():
            own = sum(run.words()[1:])
            assert own <= read(assay, run.recording).calls("turn") <= own + THREADS


def test_the_program_runs_on_when_assay_is_killed(assay, python, tmp_path):
    run = start_counting(assay, python, tmp_path, THREADS, seconds=4)
    wait_until(lambda: all(run.words()))
    run.process.kill()
    run.process.wait(timeout=30)
    try:
        before = run.words()
        wait_until(lambda: all(now > was for now, was in zip(run.words()[1:], before[1:], strict=True)))
        assert alive(run.pid)
        wait_until(lambda: not alive(run.pid))
    finally:
        end(run.pid, signal.SIGKILL)


def test_a_killed_assay_leaves_a_recording_readable_to_its_last_block_or_none(assay, python, tmp_path):
    moment = random.Random(3)
    for _ in range(RUNS // 4):
        run = start_counting(assay, python, tmp_path, THREADS, seconds=2)
        time.sleep(moment.uniform(0, 0.8))
        run.process.kill()
        run.process.wait(timeout=30)
        try:
            if run.recording.exists() and run.recording.stat().st_size > 0:  # killed before the first block: none
                assert read(assay, run.recording).calls("turn") <= sum(run.words()[1:]) + THREADS
        finally:
            for pid in [word for word in run.words()[:1] if word]:
                end(pid, signal.SIGKILL)
