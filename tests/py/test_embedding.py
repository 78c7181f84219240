"""Programs that embed Python: initialised, finalised, and initialised again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from building import embed
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


@pytest.fixture
def embedding(python, tmp_path: Path) -> Path:
    """A program that embeds this interpreter."""
    embed(python, tmp_path / "embedding", SOURCE)
    return tmp_path / "embedding"


def test_runtime_that_is_initialised_again_goes_on_being_measured(assay, embedding: Path, tmp_path: Path) -> None:
    recording = tmp_path / "embedding.assay"
    done = assay("run", "-q", "-o", recording, "--", embedding, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "5\n" * 3)
    tree = read(assay, recording)
    assert tree.calls("leaf") == 60
    assert tree.calls("K.__init__") == 30
    assert not re.search(r"\d/\d", assay("report", "--only", "top level", recording).stdout)  # no recursion
