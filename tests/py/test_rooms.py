"""The rooms' walls: who may include whom, and what is said in one place only."""

from __future__ import annotations

import re
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"

# A room may include itself and these.
BELOW = {
    "core": set(),
    "os": {"core"},
    "record": {"core", "os"},
    "cpython": {"core", "os"},
    "harvest": {"record", "core", "os"},
    "sampler": {"record", "cpython", "core", "os"},
    "export": {"record", "core", "os"},
    "report": {"record", "core", "os"},
    "agent": {"harvest", "record", "cpython", "core", "os"},
    "preload": {"agent", "core", "os"},
    "cli": {"preload", "report", "export", "sampler", "harvest", "record", "cpython", "core", "os"},
}
PYTHON_H = re.compile(r'#\s*include\s*[<"](Python\.h|pyconfig\.h|internal/|cpython/\w+\.h>)')
VERSION_FACT = re.compile(r"PY_VERSION_HEX|PY_MINOR_VERSION|Py_BUILD_CORE|pycore_")
LOUD = re.compile(r"(?<![\w.>])(exit|abort|printf|puts|perror)\s*\(")


def sources() -> list[Path]:
    return sorted([*NATIVE.rglob("*.c"), *NATIVE.rglob("*.h")])


def code_of(path: Path) -> str:
    """A file without its comments and strings, line for line."""
    tokens = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)

    def blank(match: re.Match[str]) -> str:
        text = match[0]
        return text if text.startswith('"') and "/" in text else "\n" * text.count("\n")

    return tokens.sub(blank, path.read_text(encoding="utf-8"))


def hits(pattern: re.Pattern[str], path: Path) -> list[str]:
    lines = enumerate(code_of(path).split("\n"), 1)
    return [f"{path.relative_to(NATIVE)}:{n}: {line.strip()}" for n, line in lines if pattern.search(line)]


def test_every_room_is_known() -> None:
    rooms = {path.name for path in NATIVE.iterdir() if path.is_dir()}
    assert rooms <= set(BELOW)


def test_includes_go_down_only() -> None:
    wrong = []
    for path in sources():
        room = path.relative_to(NATIVE).parts[0]
        for other in re.findall(r'#\s*include\s*"(\w+)/', code_of(path)):
            if other != room and other not in BELOW[room]:
                wrong.append(f"{path.relative_to(NATIVE)} includes {other}/")
    assert wrong == []


def test_python_h_is_included_in_agent_and_cpython_api_only() -> None:
    allowed = ("agent/", "cpython/api.h")
    wrong = [hit for path in sources() for hit in hits(PYTHON_H, path)]
    assert [hit for hit in wrong if not hit.startswith(allowed)] == []


def test_version_facts_are_in_cpython_only() -> None:
    wrong = [hit for path in sources() for hit in hits(VERSION_FACT, path)]
    assert [hit for hit in wrong if not hit.startswith("cpython/")] == []


def test_only_the_program_prints_and_exits() -> None:
    wrong = [hit for path in sources() for hit in hits(LOUD, path)]
    assert [hit for hit in wrong if not hit.startswith("cli/")] == []
