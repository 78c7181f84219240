"""Packages that tests run beside assay, kept in the user's cache. A test whose package cannot be had is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay"
REFUSED: dict[Path, str] = {}  # asked for once: what is not there, and why


def run(*command: str | os.PathLike[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def pip(python: os.PathLike[str], *options: str | os.PathLike[str]) -> None:
    quiet = ("-q", "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--only-binary", ":all:")
    run(python, "-I", "-m", "pip", "install", *quiet, *options)


def kept(place: Path, package: str, make: Callable[[Path], None]) -> Path:
    """`place`, which `make` fills, by another name, when it is not there."""
    if not place.exists() and place not in REFUSED:
        CACHE.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=CACHE))
        try:
            make(part)
            if not place.exists():  # another run may have made it meanwhile
                part.rename(place)
        except subprocess.CalledProcessError as error:
            REFUSED[place] = (error.stderr or error.stdout).strip()[-200:]
        except subprocess.TimeoutExpired:
            REFUSED[place] = "installing it took too long"
        finally:
            shutil.rmtree(part, ignore_errors=True)
    if place in REFUSED:
        pytest.skip(f"{package} cannot be had: {REFUSED[place]}")
    return place


def with_package(python: os.PathLike[str], package: str) -> Path:
    """The interpreter of a virtual environment of `python` with `package`."""

    def make(home: Path) -> None:
        run(python, "-I", "-m", "venv", home)
        pip(home / "bin" / "python", package)

    version = run(python, "-I", "-VV")
    place = CACHE / f"{package}-{zlib.crc32((version + os.fspath(python)).encode()):08x}"
    return kept(place, f"{package} for {python}", make) / "bin" / "python"


def pure(name: str, package: str) -> Path:
    """A directory with `package` in pure Python, for every interpreter."""
    every = ("--no-deps", "--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.11")

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as home:  # Debian's own Python has no pip
            run(sys.executable, "-I", "-m", "venv", home)
            pip(Path(home, "bin", "python"), "--target", target, *every, package)

    return kept(CACHE / name, package, make)
