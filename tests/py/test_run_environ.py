"""The environment as the program sees it, in Python and in /proc."""

from __future__ import annotations

import subprocess

import pytest

SHOW = """
import os, sys
print(sorted(os.environ.items()))
print([e for e in open("/proc/self/environ", "rb").read().split(b"\\0") if e])
"""

KEPT = "libm.so.6"  # a library that is everywhere and changes nothing


@pytest.mark.parametrize("preload", [None, "", KEPT, KEPT + ":", ":" + KEPT], ids=str)
def test_environment_is_the_user_s_byte_for_byte(assay, python, tmp_path, preload):
    env = {k: v for k, v in assay.environ().items() if k not in ("LD_PRELOAD", "ASSAY_SESSION")}
    env |= {"ZZ_LAST": "1"} | ({} if preload is None else {"LD_PRELOAD": preload})
    outputs = [
        subprocess.run([*command, python, "-c", SHOW], env=env, cwd=tmp_path, capture_output=True, text=True).stdout
        for command in ([], [assay.path, "run", "-q", "--"])
    ]
    assert outputs[0]
    assert outputs[0] == outputs[1]


def test_proc_shows_no_gap_where_the_user_preloads_nothing(assay, python, tmp_path):
    """Readers stop at an empty string: only the end of the block may hold some."""
    code = "print(b'\\0\\0' in open('/proc/self/environ', 'rb').read().rstrip(b'\\0'))"
    assert assay("run", "-q", "--python", python, "-c", code, cwd=tmp_path).stdout == "False\n"


def test_children_of_a_program_still_inherit(assay, python, tmp_path):
    code = f"import os; os.system('\"{python}\" -c pass')"
    done = assay("run", "--python", python, "-c", code, cwd=tmp_path)
    assert " 2 processes" in done.stderr
