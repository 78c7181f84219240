"""./dev where the environment is bare."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[2] / "dev"


@pytest.mark.parametrize("user", [None, "65534"], ids=["ourselves", "nobody"])
def test_it_needs_no_home(user: str | None) -> None:
    command = [DEV, "help"]
    if user is not None:
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("only root can run a program as another user")
        other = ["setpriv", "--reuid", user, "--clear-groups"]
        if subprocess.run([*other, "test", "-x", DEV], check=False).returncode != 0:
            pytest.skip("another user may not read this checkout")
        command = [*other, *command]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "./dev test" in done.stdout
