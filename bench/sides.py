"""The sides that a benchmark compares: a plain interpreter, assay, and the peers, each as a command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "bench" / "measured"
PEERS = ("yappi", "pyperformance", "viztracer")


def log(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "assay" / "bench"


@dataclass(frozen=True)
class Interpreter:
    """A Python with its peers, in a virtual environment of the benchmark's."""

    path: Path
    version: str
    peers: frozenset[str]  # which of PEERS could be installed


def interpreter(python: str) -> Interpreter:
    """The virtual environment for `python`, made at first use. Raises CalledProcessError if it cannot be."""
    version = subprocess.run(
        [python, "-I", "-c", "import sys; print(sys.version.split()[0], sys.executable, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    home = cache() / f"{version[0]}-{zlib.crc32(version[1].encode()):08x}"
    path = home / "bin" / "python"
    ready = home / ".ready"
    asked = home / ".asked"
    if not asked.is_file() or asked.read_text().split() != list(PEERS):
        log(f"making a virtual environment for {version[0]} in {home}")
        subprocess.run([python, "-I", "-m", "venv", "--clear", home], check=True)
        got = [peer for peer in PEERS if pip_install(path, peer)]
        ready.write_text("\n".join(got))
        asked.write_text("\n".join(PEERS))
    return Interpreter(path, version[0], frozenset(ready.read_text().split()))


def pip_install(python: Path, package: str) -> bool:
    command = [python, "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    if subprocess.run(command, stdout=sys.stderr).returncode == 0:
        return True
    log(f"{package} could not be installed: its column stays empty")
    return False


@dataclass(frozen=True)
class Assay:
    """The program under test and the package beside it."""

    program: Path
    libdir: Path

    @classmethod
    def built(cls) -> Assay:
        build = Path(os.environ.get("ASSAY_BUILD", ROOT / "build")).resolve()
        found = cls(build / "native" / "cli" / "assay", build / "stage" / "assay")
        if not found.program.is_file():
            raise SystemExit(f"bench: {found.program} is missing: run ./dev build")
        return found

    def has_python_only(self) -> bool:
        """Whether it can leave C calls out, as the peers can."""
        done = subprocess.run([self.program, "run", "--no-c-calls", "--help"], capture_output=True)
        return done.returncode == 0


@dataclass
class Bench:
    """Runs commands for one interpreter and keeps what they write in a directory of its own."""

    python: Interpreter
    assay: Assay
    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="assay-bench-")))

    @property
    def recording(self) -> Path:
        return self.scratch / "bench.assay"

    def command(self, side: str, *args: str | Path) -> list[str]:
        """`args` is what follows `python`. Sides: plain, assay, assay-py (Python only), cprofile."""
        python = str(self.python.path)
        rest = [str(arg) for arg in args]
        if side == "plain":
            return [python, *rest]
        if side == "cprofile":
            return [python, "-m", "cProfile", "-o", str(self.scratch / "bench.prof"), *rest]
        options = ["--no-c-calls"] if side == "assay-py" else []
        run = [str(self.assay.program), "run", "-q", *options, "-o", str(self.recording), "--python", python]
        return [*run, *rest]

    def environ(self, dropin: bool = False) -> dict[str, str]:
        """dropin: `import cProfile` is ours."""
        where = [self.assay.libdir / "dropin"] if dropin else []
        return {
            **os.environ,
            "ASSAY_LIBDIR": str(self.assay.libdir),
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(map(str, [*where, self.assay.libdir.parent])),
        }

    def run(self, command: Sequence[str], dropin: bool = False, **kwargs) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environ(dropin),
            cwd=self.scratch,
            **kwargs,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stderr[-2000:]}")
        return done
