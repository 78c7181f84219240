"""The built program, the interpreters it is tried on, and the package directory, as fixtures.

ASSAY_TEST_PYTHONS  interpreters, colon separated (`./dev test` sets it); unset: the one running pytest
ASSAY_BUILD         the build directory; unset: build/
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import tree

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ASSAY_BUILD", ROOT / "build")).resolve()
FACTS = ROOT / "tools" / "pyconfig.py"


@dataclass(frozen=True)
class Interpreter:
    """A Python that assay supports. Usable wherever a path is: `subprocess.run([python, "-V"])`."""

    path: str
    version: str  # "3.11", "3.13t"
    suffix: str  # of its extension modules
    freethreaded: bool

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    @property
    def minor(self) -> int:
        return int(self.version.rstrip("t").split(".")[1])


@dataclass(frozen=True)
class Program:
    """The native program: `assay("run", script)` runs it to its end and keeps what it printed."""

    path: Path
    libdir: Path

    def environ(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment it is run in: ours, where to find the package, and `env` on top."""
        return {**os.environ, "ASSAY_LIBDIR": str(self.libdir), **(env or {})}

    def __call__(
        self,
        *args: str | os.PathLike[str],
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            [self.path, *args],
            cwd=cwd,
            env=self.environ(env),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # the program too, which would run on
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *args: str | os.PathLike[str], **kwargs: object) -> subprocess.Popen[str]:
        """Run it without waiting; keyword arguments are Popen's, `env` is added to the usual one."""
        env = kwargs.pop("env", None)
        return subprocess.Popen([self.path, *args], env=self.environ(env), text=True, **kwargs)  # type: ignore


def interpreter(path: str) -> Interpreter:
    out = subprocess.run([path, "-I", FACTS], capture_output=True, text=True, check=True).stdout.split("\n")
    return Interpreter(path=path, version=out[0], suffix=out[1], freethreaded=out[2] == "1")


def pytest_configure(config: pytest.Config) -> None:
    # What a shell starts in the background, or under nohup, ignores them; so would the programs that the tests end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    paths = os.environ.get("ASSAY_TEST_PYTHONS", sys.executable).split(":")
    found = [interpreter(path) for path in paths if path]
    if not found:
        raise pytest.UsageError("ASSAY_TEST_PYTHONS names no interpreter: nothing could be tested")
    config.addinivalue_line("markers", "since(minor): what is tested is in Python 3.minor and later ones only")
    config.assay_pythons = found  # type: ignore[attr-defined]


def pytest_report_header(config: pytest.Config) -> str:
    return "interpreters: " + ", ".join(f"{p.version} {p.path}" for p in config.assay_pythons)  # type: ignore


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" not in metafunc.fixturenames:
        return
    since = metafunc.definition.get_closest_marker("since")
    minor = since.args[0] if since else 0
    found = [p for p in metafunc.config.assay_pythons if p.minor >= minor]  # type: ignore[attr-defined]
    none = pytest.param(None, marks=pytest.mark.skip(reason=f"no Python from 3.{minor} on is among those tested"))
    metafunc.parametrize("python", found or [none], ids=[p.version for p in found] or ["none"], scope="session")


@pytest.fixture(scope="session")
def libdir() -> Path:
    """The package directory as it would be installed: Python files, agents, preload library."""
    path = BUILD / "stage" / "assay"
    if not path.is_dir():
        pytest.fail(f"{path} is missing: run ./dev build")
    return path


@pytest.fixture(scope="session")
def assay(libdir: Path) -> Program:
    """The program of the build tree."""
    path = BUILD / "native" / "cli" / "assay"
    if not path.is_file():
        pytest.fail(f"{path} is missing: run ./dev build")
    return Program(path, libdir)


@pytest.fixture
def inside(python: Interpreter, libdir: Path, tmp_path: Path) -> Callable[..., str]:
    """`inside(source)` runs a script that imports assay itself, and returns what it printed.

    command  what runs it, if not the interpreter
    prelude  what the script begins with
    env      is added to its environment
    """

    def inside(
        source: str, *command: str | Path, prelude: str = "", status: int = 0, timeout: float = 60, **env: str
    ) -> str:
        script = tmp_path / "script.py"
        script.write_text(prelude + textwrap.dedent(source))
        done = subprocess.run(
            [*(command or (python,)), script],
            env={"PYTHONPATH": str(libdir.parent), "ASSAY_LIBDIR": str(libdir), **env},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == status, (done.returncode, done.stderr)
        assert command or done.stderr == ""
        return done.stdout

    return inside


@pytest.fixture
def record(assay: Program, python: Interpreter, tmp_path: Path) -> Callable[..., tree.Tree]:
    """`record(source)` runs a script under assay and reads its call tree: tree.record."""
    return partial(tree.record, assay, python, tmp_path)
