"""Run a program under assay and look at its call tree: what most of the end-to-end tests do."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Node:
    """A call path. `name` is the function's; times are in ns."""

    name: str
    kind: str
    file: str
    line: int
    calls: int
    resumes: int
    unwinds: int
    open: int
    self_ns: int
    wait_ns: int
    suspended_ns: int
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def path(self) -> list[str]:
        node: Node | None = self
        names = []
        while node is not None and node.kind != "root":
            names.append(node.name)
            node = node.parent
        return names[::-1]


@dataclass
class Tree:
    """A recording, as `assay report --format json` shows it."""

    json: dict[str, Any]
    nodes: list[Node]
    result: subprocess.CompletedProcess[str]

    def find(self, name: str, under: str | None = None) -> Iterator[Node]:
        for node in self.nodes:
            if node.name == name and (under is None or under in node.path[:-1]):
                yield node

    def one(self, name: str, under: str | None = None) -> Node:
        found = list(self.find(name, under))
        assert len(found) == 1, f"{len(found)} nodes of {name}: {[n.path for n in found]}"
        return found[0]

    def calls(self, name: str, under: str | None = None) -> int:
        return sum(node.calls for node in self.find(name, under))

    def losses(self) -> dict[str, int]:
        """What was not measured, over all processes and the session; only what is not 0."""
        total: dict[str, int] = {}
        for losses in [p["losses"] for p in self.json["processes"]] + [self.json["session"]["losses"]]:
            for key, n in losses.items():
                if n:
                    total[key] = total.get(key, 0) + n
        return total


def read(assay: Any, recording: Path, *options: str) -> Tree:
    """The call tree of a recording; all of it, start-up as well, with `--startup`."""
    done = assay("report", recording, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    functions = {f["id"]: f for f in report["functions"]}
    nodes: list[Node] = []
    for row in report["nodes"]:
        f = functions.get(row["function"], {"name": "", "kind": "root", "file": "", "line": 0})
        parent = nodes[row["parent"]] if row["parent"] is not None else None
        node = Node(
            f["name"],
            f["kind"],
            f["file"] or "",
            f["line"] or 0,
            *(row[k] for k in ("calls", "resumes", "unwinds", "open", "self_ns", "wait_ns", "suspended_ns")),
            parent,
        )
        nodes.append(node)
        if parent is not None:
            parent.children.append(node)
    return Tree(report, nodes, done)


def record(assay: Any, python: Any, folder: Path, source: str, *args: str, status: int = 0, **kwargs: Any) -> Tree:
    """Write a script, run it under assay, and read what was recorded."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(source))
    recording = folder / "script.assay"
    done = assay("run", "-q", "-o", recording, "--python", python, script, *args, cwd=folder, **kwargs)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    tree = read(assay, recording)
    tree.result = done
    return tree
