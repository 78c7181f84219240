"""Wheels and the sdist, as `./dev wheel` makes them, each installed into an environment that has nothing else."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BARE = {"PATH": "/usr/bin:/bin"}
GLIBC = (2, 34)  # the oldest that docs/install.md names, for wheels that are made where glibc is older than 2.38

SCRIPT = """
def f(n):
    return sum(range(n))
for n in range(500):
    f(n)
"""

INSIDE = """
import assay, json
def f(): pass
with assay.profile() as p:
    for _ in range(7):
        f()
p.save("inside.assay")
from assay import _program
print(json.dumps([p.recording.find("f")[0].calls, _program.find(), assay.__file__]))
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`packed`: the interpreter that a wheel is for, the newest one; with ASSAY_TEST_ALL=1 each (a minute and more)."""
    if "packed" in metafunc.fixturenames:
        found = metafunc.config.assay_pythons  # type: ignore[attr-defined]
        found = found if os.environ.get("ASSAY_TEST_ALL") else found[-1:]
        metafunc.parametrize("packed", found, ids=[p.version for p in found], scope="session")


def make(kind: str, python: Any, dist: Path) -> Path:
    """What tools/wheel leaves in `dist`. The test is skipped where its tools cannot be had."""
    env = {k: v for k, v in os.environ.items() if k not in ("MESON", "NINJA", "PYTHON", "PYTHONPATH")}
    done = subprocess.run(
        [ROOT / "tools" / "wheel", kind, python],
        env={**env, "ASSAY_DIST": str(dist)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode == 2 and "is the network there?" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = dist.iterdir()
    assert done.stdout == f"{path}\n"
    return path


def machine_glibc() -> tuple[int, int]:
    major, minor = platform.libc_ver()[1].split(".")[:2]
    return int(major), int(minor)


@pytest.fixture(scope="session")
def wheel(packed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    old = machine_glibc() < (2, 38)  # newer ones bind strtol to a version of their own
    return make("{}_{}".format(*GLIBC) if old else "auto", packed, tmp_path_factory.mktemp("dist"))


def install(python: Any, home: Path, what: Path, *options: str) -> Path:
    """A virtual environment with nothing but this."""
    subprocess.run([python, "-I", "-m", "venv", home], check=True, capture_output=True, timeout=120)
    pip = [home / "bin" / "python", "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *options, what], capture_output=True, text=True, timeout=600)
    if done.returncode != 0 and "onnection" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="session")
def installed(packed: Any, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(packed, tmp_path_factory.mktemp("clean") / "venv", wheel, "--no-index")


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=BARE, capture_output=True, text=True, timeout=120)


def try_all(home: Path, folder: Path) -> None:
    """assay run, assay report and import assay, with nothing in the environment that says where they are."""
    program = home / "bin" / "assay"
    (folder / "s.py").write_text(SCRIPT)
    ran = run(folder, program, "run", "s.py")
    assert ran.returncode == 0 and "none lost" in ran.stderr and "s.assay · more: " in ran.stderr, ran.stderr
    flat = run(folder, program, "report", "s.assay")
    assert flat.returncode == 0 and re.search(r" 500 .* f ", flat.stdout), flat.stdout + flat.stderr
    inside = run(folder, home / "bin" / "python", "-c", INSIDE)
    assert inside.returncode == 0, inside.stderr
    calls, found, package = json.loads(inside.stdout)
    assert calls == 7 and found == str(program) and package.startswith(str(home))
    assert "f" in run(folder, program, "report", "inside.assay").stdout
    table = run(folder, program, "cprofile", "-s", "calls", "s.py")
    assert table.returncode == 0 and re.search(r" 500 .* s.py:2\(f\)", table.stdout), table.stdout + table.stderr
    path = run(folder, program, "dropin-path").stdout.rstrip("\n")
    assert Path(path).is_relative_to(home)


def test_wheel_works_in_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    try_all(installed, tmp_path)


def test_wheel_s_name_says_the_oldest_glibc(wheel: Path) -> None:
    found = re.fullmatch(r"assay-[\d.]+-cp3\d+-cp3\d+t?-manylinux_2_(\d+)_(x86_64|aarch64)\.whl", wheel.name)
    assert found is not None, wheel.name
    assert machine_glibc() >= (2, 38) or (2, int(found[1])) == GLIBC


def elf_files(home: Path) -> Iterator[Path]:
    yield home / "bin" / "assay"
    yield from home.glob("lib/python*/site-packages/assay*/**/*.so*")


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not here")
def test_nothing_in_it_needs_a_library_that_is_not_there(installed: Path, wheel: Path) -> None:
    oldest = tuple(int(n) for n in re.search(r"manylinux_(\d+)_(\d+)", wheel.name).groups())  # type: ignore[union-attr]
    for path in elf_files(installed):
        dynamic = subprocess.run(["readelf", "-dVW", path], capture_output=True, text=True, check=True).stdout
        needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic))
        own = {name for name in needed if name.startswith("libzstd-")}
        assert needed - own <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, (path, needed)
        assert not own or path.name.startswith("_agent"), (path, needed)
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", dynamic)}
        assert max(versions) <= oldest, (path, max(versions))


def test_wheel_has_the_types_and_the_plugin_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "[pytest11]\nassay = pytest_assay" in file.read(points).decode().replace("=pytest", "= pytest")
    assert {"assay/py.typed", "assay/__init__.pyi", "assay/web.py", "pytest_assay.py"} <= names
    top = {name.split("/")[0] for name in names}
    assert {re.sub(r"^assay-[\d.]+\.", "", name) for name in top} == {
        *("assay", "assay.libs", "data", "dist-info", "pytest_assay.py")
    }


def test_sdist_installs_and_works(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("an sdist is made of what is committed")
    python = request.config.assay_pythons[0]  # type: ignore[attr-defined]
    path = make("sdist", python, tmp_path_factory.mktemp("sdist"))
    try_all(install(python, tmp_path / "venv", path), tmp_path)
