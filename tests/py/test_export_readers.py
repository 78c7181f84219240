"""Exports as their tools read them: gprof2dot, snakeviz, tuna, callgrind_annotate, and speedscope's schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import debian_file, npm_file, with_packages

READERS = ["gprof2dot==2025.4.14", "snakeviz==2.2.2", "tuna==0.5.15", "jsonschema==4.17.3", "setuptools<81"]
SPEEDSCOPE = "speedscope@1.25.0"

PROGRAM = """
import threading
import time

import assay


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Store:
    def lines(self):
        return fib(16)


def nap():
    time.sleep(0.05)


def main():
    with assay.tag(customer="acme"):
        Store().lines()
    thread = threading.Thread(target=nap, name="napper")
    thread.start()
    nap()
    thread.join()


main()
"""


@pytest.fixture(scope="module")
def readers() -> Path:
    return with_packages(Path(sys.executable), "readers", READERS)


@pytest.fixture(scope="module")
def recording(assay: Any, libdir: Path, tmp_path_factory: pytest.TempPathFactory, request: Any) -> Path:
    home = tmp_path_factory.mktemp("run")
    (home / "app.py").write_text(PROGRAM)
    python = request.config.assay_pythons[0]
    done = assay(
        "run", "--python", str(python), "-o", "app.assay", "app.py", cwd=home, env={"PYTHONPATH": libdir.parent}
    )
    assert done.returncode == 0, done.stderr
    return home / "app.assay"


def export(assay: Any, recording: Path, to: str, path: Path, *args: str) -> Path:
    done = assay("export", recording, "--to", to, "-o", path, *args)
    assert done.returncode == 0, done.stderr
    return path


def read(python: Path, *args: str | Path) -> str:
    done = subprocess.run([python, "-W", "ignore", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def functions(assay: Any, path: Path) -> dict[str, Any]:
    page = json.loads(assay("report", path, "--format", "json").stdout)
    return {f["name"]: f for f in page["functions"]}


def dot(readers: Path, form: str, path: Path) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Names by node, and edges, of what gprof2dot makes of it without leaving anything out."""
    text = read(readers, "-m", "gprof2dot", "-f", form, "-n", "0", "-e", "0", path)
    node = r'(\w+|"[^"]*")'
    labels = dict(re.findall(rf'^\t{node} \[.*label="([^"]*)"', text, re.M))
    labels.pop("node", None)
    labels.pop("edge", None)
    return labels, set(re.findall(rf"^\t{node} -> {node} \[", text, re.M))


def edges_by_name(labels: dict[str, str], edges: set[tuple[str, str]], name: str) -> set[str]:
    """The labels of what calls the one node whose label has `name` in it."""
    (node,) = [node for node, label in labels.items() if name in label]
    return {labels[caller] for caller, callee in edges if callee == node}


@pytest.mark.parametrize(
    ("form", "to", "lines"), [("pstats", "pstats", ":lines"), ("callgrind", "callgrind", "Store.lines")]
)
def test_gprof2dot_draws_callers(
    assay: Any, recording: Path, readers: Path, tmp_path: Path, form: str, to: str, lines: str
) -> None:
    labels, edges = dot(readers, form, export(assay, recording, to, tmp_path / "x"))
    callers = edges_by_name(labels, edges, "fib")
    assert any(lines in caller for caller in callers)
    assert any("3193" in label or "3,193" in label for label in labels.values() if "fib" in label) or form != "pstats"


def test_gprof2dot_reads_stacks(assay: Any, recording: Path, readers: Path, tmp_path: Path) -> None:
    labels, edges = dot(readers, "collapse", export(assay, recording, "collapsed", tmp_path / "x"))
    assert any("Store.lines" in caller for caller in edges_by_name(labels, edges, r"app.py\nfib\n"))
    assert any("customer=acme" in label for label in labels.values())


SNAKEVIZ = """
import json, pstats, sys
from snakeviz.stats import json_stats, table_rows
stats = pstats.Stats(sys.argv[1])
print(json.dumps([table_rows(stats), json_stats(stats)]))
"""


def test_snakeviz_makes_its_table_and_its_graph(assay: Any, recording: Path, readers: Path, tmp_path: Path) -> None:
    path = export(assay, recording, "pstats", tmp_path / "x.prof")
    rows, graph = json.loads(read(readers, "-c", SNAKEVIZ, path))
    (fib,) = [row for row in rows if "(fib)" in str(row)]
    assert "3193/1" in str(fib)
    (key,) = [key for key in graph if key.endswith("(fib)")]
    assert any(caller.endswith("(lines)") for caller in graph[key]["callers"])
    assert graph[key]["stats"][:2] == [1, 3193]


def test_tuna_makes_its_tree(assay: Any, recording: Path, readers: Path, tmp_path: Path) -> None:
    path = export(assay, recording, "pstats", tmp_path / "x.prof")
    code = "import json, sys; from tuna.main import read; print(json.dumps(read(sys.argv[1]), default=str))"
    text = read(readers, "-c", code, path)
    assert "fib" in text and "lines" in text and "time.sleep" in text


def test_pstats_files_of_ours_and_of_cprofile_go_the_same_ways(assay: Any, readers: Path, tmp_path: Path) -> None:
    """What gprof2dot reads from cProfile's own file, it reads from the callgrind file that we make of that."""
    code = "def f(n):\n    return n and f(n - 1)\ndef g():\n    return f(3) + f(4)\ng()\n"
    (tmp_path / "app.py").write_text(code)
    subprocess.run([sys.executable, "-m", "cProfile", "-o", "app.prof", "app.py"], cwd=tmp_path, check=True)
    theirs, their_edges = dot(readers, "pstats", tmp_path / "app.prof")
    ours, our_edges = dot(readers, "callgrind", export(assay, tmp_path / "app.prof", "callgrind", tmp_path / "x"))
    assert len(ours) == len(theirs) and len(our_edges) == len(their_edges)


def test_callgrind_annotate_reads_costs(assay: Any, recording: Path, tmp_path: Path) -> None:
    path = export(assay, recording, "callgrind", tmp_path / "callgrind.out.app")
    script = debian_file("valgrind", "usr/bin/callgrind_annotate")
    ours = functions(assay, recording)

    def annotate(*args: str) -> dict[str, list[int]]:
        done = subprocess.run(
            ["perl", script, "--threshold=100", "--show-percs=no", *args, path],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        rows = re.findall(r"^ *([\d,]+) +([\d,]+|\.) +\S*:(\S+)", done.stdout, re.M)
        return {
            name: [int(wall.replace(",", "")), int(cpu.replace(",", "").replace(".", "0"))] for wall, cpu, name in rows
        }

    own = annotate()
    assert own["fib"] == [ours["fib"]["self_ns"], ours["fib"]["self_ns"] - ours["fib"]["wait_ns"]]
    assert own["time.sleep"][0] == ours["sleep"]["self_ns"]
    inclusive = annotate("--inclusive=yes")
    assert inclusive["nap"][0] == ours["nap"]["total_ns"]
    assert inclusive["main"][0] == ours["main"]["total_ns"]


SCHEMA = """
import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))
"""


def test_speedscope_files_fit_its_schema(assay: Any, recording: Path, readers: Path, tmp_path: Path) -> None:
    schema = npm_file(SPEEDSCOPE, "dist/release/file-format-schema.json")
    path = export(assay, recording, "speedscope", tmp_path / "x.speedscope.json")
    read(readers, "-c", SCHEMA, schema, path)
    page = json.loads(path.read_text())
    assert len(page["profiles"]) == 2
    page["profiles"][0]["unit"] = "parsecs"  # the schema does refuse
    path.write_text(json.dumps(page))
    done = subprocess.run([readers, "-c", SCHEMA, schema, path], capture_output=True, text=True, timeout=60)
    assert "ValidationError" in done.stderr


def test_empty_files_are_valid_too(assay: Any, recording: Path, readers: Path, tmp_path: Path) -> None:
    """Of a thread that called nothing while it was looked at."""
    schema = npm_file(SPEEDSCOPE, "dist/release/file-format-schema.json")
    part = ["--thread", "napper", "--tag", "customer=acme"]
    read(readers, "-c", SCHEMA, schema, export(assay, recording, "speedscope", tmp_path / "x.json", *part))
    path = export(assay, recording, "pstats", tmp_path / "x.prof", *part)
    assert path.read_bytes() == b"{0"
