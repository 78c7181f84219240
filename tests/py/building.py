"""C programs of tests, some of them with a Python in them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

FACTS = """
import json, sysconfig
names = ("Py_ENABLE_SHARED", "LIBDIR", "LDVERSION", "LIBPL", "LIBRARY", "LINKFORSHARED", "LIBS", "SYSLIBS")
print(json.dumps({"include": sysconfig.get_path("include"), **{n: sysconfig.get_config_var(n) for n in names}}))
"""


def compile_c(path: Path, source: str, *flags: str) -> None:
    path.with_suffix(".c").write_text(source)
    subprocess.run(["cc", "-o", path, path.with_suffix(".c"), *flags], check=True, timeout=60)


def embed(python: os.PathLike[str], path: Path, source: str) -> None:
    """Compile a program with this Python in it: its shared library or, where there is none, the static one."""
    asked = subprocess.run([python, "-I", "-c", FACTS], capture_output=True, text=True, check=True)
    facts = json.loads(asked.stdout)
    if facts["Py_ENABLE_SHARED"]:
        libdir = facts["LIBDIR"]
        flags = [f"-L{libdir}", f"-Wl,-rpath,{libdir}", f"-lpython{facts['LDVERSION']}"]
    else:
        # As python itself is linked: extension modules find the interpreter in the program.
        libraries = shlex.split(" ".join(facts[name] for name in ("LINKFORSHARED", "LIBS", "SYSLIBS")))
        flags = [f"{facts['LIBPL']}/{facts['LIBRARY']}", *libraries]
    compile_c(path, source, f"-I{facts['include']}", *flags)
