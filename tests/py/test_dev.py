"""./dev where the environment is bare."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = ["setpriv", "--reuid", "65534", "--clear-groups"]
USERS = {"ourselves": []}
if os.geteuid() == 0 and shutil.which("setpriv") and subprocess.run([*NOBODY, "true"]).returncode == 0:
    USERS["nobody"] = NOBODY


@pytest.fixture
def checkout() -> Iterator[Path]:
    """What ./dev is made of, where every user may read it: not so a checkout in a home directory, nor tmp_path."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "dev", folder)
        shutil.copytree(ROOT / "tools", Path(folder, "tools"))
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        yield Path(folder)


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_it_needs_no_home(checkout: Path, user: list[str]) -> None:
    command = [*user, checkout / "dev", "help"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "./dev test" in done.stdout
