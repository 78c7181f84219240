"""The drop-in shows what the standard cProfile shows, to the character but for times."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "dropin").glob("*.py"))

# Runs main() of the standard profiler, which sums what shares file, line and name: it would show one of them.
REFERENCE = """
import sys
import cProfile
module = sys.modules[cProfile.Profile.__module__]

def snapshot_stats(self):
    merged = {}
    for entry in self.getstats():
        merged.setdefault(module.label(entry.code), []).append(entry)
    def total(entries):
        nc = sum(e.callcount for e in entries)
        return nc, nc - sum(e.reccallcount for e in entries), sum(e.inlinetime for e in entries), \\
            sum(e.totaltime for e in entries)
    pairs = {}
    for caller, entries in merged.items():
        for entry in entries:
            for sub in entry.calls or ():
                pairs.setdefault(module.label(sub.code), {}).setdefault(caller, []).append(sub)
    self.stats = {}
    for func, entries in merged.items():
        nc, cc, tt, ct = total(entries)
        callers = {caller: total(subs) for caller, subs in pairs.get(func, {}).items()}
        self.stats[func] = cc, nc, tt, ct, callers

cProfile.Profile.snapshot_stats = snapshot_stats
module.main()
"""
OURS = "import sys, cProfile; sys.modules[cProfile.Profile.__module__].main()"

COUNTS = """
import json, pstats, re, sys
def name(func):
    return re.sub("0x[0-9a-f]+", "ADDRESS", "%s:%d(%s)" % func)
stats = pstats.Stats(sys.argv[1]).stats
print(json.dumps({name(f): [cc, nc, {name(c): v[:2] for c, v in callers.items()}]
                  for f, (cc, nc, tt, ct, callers) in stats.items()}))
"""


def masked(text: str) -> str:
    """Without times and addresses; lines that a sort key leaves in any order are sorted."""
    text = re.sub(r"\b\d+\.\d{3}\b|\d\d:\d\d:\d\d", "#", text)
    return "\n".join(sorted(re.sub(r"0x[0-9a-f]+", "ADDRESS", text).splitlines()))


@pytest.fixture
def run(python, libdir, tmp_path):
    """Run this interpreter over our modules, or with as long a sys.path over the standard ones."""
    (tmp_path / "empty").mkdir()

    def run(ours: bool, *args: str | os.PathLike[str], status: int = 0) -> str:
        env = {**os.environ, "PYTHONPATH": str(libdir / "dropin" if ours else tmp_path / "empty")}
        env.pop("ASSAY_LIBDIR", None)
        done = subprocess.run(
            [python, *args], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace"
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    return run


def counts(run, ours: bool, script: Path, tmp_path: Path) -> dict:
    out = tmp_path / f"{ours}.prof"
    run(ours, "-c", OURS if ours else REFERENCE, "-o", out, script)
    return json.loads(run(False, "-c", COUNTS, out))


@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_functions_callers_and_counts_are_those_of_cprofile(run, script, tmp_path):
    for over in (True, False):
        counts(run, over, script, tmp_path)  # compiled files are there from here on
    standard = counts(run, False, script, tmp_path)
    ours = counts(run, True, script, tmp_path)
    assert ours == standard
    assert len(ours) > 5


@pytest.mark.parametrize("name", ["recursion", "exceptions", "methods"])
def test_module_run_prints_the_table_of_cprofile(run, name):
    (script,) = (s for s in SCRIPTS if s.stem == name)
    args = ("-m", "cProfile", "-s", "name", script)
    assert masked(run(True, *args)) == masked(run(False, *args))


HABITS = {
    "around_main": """
profile = cProfile.Profile()
profile.enable()
main()
profile.disable()
stats = pstats.Stats(profile).sort_stats("name")
stats.print_stats(10)
stats.print_callers()
stats.print_callees("work")
stats.strip_dirs().sort_stats(pstats.SortKey.NFL).print_stats("work|leaf", 5)
""",
    "with": """
with cProfile.Profile() as profile:
    main()
    [n for n in range(3)]
pstats.Stats(profile).sort_stats("nfl").print_stats()
profile.print_stats("name")
""",
    "to_a_file": """
profile = cProfile.Profile()
profile.runcall(main)
profile.run("main()")
profile.dump_stats("out.prof")
pstats.Stats("out.prof").sort_stats("name").print_stats().print_callers()
""",
    "run": """
cProfile.run("main()", sort="name")
cProfile.runctx("work(n)", globals(), {"n": 2}, "out.prof")
pstats.Stats("out.prof").sort_stats("name").print_stats()
""",
    "again_and_again": """
profile = cProfile.Profile()
for n in range(4):
    profile.enable()
    work(n)
    profile.disable()
    work(n)
profile.create_stats()
pstats.Stats(profile).add(profile).sort_stats("name").print_stats().print_callees()
profile.clear()
profile.enable()
main()
profile.disable()
profile.print_stats("name")
""",
    "decorator": """
def profiled(function):
    def wrapper(*args):
        profile = cProfile.Profile()
        result = profile.runcall(function, *args)
        pstats.Stats(profile).sort_stats("name").print_stats()
        return result
    return wrapper
profiled(main)()
""",
    "flags": """
profile = cProfile.Profile()
profile.enable(subcalls=False)
main()
profile.disable()
pstats.Stats(profile).sort_stats("name").print_callers()
""",
    "open_calls": """
profile = cProfile.Profile()
def begins():
    profile.enable()
    leaf(1)
def ends():
    leaf(2)
    profile.disable()
def middle():
    begins()
    leaf(3)
    ends()
middle()
pstats.Stats(profile).sort_stats("name").print_stats().print_callers()
""",
    "timer": """
ticks = 0
def timer():
    global ticks
    ticks += 1
    return ticks
for args in ((timer, 0.001), (lambda: float(timer()),)):
    profile = cProfile.Profile(*args)
    profile.runcall(main)
    stats = pstats.Stats(profile).sort_stats("name")
    for func in sorted(stats.stats):
        print("exactly", [round(v, 6) for v in stats.stats[func][:4]], func[2])
    stats.print_callers()
""",
}
PROGRAM = """
import cProfile, pstats
def leaf(n):
    return str(n)
def work(n):
    return [leaf(m) for m in range(n)] and work(n - 1) if n else 0
def main():
    for n in range(3):
        work(n)
    sorted("cab", key=lambda c: leaf(c))
"""


@pytest.mark.parametrize("habit", HABITS)
def test_scripts_that_everybody_writes_print_the_same(run, habit, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM + HABITS[habit])
    ours, standard = (masked(run(over, script)) for over in (True, False))
    assert ours == standard
    assert "leaf" in ours


def test_command_line_errors_are_those_of_cprofile(run, tmp_path):
    for args, status in (([], 2), (["-s", "nonesuch", "x.py"], 2), (["-h"], 0)):
        ours, standard = (run(over, "-m", "cProfile", *args, status=status) for over in (True, False))
        assert ours == standard


def test_command_is_the_command_line_of_cprofile(run, assay, python, tmp_path):
    """`assay cprofile` puts nothing on sys.path, so its table is that of the plain one."""
    (script,) = (s for s in SCRIPTS if s.stem == "recursion")
    command = ["cprofile", "--python", str(python)]
    for args, status in (
        (["-s", "name", script], 0),
        (["-o", tmp_path / "out.prof", script], 0),
        ([], 2),
        (["-s", "nonesuch", script], 2),
    ):
        ours = assay(*command, *args, cwd=tmp_path)
        plain = subprocess.run([python, "-m", "cProfile", *args], capture_output=True, text=True)
        assert (ours.returncode, masked(ours.stdout), masked(ours.stderr)) == (
            status,
            masked(plain.stdout),
            masked(plain.stderr),
        )
    assert "recursion.py" in run(False, "-c", COUNTS, tmp_path / "out.prof")


def test_command_runs_the_program_as_cprofile_does(assay, python, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, os; print(sys.argv, sys.path, __name__, sorted(os.environ)); sys.exit(3)")
    ours = assay("cprofile", "--python", str(python), script, "-x", "two words", cwd=tmp_path)
    plain = subprocess.run(
        [python, "-m", "cProfile", script, "-x", "two words"],
        env=assay.environ(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ours.returncode == plain.returncode == 0  # cProfile swallows SystemExit
    assert ours.stdout.splitlines()[0] == plain.stdout.splitlines()[0]


def test_cprofile_refuses_a_missing_interpreter(assay):
    done = assay("cprofile", "--python", "/none", "x.py")
    assert (done.returncode, done.stderr) == (2, "assay: there is no interpreter /none\n")
    assert assay("cprofile", "--python").returncode == 2


def test_path_is_a_directory_with_the_names_of_the_peers(assay, libdir):
    done = assay("dropin-path")
    assert done.stdout == f"{libdir.resolve()}/dropin\n" and done.returncode == 0
    names = {p.stem for p in Path(done.stdout.strip()).iterdir() if not p.name.startswith("__")}
    assert names == {"_lsprof", "cProfile", "profiling"}
    assert assay("dropin-path", "x").returncode == 2
