"""The event lists in tests/c/core/traces are what the interpreters raise, and the agent makes their trees."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import Node, read

ROOT = Path(__file__).resolve().parents[2]
TRACES = ROOT / "tests" / "c" / "core" / "traces"
PROGRAMS = sorted(path.stem for path in TRACES.glob("*.py"))
# The recorder runs a program twice and keeps the second time: what imports a module calls more the first time.
# The agent does not tell apart the `__new__` of C types, which share one definition, nor slots bound to an object.
UNTOLD = {r"[\w.]+\.__new__ \(c\)": "__new__ (c)", r"type\.__call__ \(c\)": "object:method-wrapper"}
ALONE = [name for name in PROGRAMS if "import " not in (TRACES / f"{name}.py").read_text()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record every program once for each interpreter; what was recorded, by interpreter."""
    directories = {}

    def record(python) -> Path:
        if str(python) not in directories:
            directory = tmp_path_factory.mktemp("traces")
            recorder = ROOT / "tools" / "record_trace.py"
            subprocess.run([python, recorder, "--into", directory], check=True, timeout=120)
            directories[str(python)] = directory
        return directories[str(python)]

    return record


@pytest.mark.parametrize("program", PROGRAMS)
def test_events_of_a_program_pair_up(python, recorded, program):
    [trace] = recorded(python).glob(f"*-{program}.trace")
    tree = trace.read_text().partition("=== tree\n")[2]
    assert tree.startswith("root self=")
    assert "\nlosses:" not in tree
    assert " open=" not in tree


@pytest.mark.parametrize("program", PROGRAMS)
def test_golden_trace_is_what_its_version_raises(python, recorded, program):
    [trace] = recorded(python).glob(f"*-{program}.trace")
    golden = TRACES / trace.name
    fresh, kept = trace.read_text(), golden.read_text()
    if python.freethreaded or fresh.partition("\n")[0] != kept.partition("\n")[0]:
        pytest.skip(f"the golden trace is {kept.partition(chr(10))[0][2:]}'s")
    assert fresh == kept


def paths(node: Node, indent: int = 1) -> Iterator[str]:
    """A node and all below it as in a trace's tree, without times."""
    prefix = {"class": "class:", "object": "object:"}.get(node.kind, "")
    counts = {"calls": node.calls, "resumes": node.resumes, "unwinds": node.unwinds, "open": node.open}
    words = "".join(f" {word}={n}" for word, n in counts.items() if n)
    yield "  " * indent + prefix + node.name + (" (c)" if node.kind == "c" else "") + words
    for child in node.children:
        yield from paths(child, indent + 1)


def told(line: str) -> str:
    for pattern, name in UNTOLD.items():
        line = re.sub(pattern, name, line)
    return line


@pytest.mark.parametrize("program", ALONE)
def test_agent_makes_the_golden_tree(assay, python, recorded, program, tmp_path):
    recording = tmp_path / "program.assay"
    run = assay("run", "-q", "-o", recording, "--python", python, TRACES / f"{program}.py", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    tree = read(assay, recording)
    modules = [node for node in tree.nodes if node.name == "<module>" and node.parent.kind == "root"]
    assert len(modules) == 1
    [trace] = recorded(python).glob(f"*-{program}.trace")
    expected = trace.read_text().partition("=== tree\n")[2].splitlines()[1:]
    expected = [told(re.sub(r" (self|suspended)=\d+|%\d+", "", line)) for line in expected]
    assert [told(line) for line in paths(modules[0])] == expected
    assert tree.losses() == {}
