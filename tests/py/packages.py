"""Packages that tests run beside assay, kept in the user's cache. A test whose package cannot be had is skipped.

With ASSAY_REQUIRE_ALL=1 it fails instead, where the package is `required`: one that every interpreter can have. Not so
in the directory of tools/sid, which lacks npm and Debian's lists: those tests do not depend on the interpreter, and run
outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay"
REFUSED: dict[Path, str] = {}  # asked for once: what is not there, and why


def run(*command: str | os.PathLike[str], cwd: Path | None = None) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=cwd).stdout


def pip(python: os.PathLike[str], *options: str | os.PathLike[str]) -> None:
    quiet = ("-q", "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--only-binary", ":all:")
    run(python, "-I", "-m", "pip", "install", *quiet, *options)


def kept(place: Path, package: str, make: Callable[[Path], None], *, required: bool = False) -> Path:
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
        except FileNotFoundError as error:
            REFUSED[place] = f"there is no {error.filename}"
        finally:
            shutil.rmtree(part, ignore_errors=True)
    if place in REFUSED:
        said = f"{package} cannot be had: {REFUSED[place]}"
        if required and os.environ.get("ASSAY_REQUIRE_ALL") == "1" and not Path("/etc/assay-packages").exists():
            pytest.fail(said)
        pytest.skip(said)
    return place


def with_package(python: os.PathLike[str], *packages: str) -> Path:
    """The interpreter of a virtual environment of `python` with `packages`."""

    def make(home: Path) -> None:
        run(python, "-I", "-m", "venv", home)
        pip(home / "bin" / "python", *packages)

    names = "-".join(packages)
    version = run(python, "-I", "-VV")
    place = CACHE / f"{names}-{zlib.crc32((version + os.fspath(python)).encode()):08x}"
    return kept(place, f"{names} for {python}", make) / "bin" / "python"


def pure(name: str, package: str) -> Path:
    """A directory with `package` in pure Python, for every interpreter."""
    every = ("--no-deps", "--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.11")

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as home:  # Debian's own Python has no pip
            run(sys.executable, "-I", "-m", "venv", home)
            pip(Path(home, "bin", "python"), "--target", target, *every, package)

    return kept(CACHE / name, package, make)


def with_packages(python: os.PathLike[str], name: str, packages: Sequence[str]) -> Path:
    """The interpreter of a virtual environment of `python` with all of these; `name` is what it is kept as."""

    def make(home: Path) -> None:
        run(python, "-I", "-m", "venv", home)
        pip(home / "bin" / "python", *packages)

    key = "\n".join([run(python, "-I", "-VV"), os.fspath(python), *packages])
    place = CACHE / f"{name}-{zlib.crc32(key.encode()):08x}"
    return kept(place, f"{' '.join(packages)} for {python}", make, required=True) / "bin" / "python"


def npm_file(package: str, path: str) -> Path:
    """A file of an npm package of this version, "name@1.2.3"."""

    def make(home: Path) -> None:
        run("npm", "pack", "--silent", package, cwd=home)
        run("tar", "xzf", *home.glob("*.tgz"), "-C", home)

    return kept(CACHE / package.replace("@", "-"), package, make, required=True) / "package" / path


def debian_file(package: str, path: str) -> Path:
    """A file of one of Debian's packages: installed, or unpacked from there."""

    def make(home: Path) -> None:
        run("apt-get", "download", package, cwd=home)
        run("dpkg-deb", "-x", *home.glob("*.deb"), home)

    if Path("/", path).exists():
        return Path("/", path)
    return kept(CACHE / f"debian-{package}", package, make, required=True) / path
