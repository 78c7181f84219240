"""The native program beside the package: where it is, and what it says about a recording."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import IO


class NoProgram(RuntimeError):
    """The program is not there, or will not run."""


def candidates(package: Path) -> Iterator[Path]:
    """Where installers put a program whose package is in this directory."""
    yield package.parents[3] / "bin" / "assay"  # PREFIX/lib/python3.X/site-packages/assay
    yield package.parent / "bin" / "assay"  # pip install --target
    yield package.parents[1] / "native" / "cli" / "assay"  # a build tree: BUILD/stage/assay
    yield Path(sys.executable).parent / "assay"


def find() -> str:
    """The program's path. Raises: NoProgram."""
    package = Path(os.path.abspath(__file__)).parent  # not resolved: a build tree has links
    for path in candidates(package):
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    found = which("assay")
    if found is None:
        raise NoProgram("the program assay is not beside the package and not on PATH")
    return found


def run(command: list[str], source: IO[bytes] | int, columns: int) -> str:
    try:
        done = subprocess.run(
            command, stdin=source, capture_output=True, env={**os.environ, "COLUMNS": str(columns)}, check=False
        )
    except OSError as error:
        raise NoProgram(f"the program assay cannot be run: {error}") from None
    if done.returncode != 0:
        raise NoProgram(done.stderr.decode(errors="replace").strip() or f"assay report ended with {done.returncode}")
    return done.stdout.decode(errors="replace")


def report(recording: bytes | str, *options: str, columns: int) -> str:
    """What `assay report OPTIONS` says of a recording, its bytes or its file, in lines of at most `columns`.

    Raises: NoProgram.
    """
    command = [find(), "report", "--color", "never", *options]
    if isinstance(recording, str):
        return run([*command, "--", recording], subprocess.DEVNULL, columns)
    with tempfile.TemporaryFile() as file:
        file.write(recording)
        file.seek(0)
        return run([*command, "/dev/stdin"], file, columns)
