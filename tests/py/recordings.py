"""What `assay report --format json` says of a recording, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recording:
    """The JSON of one report, and sums over it."""

    data: dict

    def functions(self, name: str) -> list[dict]:
        """The functions whose name is `name`, or ends in it after a dot."""
        return [each for each in self.data["functions"] if each["name"].split(".")[-1] == name]

    def calls(self, name: str) -> int:
        return sum(each["calls"] for each in self.functions(name))

    def open(self, name: str) -> int:
        """How many calls had not ended when the recording did."""
        return sum(each["open"] for each in self.functions(name))

    def path(self, node: dict) -> list[str]:
        """The names of the functions from the outermost caller to this node's."""
        names = {each["id"]: each["name"] for each in self.data["functions"]}
        found = []
        while node["parent"] is not None:
            found.append(names[node["function"]])
            node = self.data["nodes"][node["parent"]]
        return found[::-1]


def read(assay, path: Path, *options: str) -> Recording:
    """The recording, which must be readable."""
    done = assay("report", path, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    return Recording(json.loads(done.stdout))


def read_threads(assay, path: Path) -> list[Recording]:
    """One report for each thread."""
    serials = [thread["serial"] for thread in read(assay, path).data["threads"]]
    return [read(assay, path, "--thread", str(serial)) for serial in serials]
