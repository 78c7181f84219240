"""What a program starts and we cannot measure: it runs as it would without us, and is named where it is a Python."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from building import compile_c
from recordings import read
from test_run_start import unsupported

ENDS = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    puts("here");
    fflush(stdout);
    if (strcmp(argv[argc - 1], "kill") == 0) kill(getpid(), SIGKILL);
    if (strcmp(argv[argc - 1], "_exit") == 0) _exit(5);
    exit(5);
}
"""

STARTS = """
import subprocess, sys
print(subprocess.run([sys.argv[1], sys.argv[2]]).returncode)
print(subprocess.run([sys.argv[1], sys.argv[2]], env={}).returncode)
"""


def elf_of_32_bits() -> bytes:
    """A program that exits with 5 at once: mov eax, 1; mov ebx, 5; int 0x80."""
    code = b"\xb8\x01\x00\x00\x00\xbb\x05\x00\x00\x00\xcd\x80"
    base, head = 0x08048000, 52 + 32
    elf = b"\x7fELF\x01\x01\x01" + bytes(9)
    elf += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + head, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return elf + struct.pack("<IIIIIIII", 1, 0, base, base, head + len(code), head + len(code), 5, 4096) + code


def make(path: Path, kind: str) -> None:
    if kind == "32-bit":
        path.write_bytes(elf_of_32_bits())
        path.chmod(0o755)
        return
    flags = {"static": ["-static"], "AddressSanitizer": ["-fsanitize=address"]}
    compile_c(path, ENDS, *flags.get(kind, []))
    if kind == "set-uid":
        path.chmod(0o4755)


def can_run(path: Path) -> bool:
    try:
        subprocess.run([path, "exit"], capture_output=True, timeout=60)
    except OSError:
        return False
    return True


REASONS = {
    "32-bit": "made for another kind of machine, or for 32 bits",
    "AddressSanitizer": "built with AddressSanitizer",
    "set-uid": "set-user-ID or set-group-ID",
    "static": "linked statically",
}


def both(assay, python, folder, *arguments: str) -> list[str]:
    """The remarks of the recording of a program that did the same without us."""
    (folder / "x.py").write_text(STARTS)
    plain = subprocess.run([python, "x.py", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    done = assay("run", "-q", "--python", python, "x.py", *arguments, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    return read(assay, folder / "x.assay").data["remarks"]


@pytest.mark.parametrize("end", ["exit", "_exit", "kill"])
@pytest.mark.parametrize("kind", REASONS)
def test_a_python_that_cannot_load_us_is_named_with_the_reason(assay, python, tmp_path, kind, end):
    if kind == "32-bit" and platform.machine() != "x86_64":
        pytest.skip("the program is one of x86")
    path = tmp_path / "python3"
    make(path, kind)
    if not can_run(path):
        pytest.skip("this system does not run such programs")
    remarks = both(assay, python, tmp_path, str(path), end)
    assert remarks == [f"2 more Pythons ran unprofiled: {REASONS[kind]}: {path}"[:400]] or (
        len(str(path)) > 80 and remarks[0].startswith(f"2 more Pythons ran unprofiled: {REASONS[kind]}: ")
    )


@pytest.mark.parametrize("kind", [*REASONS, "usual"])
def test_what_is_no_python_is_not_named(assay, python, tmp_path, kind):
    if kind == "32-bit" and platform.machine() != "x86_64":
        pytest.skip("the program is one of x86")
    path = tmp_path / "tool"
    make(path, kind)
    if not can_run(path):
        pytest.skip("this system does not run such programs")
    assert both(assay, python, tmp_path, str(path), "exit") == []


@pytest.mark.skipif(not unsupported(), reason="no Python 3.8 to 3.10 is here")
@pytest.mark.parametrize("end", ["sys.exit(5)", "os._exit(5)", "os.kill(os.getpid(), 9)"])
def test_a_python_of_another_version_is_named(assay, python, tmp_path, end):
    old = unsupported()[0]
    (tmp_path / "x.py").write_text(
        f"import subprocess\nprint(subprocess.run([{old!r}, '-c', 'import os, sys; {end}']).returncode)\n"
    )
    done = assay("run", "-q", "--python", python, "x.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{-9 if 'kill' in end else 5}\n", "")
    (remark,) = read(assay, tmp_path / "x.assay").data["remarks"]
    assert remark.startswith("1 more Python ran unprofiled: Python 3.")
    assert "is not supported (3.11 to 3.15 are)" in remark


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_python_that_runs_as_another_user_is_named_and_a_fork_child_that_does_is_measured(assay, tmp_path):
    shown = "/usr/bin/python3"
    if not Path(shown).exists() or sys.platform != "linux":
        pytest.skip("nobody can run our interpreters")
    tmp_path.chmod(0o755)
    (tmp_path / "x.py").write_text(
        "import os, subprocess\n"
        "def leaf(): pass\n"
        "if os.fork() == 0:\n"
        "  os.setgid(65534); os.setuid(65534)\n"
        "  for _ in range(40): leaf()\n"
        "  os._exit(0)\n"
        "os.wait()\n"
        f"print(subprocess.run(['{shown}', '-c', 'import os; print(os.getuid())'], user=65534).returncode)\n"
    )
    done = assay("run", "-q", "--python", sys.executable, "x.py", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "65534\n0\n", "")
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("leaf") == 40
    assert f"1 more Python ran unprofiled: run as another user: {shown}" in recording.data["remarks"]


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_a_fork_child_behind_a_chroot_is_measured_and_what_it_starts_there_is_named(assay, python, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    make(root / "python3", "static")
    shutil.copy(root / "python3", root / "tool")
    (tmp_path / "x.py").write_text(
        "import os, sys\n"
        "def leaf(): pass\n"
        "if os.fork() == 0:\n"
        "  os.chroot(sys.argv[1]); os.chdir('/')\n"
        "  for _ in range(40): leaf()\n"
        "  for name in ('/python3', '/tool'):\n"
        "    if os.fork() == 0: os.execv(name, [name, 'exit'])\n"
        "    os.wait()\n"
        "  os._exit(0)\n"
        "os.wait()\n"
    )
    done = assay("run", "-q", "--python", python, "x.py", root, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\nhere\n", "")
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("leaf") == 40
    assert (
        "1 more Python ran unprofiled: where it runs our files cannot be seen (chroot): /python3"
        in recording.data["remarks"]
    )


def test_a_python_with_a_huge_environment_runs_and_is_counted(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(
        "import subprocess, sys\n"
        "huge = {f'K{n}': '1' for n in range(17000)}\n"
        "show = [sys.executable, '-c', 'import os; print(len(os.environ) >= 17000)']\n"
        "print(subprocess.run(show, env=huge).returncode)\n"
    )
    done = assay("run", "-q", "--python", python, "x.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("True\n0\n", "")
    assert read(assay, tmp_path / "x.assay").data["remarks"] == ["1 Python that was started was not measured"]
