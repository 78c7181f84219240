"""Make a wheel of this checkout, for the interpreter that runs this: wheel.py DIST PLATFORM; or, with `sdist`, that.

The sdist is of what is committed. Prints the file. Status 1, with the tools' own words, where it cannot be made.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mesonpy


def build(make, *args):
    """The name of what a build hook makes; its output only where it fails."""
    sys.stdout.flush()
    with tempfile.TemporaryFile() as log:
        kept = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            with contextlib.suppress(SystemExit):
                return make(*args)
        finally:
            sys.stdout.flush()
            for fd in (1, 2):
                os.dup2(kept[fd - 1], fd)
        log.seek(0)
        sys.exit(log.read().decode(errors="replace"))


def wheel(dist, platform):
    settings = {"setup-args": ["-Dstatic=true"], "install-args": ["--strip"]}
    with tempfile.TemporaryDirectory() as work:
        raw = build(mesonpy.build_wheel, work, {**settings, "build-dir": f"{work}/build"})
        repair = [sys.executable, "-I", "-m", "auditwheel", "repair", "--plat", platform, "--only-plat"]
        done = subprocess.run([*repair, "-w", f"{work}/whole", Path(work, raw)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        for whole in Path(work, "whole").iterdir():
            shutil.copy2(whole, dist)
            print(dist / whole.name)


def sdist(dist):
    with tempfile.TemporaryDirectory() as work:
        print(dist / build(mesonpy.build_sdist, str(dist), {"build-dir": f"{work}/build"}))


def main():
    dist, platform = Path(sys.argv[1]), sys.argv[2]
    dist.mkdir(parents=True, exist_ok=True)
    if platform == "sdist":
        sdist(dist)
    else:
        wheel(dist, platform)


main()
