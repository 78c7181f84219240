"""%load_ext assay in a real IPython: what its magics show, return and leave."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from packages import with_package

# Runs the cells that it is given; prints for each what was displayed, printed and returned.
SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
config.InteractiveShell.colors = "NoColor"
shell = InteractiveShell.instance(config=config)
told = []
shell.display_pub.publish = lambda data, *_, **__: told.append(data["text/plain"])
out = []
for cell in json.load(sys.stdin):
    told.clear()
    with capture_output(display=False) as printed:
        ran = shell.run_cell(cell)
    error = ran.error_before_exec or ran.error_in_exec
    out.append({
        "told": list(told), "printed": printed.stdout, "value": repr(ran.result),
        "error": error and f"{type(error).__name__}: {error}",
    })
print(json.dumps(out))
"""

DEFINE = "def f(n):\n    return sum(range(n))\n"
WORK = "for n in range(500):\n    f(n)\n"

Cells = Any


@pytest.fixture(scope="session")
def ipython(python: Any) -> Path:
    return with_package(python, "ipython")


@pytest.fixture
def cells(ipython: Path, libdir: Path, tmp_path: Path) -> Cells:
    """Runs cells in one IPython, `%load_ext assay` first; what each of them did."""

    def run(*sources: str, load: bool = True) -> list[dict[str, Any]]:
        first = ["%load_ext assay"] if load else []
        done = subprocess.run(
            [ipython, "-c", SHELL],
            input=json.dumps([*first, *(textwrap.dedent(source) for source in sources)]),
            env={"PYTHONPATH": str(libdir.parent), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])[len(first) :]

    return run


def one_page(cell: dict[str, Any]) -> str:
    (page,) = cell["told"]
    assert page.startswith("assay: ") and max(map(len, page.splitlines())) <= 100
    return page


def row(page: str, name: str) -> list[str]:
    rows = [line.split() for line in page.splitlines() if re.match(r" +[\d.,]+ .?s ", line)]
    (line,) = [words for words in rows if name in words]
    return line


def test_cell_is_measured_and_keeps_its_value(cells: Cells) -> None:
    _, cell = cells(DEFINE, f"%%assay\n{WORK}3 + 4")
    page = one_page(cell)
    assert cell["value"] == "7" and cell["error"] is None
    assert "500" in row(page, "f") and "*" in row(page, "f")
    assert "none lost" in page and "more: " not in page


def test_statement_in_a_line_is_measured_and_has_its_value(cells: Cells) -> None:
    _, cell = cells(DEFINE, "x = %assay f(10)\nx")
    assert "1" in row(one_page(cell), "f")
    assert cell["value"] == "45"


def test_line_of_a_cell_runs_before_it(cells: Cells) -> None:
    (cell,) = cells("%%assay y = 20\ny + 1")
    assert cell["value"] == "21"


def test_names_that_a_cell_binds_stay(cells: Cells) -> None:
    _, cell = cells("%%assay\nx = 1\ndef g():\n    return x + 1\n", "g()")
    assert cell["value"] == "2"


def test_braces_and_dollars_are_the_code_s_own(cells: Cells) -> None:
    _, line, cell = cells("x = 5", "%assay {x: '$x'}", "%%assay t = '$x'\n{x: t}")
    assert (line["value"], cell["value"]) == ("{5: '$x'}", "{5: '$x'}")


def test_other_magics_work_inside(cells: Cells) -> None:
    (cell,) = cells("%%assay\nwhere = %pwd\nwhere")
    assert cell["error"] is None and cell["value"].startswith("'/")


def test_limit_is_of_the_table(cells: Cells) -> None:
    _, cell = cells(DEFINE, f"%%assay -l 2\n{WORK}")
    lines = one_page(cell).splitlines()
    head = next(i for i, line in enumerate(lines) if line.endswith("function"))
    assert lines[head + 3].startswith("  exact: ")


def test_profile_is_returned_when_asked_for(cells: Cells) -> None:
    _, _, cell = cells(
        DEFINE, f"p = %assay -r f(10)\n%assay -r {DEFINE!r}", "sum(n.calls for n in p.recording.find('f'))"
    )
    assert cell["value"] == "1"


def test_recording_is_kept_and_says_the_same(cells: Cells, assay: Any, tmp_path: Path) -> None:
    _, cell = cells(DEFINE, f"%%assay -o 'a b.assay'\n{WORK}")
    page = one_page(cell)
    again = assay("report", "--summary", "a b.assay", cwd=tmp_path, env={"COLUMNS": "100"}).stdout
    assert again.rstrip("\n") == page and "a b.assay · more: assay report --tree" in page


def test_exception_goes_on_after_the_summary(cells: Cells) -> None:
    _, cell, after = cells(DEFINE, f"%%assay\n{WORK}1 / 0", "%assay f(3)")
    assert "500" in row(one_page(cell), "f")
    assert cell["error"] == "ZeroDivisionError: division by zero"
    assert after["error"] is None and "1" in row(one_page(after), "f")


def test_source_that_does_not_compile_is_not_measured(cells: Cells) -> None:
    (cell,) = cells("%%assay\nx = = 1")
    assert cell["told"] == [] and cell["error"].startswith("SyntaxError")


@pytest.mark.parametrize("option", ["-l x", "-l -1", "-x"])
def test_option_that_is_none_is_refused(cells: Cells, option: str) -> None:
    (cell,) = cells(f"%assay {option} 1 + 1")
    assert cell["told"] == [] and cell["error"] is not None


def test_cells_of_a_kernel_are_your_own_code(cells: Cells) -> None:
    """A kernel names its cells as if they were files."""
    (cell,) = cells(
        """\
        source = "def in_cell():\\n    return sum(range(1000))\\nfor _ in range(100): in_cell()"
        code = compile(source, "/tmp/ipykernel_123/456.py", "exec")
        %assay exec(code, {})
        """
    )
    assert "*" in row(one_page(cell), "in_cell")


def test_loading_assay_loads_nothing_of_ipython(python: Any, libdir: Path, tmp_path: Path) -> None:
    source = "import sys, assay; sys.exit(any(m.startswith(('IPython', 'assay._n')) for m in sys.modules))"
    subprocess.run([python, "-c", source], env={"PYTHONPATH": str(libdir.parent)}, cwd=tmp_path, check=True)


# ---- %prun ----

PRUN_CELLS = {
    "line": ["%prun -l 8 f(1000)"],
    "cell": [f"%%prun\n{WORK}"],
    "statement and cell": [f"%%prun -s cumulative y = 5\n{WORK}", "y"],
    "keys": [f"%%prun -s calls -s name -l f -l 3\n{WORK}"],
    "fraction": [f"%%prun -s name -l .5\n{WORK}"],
    "quiet": [f"%%prun -q\n{WORK}"],
    "returned": ["s = %prun -q -r f(3)", "s.total_calls, sorted(key[2] for key in s.stats)"],
    "files": [
        f"%%prun -q -T table.txt -D counts.prof\n{WORK}",
        "print(open('table.txt').read())",
        "import pstats; sorted(key[2] for key in pstats.Stats('counts.prof').stats)",
    ],
    "braces": ["x = 5", "%prun -q -r print({x: '$x'})"],
    "exit": ["%prun -s name -l 1 raise SystemExit(3)", "1 + 1"],
    "exception": ["%prun 1 / 0", "1 + 1"],
}


def without_times(cell: dict[str, Any]) -> dict[str, Any]:
    def plain(text: str) -> str:
        text = re.sub(r"\d+\.\d+ seconds", "T seconds", re.sub(r" +\d+\.\d{3}", " T", text))
        text = re.sub(r"<pstats.Stats (object )?at 0x\w+>", "<pstats.Stats>", text)
        return re.sub(r"<ipython-input-[^>]*>", "<cell>", text)

    if cell["error"] is not None:
        cell["printed"] = "a traceback"
    return {name: plain(text) if isinstance(text, str) else text for name, text in cell.items()}


@pytest.mark.parametrize("case", PRUN_CELLS)
def test_prun_says_what_that_of_ipython_says(cells: Cells, case: str) -> None:
    """To the character but for times, and the order that they make."""

    def said(load: bool) -> list[dict[str, Any]]:
        out = [without_times(cell) for cell in cells(DEFINE, *PRUN_CELLS[case], load=load)]
        for cell in out:
            if "-s" not in PRUN_CELLS[case][0]:
                cell["printed"] = "\n".join(sorted(cell["printed"].splitlines()))
        return out

    ours, theirs = said(True), said(False)
    assert ours == theirs
    assert any(cell["printed"] or cell["value"] != "None" for cell in theirs)


def test_prun_is_ours(cells: Cells) -> None:
    _, cell = cells("import inspect", "inspect.getmodule(get_ipython().magics_manager.magics['cell']['prun']).__name__")
    assert cell["value"] == "'assay._notebook'"


def test_prun_works_inside_an_assay_cell(cells: Cells) -> None:
    _, cell = cells(DEFINE, "%%assay\n%prun -q f(10)")
    assert cell["error"] is None and "f" in one_page(cell)


def test_prun_works_inside_cprofile(cells: Cells, python: Any) -> None:
    if python.minor < 12:
        pytest.skip("one hook a thread, which is cProfile's then")
    _, cell = cells(DEFINE, "import cProfile\nwith cProfile.Profile():\n    %prun -q f(1)")
    assert cell["error"] is None  # IPython's own refuses
