"""Programs that embed Python: initialised, finalised, and initialised again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tree import read

SOURCE = r"""
#include <Python.h>
int main(void)
{
    for (int i = 0; i < 3; i++) {
        Py_Initialize();
        PyRun_SimpleString("import threading\ndef leaf(): pass\n");
        PyRun_SimpleString("class K:\n def __init__(self): leaf()\nfor _ in range(10): K()\n");
        PyRun_SimpleString("t = threading.Thread(target=lambda: [leaf() for _ in range(5)])\nt.start(); t.join()\n");
        PyRun_SimpleString("print(len([leaf() for _ in range(5)]))\n");
        if (Py_FinalizeEx() != 0) return 3;
    }
    return 7;
}
"""

FACTS = """
import json, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps([sysconfig.get_path("include"), get("LIBDIR"), get("LDLIBRARY"), get("Py_ENABLE_SHARED")]))
"""


@pytest.fixture
def embedding(python, tmp_path: Path) -> Path:
    """A program that embeds this interpreter."""
    include, libdir, library, shared = json.loads(
        subprocess.run([python, "-I", "-c", FACTS], capture_output=True, text=True, check=True).stdout
    )
    if not shared:
        pytest.skip(f"{python} has no shared library to embed")
    program = tmp_path / "embedding"
    (tmp_path / "embedding.c").write_text(SOURCE)
    name = library.removeprefix("lib").split(".so")[0]
    subprocess.run(
        [
            "cc",
            "-w",
            tmp_path / "embedding.c",
            "-o",
            program,
            f"-I{include}",
            f"-L{libdir}",
            f"-Wl,-rpath,{libdir}",
            f"-l{name}",
        ],
        check=True,
    )
    return program


def test_runtime_that_is_initialised_again_goes_on_being_measured(assay, embedding: Path, tmp_path: Path) -> None:
    recording = tmp_path / "embedding.assay"
    done = assay("run", "-q", "-o", recording, "--", embedding, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "5\n" * 3)
    tree = read(assay, recording)
    assert tree.calls("leaf") == 60
    assert tree.calls("K.__init__") == 30
