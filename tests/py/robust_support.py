"""Programs that keep their own counts, run under assay."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "robust"


def wait_until(condition, seconds: float = 30.0):
    """Poll until `condition()` is true, and return what it gave. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := condition():
            return got
        time.sleep(0.002)
    raise AssertionError(f"{condition} was not true within {seconds} s")


@dataclass
class Counting:
    """robust/counting.py under assay."""

    process: subprocess.Popen
    progress: Path
    recording: Path
    threads: int

    def words(self) -> list[int]:
        return list(struct.unpack(f"{self.threads + 1}Q", self.progress.read_bytes()))

    @property
    def pid(self) -> int:
        return wait_until(lambda: self.words()[0])


def start_counting(assay, python, directory: Path, threads: int = 3, seconds: float = 20.0) -> Counting:
    progress = directory / "progress"
    progress.write_bytes(bytes(8 * (threads + 1)))
    recording = directory / "counting.assay"
    recording.unlink(missing_ok=True)
    process = assay.start(
        *("run", "-q", "-o", recording, "--python", python),
        *(PROGRAMS / "counting.py", progress, str(threads), str(seconds)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return Counting(process, progress, recording, threads)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def end(pid: int, sig: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)
