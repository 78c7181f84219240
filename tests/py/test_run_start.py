"""What `assay run` starts, what it refuses before that, and where the recording goes."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from recordings import read

MAGIC = b"\x89ASSAY\r\n"


def one_sentence(result: subprocess.CompletedProcess[str], status: int = 2) -> str:
    """The complaint of a run that was refused: exactly one line of ours, nothing from the program."""
    assert result.returncode == status, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("assay: ")
    return lines[0]


# ---- refused before the start ----


def test_a_missing_script_is_named(assay, tmp_path):
    assert "no script nosuch.py" in one_sentence(assay("run", "nosuch.py", cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_for_the_recording_is_refused_before_the_program_starts(assay, tmp_path):
    (tmp_path / "x.py").write_text("open('started', 'w')")
    for output in ("nowhere/x.assay", "x.py/x.assay", ".", ""):
        one_sentence(assay("run", "-o", output, "x.py", cwd=tmp_path))
    assert not (tmp_path / "started").exists()


def test_a_directory_that_is_not_there_is_named(assay, tmp_path):
    sentence = one_sentence(assay("run", "-o", "no/where/x.assay", "-c", "pass", cwd=tmp_path))
    assert "there is no directory no/where for the recording" in sentence


@pytest.fixture
def unwritable(tmp_path):
    """A directory in which no file can be made: root needs a file system for that, and may be without."""
    place = tmp_path / "unwritable"
    place.mkdir()
    (place / "x.py").write_text("open('/proc/self/fd/1', 'w').write('started')")
    mounted = False
    if os.geteuid() == 0:
        commands = (["mount", "--bind", place, place], ["mount", "-o", "remount,bind,ro", place])
        mounted = all(subprocess.run(each, capture_output=True).returncode == 0 for each in commands)
        if not mounted:
            pytest.skip("root may write anywhere, and nothing can be mounted here")
    place.chmod(0o555) if not mounted else None
    yield place
    if mounted:
        subprocess.run(["umount", place], check=True)
    place.chmod(0o755)


def test_an_unwritable_directory_is_refused_before_the_program_starts(assay, unwritable):
    sentence = one_sentence(assay("run", "x.py", cwd=unwritable))
    assert "cannot write the recording x.assay" in sentence
    assert "-o FILE" in sentence


def test_what_is_not_a_python_is_refused(assay, tmp_path):
    (tmp_path / "x.py").write_text("")
    assert "/bin/ls is not a Python" in one_sentence(assay("run", "--python", "/bin/ls", "x.py", cwd=tmp_path))
    assert "no interpreter" in one_sentence(assay("run", "--python", "./none", "x.py", cwd=tmp_path))
    assert not (tmp_path / "x.assay").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--"],
        ["run", "-I"],
        ["run", "--nosuch", "x.py"],
        ["run", "-Z", "x.py"],
        ["run", "-X"],
        ["run", "-m"],
        ["run", "-c"],
        ["run", "-o"],
        ["run", "--python"],
        *(["run", "--arena", size, "x.py"] for size in ("many", "-1", "1MB", "99999999999999999999", "20000000G")),
        ["run", "--python", "python3", "--", "true"],
        ["nosuch"],
        ["--nosuch"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_told_in_one_sentence(assay, tmp_path, arguments):
    one_sentence(assay(*arguments, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_there_ends_with_127_and_one_that_cannot_run_with_126(assay, tmp_path):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "broken").write_text("#!/nosuch/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    (tmp_path / "odd").write_bytes(b"\0\1\2\3 no format at all")
    (tmp_path / "odd").chmod(0o755)
    one_sentence(assay("run", "--", "nosuch-command", cwd=tmp_path), 127)
    one_sentence(assay("run", "--", "./text", cwd=tmp_path), 126)
    one_sentence(assay("run", "--", "./broken", cwd=tmp_path), 127)
    one_sentence(assay("run", "--", "./odd", cwd=tmp_path), 126)
    assert not list(tmp_path.glob("*.assay"))


def test_a_script_without_an_interpreter_s_name_is_the_shell_s(assay, python, tmp_path):
    script = tmp_path / "script"
    script.write_text(f'echo "$1"; "{python}" -c "print(3)"; exit 4\n')
    script.chmod(0o755)
    result = assay("run", "--", "./script", "two words", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (4, "two words\n3\n")
    assert len(read(assay, tmp_path / "script.assay").data["processes"]) == 1


def test_names_in_a_complaint_cannot_write_to_the_terminal(assay, tmp_path):
    sentence = one_sentence(assay("run", "a\x1b[2J\n\x7fb\u009bé.py", cwd=tmp_path))
    assert sentence == "assay: there is no script a?[2J??b??é.py"


def test_help_waits_for_a_reader_that_is_slow(assay):
    """A program that shares the pipe may have made it non-blocking."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    process = assay.start("--help", stdout=writer)
    os.close(writer)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    with os.fdopen(reader, "rb") as pipe:
        assert b"examples:" in pipe.read()[filled:]
    assert process.wait(timeout=60) == 0


def test_a_long_command_line_ends_with_a_mark(assay, python, tmp_path):
    many = [str(n) for n in range(80)]
    assert assay("run", "-q", "-o", "x.assay", "--python", python, "-c", "pass", *many, cwd=tmp_path).returncode == 0
    process = read(assay, tmp_path / "x.assay").data["processes"][0]
    command = process["command"]
    assert process["parent_pid"] == 0  # assay is no part of the program
    assert command.endswith(" 56 57 …")
    few = many[:5]
    assert assay("run", "-q", "-o", "y.assay", "--python", python, "-c", "pass", *few, cwd=tmp_path).returncode == 0
    assert read(assay, tmp_path / "y.assay").data["processes"][0]["command"].endswith(" 3 4")


def test_a_program_that_could_not_start_leaves_the_recording_before_it(assay, tmp_path):
    (tmp_path / "odd").write_bytes(b"\0\1\2\3")
    (tmp_path / "odd").chmod(0o755)
    (tmp_path / "odd.assay").write_bytes(MAGIC + b"before")
    one_sentence(assay("run", "--", "./odd", cwd=tmp_path), 126)
    assert (tmp_path / "odd.assay").read_bytes() == MAGIC + b"before"
    assert not (tmp_path / "odd.old.assay").exists()


NOT_BEGUN = {"directory": ["empty"], "module": ["-m", "nosuch"], "syntax": ["wrong.py"], "code": ["-c", "def f(:"]}


@pytest.mark.parametrize("arguments", NOT_BEGUN.values(), ids=NOT_BEGUN)
def test_a_program_that_does_not_begin_is_python_s_error_and_one_line(assay, python, tmp_path, arguments):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.py").write_text("def f(:")
    alone = subprocess.run([python, *arguments], cwd=tmp_path, capture_output=True, text=True)
    before = {name: MAGIC + name.encode() for name in ("empty.assay", "nosuch.assay", "wrong.assay", "python.assay")}
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    result = assay("run", "--python", python, *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (alone.returncode, alone.stdout) == (1, "")
    assert result.stderr == alone.stderr + "assay: the program did not begin: there is no recording of it\n"
    # A typing error does not cost the recording that was there.
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.assay")} == before


def test_a_program_that_does_not_begin_leaves_the_recording_that_was_asked_for(assay, python, tmp_path):
    result = assay("run", "-o", "out.assay", "--python", python, "-m", "nosuch", cwd=tmp_path)
    assert result.returncode == 1
    assert "the program did not begin" in result.stderr
    assert read(assay, tmp_path / "out.assay").data["session"]["complete"] is True


def test_a_run_that_is_not_measured_does_not_take_a_recording_s_place(assay, tmp_path):
    (tmp_path / "sh.assay").write_bytes(MAGIC + b"before")
    assert assay("run", "--", "sh", "-c", "exit 3", cwd=tmp_path).returncode == 3
    assert [p.name for p in tmp_path.iterdir()] == ["sh.assay"]
    assert (tmp_path / "sh.assay").read_bytes() == MAGIC + b"before"


@pytest.mark.parametrize(
    "arguments", [["x.py"], ["-m", "pytest"], ["-c", "pass"], ["--", "true"], ["there"]], ids=" ".join
)
def test_a_forgotten_verb_is_named(assay, tmp_path, arguments):
    (tmp_path / "there").touch()
    assert f"assay run {arguments[0]} …" in one_sentence(assay(*arguments, cwd=tmp_path))


def test_help_has_examples_for_each_verb(assay):
    for arguments in (["--help"], ["run", "--help"], ["report", "--help"]):
        result = assay(*arguments)
        assert result.returncode == 0
        assert "examples:" in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert result.stderr == ""


def test_help_of_run_names_every_option(assay):
    text = assay("run", "--help").stdout
    for option in ("--calls", "--no-c-calls", "-o", "--output", "--python", "--arena", "-q", "--quiet", "-h", "--help"):
        assert re.search(rf"(^|[ (]){option}[ ,]", text, re.MULTILINE), option


def test_the_version_is_told(assay):
    result = assay("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("assay 0.")


@pytest.mark.parametrize(
    "arguments",
    [["-V"], ["-VV"], ["--version"], ["-IV"], ["-X", "dev", "-V"], ["-V", "x.py"], ["-Ih"], ["--help-env"]],
    ids=" ".join,
)
def test_what_python_only_answers_is_python_s_to_answer(assay, python, tmp_path, arguments):
    plain = subprocess.run([python, *arguments], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert plain.returncode == 0 and plain.stdout
    for ours in ([], ["-o", "F.assay"]):
        done = assay("run", *ours, "--python", python, *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)
    assert list(tmp_path.iterdir()) == []


def test_options_behind_the_script_are_the_script_s(assay, python, tmp_path):
    code = "import sys; print(sys.argv[1:])"
    assert assay("run", "-q", "--python", python, "-c", code, "-V", cwd=tmp_path).stdout == "['-V']\n"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([""], 2, "there is no script ''"),
        (["--python", "", "x.py"], 2, "there is no interpreter ''"),
        (["--python=", "-c", "pass"], 2, "there is no interpreter ''"),
        (["--", ""], 127, "there is no command ''"),
        (["-o", "", "-c", "pass"], 2, "this is no name for a file: ''"),
    ],
)
def test_an_empty_name_is_shown_as_one(assay, tmp_path, arguments, status, sentence):
    (tmp_path / "x.py").touch()
    assert one_sentence(assay("run", *arguments, cwd=tmp_path), status) == f"assay: {sentence}"
    assert {p.name for p in tmp_path.iterdir()} == {"x.py"}


# ---- runs that cannot be measured ----


def test_a_command_that_is_no_python_runs_and_one_line_says_that_it_was_not_measured(assay, tmp_path):
    result = assay("run", "--", "sh", "-c", "echo out; echo err >&2; exit 9", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (9, "out\n")
    # That none was started is more than we know.
    why = "no CPython 3.11 to 3.15 reached us (none was started, or as another user or in a container): ran unprofiled"
    assert result.stderr.splitlines() == ["err", f"assay: sh: {why}"]


def unsupported() -> list[str]:
    homes = Path.home().glob(".pyenv/versions/3.*/bin/python3")
    return sorted(str(p) for p in homes if int(p.parts[-3].split(".")[1]) in (8, 9, 10))


@pytest.mark.skipif(not unsupported(), reason="no Python 3.8 to 3.10 is here")
def test_an_older_python_runs_unprofiled_and_one_line_says_so(assay, tmp_path):
    for old in unsupported():
        result = assay("run", "--python", old, "-c", "print('ran'); raise SystemExit(3)", cwd=tmp_path)
        assert (result.returncode, result.stdout) == (3, "ran\n")
        assert "is not supported (3.11 to 3.15 are): ran unprofiled" in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(not unsupported(), reason="no Python 3.8 to 3.10 is here")
def test_an_older_python_beside_a_measured_one_is_named(assay, python, tmp_path):
    both = f"'{python}' -c 'print(1)'; '{unsupported()[0]}' -c 'print(2)'"
    result = assay("run", "--", "sh", "-c", both, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "1\n2\n")
    assert "1 more Python ran unprofiled: Python 3." in result.stderr
    remarks = read(assay, tmp_path / "sh.assay").data["remarks"]
    assert [each for each in remarks if each.endswith(os.path.realpath(unsupported()[0]))]


def test_a_python_without_its_agent_runs_unprofiled_and_one_line_says_so(assay, python, libdir, tmp_path):
    (tmp_path / "lib").mkdir()
    shutil.copy(libdir / "libassay-preload.so", tmp_path / "lib")
    lib = {"ASSAY_LIBDIR": str(tmp_path / "lib")}
    result = assay("run", "--python", python, "-c", "raise SystemExit(4)", cwd=tmp_path, env=lib)
    assert result.returncode == 4
    assert f"was not built for Python {python.version}: ran unprofiled" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_agent_that_does_not_load_leaves_the_program_alone(assay, python, libdir, tmp_path):
    (tmp_path / "lib").mkdir()
    shutil.copy(libdir / "libassay-preload.so", tmp_path / "lib")
    (tmp_path / "lib" / f"_agent{python.suffix}").write_text("this is no library")
    result = assay("run", "--python", python, "-c", "pass", cwd=tmp_path, env={"ASSAY_LIBDIR": str(tmp_path / "lib")})
    assert result.returncode == 0
    assert "does not load: ran unprofiled" in result.stderr


def test_a_library_directory_that_cannot_be_preloaded_is_refused(assay, libdir, tmp_path):
    (tmp_path / "a b").mkdir()
    shutil.copy(libdir / "libassay-preload.so", tmp_path / "a b")
    sentence = one_sentence(assay("run", "-c", "pass", cwd=tmp_path, env={"ASSAY_LIBDIR": str(tmp_path / "a b")}))
    assert "space or colon" in sentence
    one_sentence(assay("run", "-c", "pass", cwd=tmp_path, env={"ASSAY_LIBDIR": str(tmp_path / "none")}))


# ---- which interpreter ----


def test_the_interpreter_of_the_virtual_environment_comes_before_the_one_on_path(assay, python, tmp_path):
    for name in ("venv/bin", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "venv/bin/python").write_text(f'#!/bin/sh\nexec "{python}" -c "print(1)"\n')
    (tmp_path / "bin/python3").write_text(f'#!/bin/sh\nexec "{python}" -c "print(2)"\n')
    for file in ("venv/bin/python", "bin/python3"):
        (tmp_path / file).chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "VIRTUAL_ENV": str(tmp_path / "venv")}
    assert assay("run", "-q", "-c", "pass", cwd=tmp_path, env=env).stdout == "1\n"
    env["VIRTUAL_ENV"] = ""
    assert assay("run", "-q", "-c", "pass", cwd=tmp_path, env=env).stdout == "2\n"


def test_the_interpreter_beside_the_program_comes_first(assay, python, tmp_path):
    shutil.copy(assay.path, tmp_path / "assay")
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec "{python}" -c "print(3)"\n')
    (tmp_path / "python3").chmod(0o755)
    result = subprocess.run(
        [tmp_path / "assay", "run", "-q", "-c", "pass"],
        cwd=tmp_path,
        env=assay.environ({"VIRTUAL_ENV": "/nosuch"}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout == "3\n"


# ---- the recording ----


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["x.py"], "x.assay"),
        (["./sub/y.z.py"], "y.z.assay"),
        (["-m", "sub.mod"], "mod.assay"),
        (["-c", "pass"], "python.assay"),
        (["-o", "other", "x.py"], "other"),
        (["-oother", "x.py"], "other"),
        (["sub/"], "sub.assay"),
    ],
)
def test_the_recording_is_named_after_what_ran(assay, python, tmp_path, arguments, name):
    (tmp_path / "sub").mkdir()
    for file in ("x.py", "sub/y.z.py", "sub/mod.py", "sub/__main__.py"):
        (tmp_path / file).write_text("")
    before = set(tmp_path.rglob("*"))
    result = assay("run", "--python", python, *arguments, cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert result.returncode == 0
    assert {p.relative_to(tmp_path).as_posix() for p in set(tmp_path.rglob("*")) - before} == {name}


def test_the_recording_before_is_kept(assay, python, tmp_path):
    (tmp_path / "x.py").write_text("import sys; print(sys.argv)")
    assay("run", "--python", python, "x.py", "1", cwd=tmp_path)
    first = (tmp_path / "x.assay").read_bytes()
    assay("run", "--python", python, "x.py", "2", cwd=tmp_path)
    second = (tmp_path / "x.assay").read_bytes()
    assert (tmp_path / "x.old.assay").read_bytes() == first
    assert second != first
    assay("run", "--python", python, "x.py", "3", cwd=tmp_path)
    assert (tmp_path / "x.old.assay").read_bytes() == second


@pytest.mark.parametrize(("name", "old"), [("a.assay", "a.old.assay"), ("a", "a.old")])
def test_the_recording_before_is_kept_where_it_was_named_too(assay, python, tmp_path, name, old):
    assay("run", "-o", name, "--python", python, "-c", "1", cwd=tmp_path)
    first = (tmp_path / name).read_bytes()
    assert first.startswith(MAGIC)
    assert assay("run", "-q", "-o", name, "--python", python, "-c", "2", cwd=tmp_path).stderr == ""
    assert (tmp_path / old).read_bytes() == first
    assert {p.name for p in tmp_path.iterdir()} == {name, old}


@pytest.mark.parametrize("options", [[], ["-o", "x.assay"]], ids=["by default", "-o"])
@pytest.mark.parametrize("taken", ["x.assay", "x.old.assay"])
def test_a_file_that_is_no_recording_is_left_alone(assay, tmp_path, options, taken):
    (tmp_path / "x.py").write_text("open('started', 'w')")
    (tmp_path / "x.assay").write_bytes(MAGIC)
    (tmp_path / taken).write_text("precious")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    assert f"{taken} is there and is no recording" in one_sentence(assay("run", *options, "x.py", cwd=tmp_path))
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_script_is_not_written_over_by_its_own_recording(assay, tmp_path):
    """`assay run -o x.py` forgot the name."""
    (tmp_path / "x.py").write_text("pass")
    one_sentence(assay("run", "-o", "x.py", "x.py", cwd=tmp_path))
    assert (tmp_path / "x.py").read_text() == "pass"


def test_a_file_behind_a_link_is_left_alone(assay, tmp_path):
    (tmp_path / "kept").write_bytes(MAGIC + b"before")
    (tmp_path / "link").symlink_to("kept")
    one_sentence(assay("run", "-o", "link", "-c", "pass", cwd=tmp_path))
    assert (tmp_path / "kept").read_bytes() == MAGIC + b"before"
    assert (tmp_path / "link").is_symlink()


def test_an_empty_file_is_taken(assay, python, tmp_path):
    """`mktemp` makes one."""
    (tmp_path / "made").touch()
    assert assay("run", "-o", "made", "--python", python, "-c", "pass", cwd=tmp_path).returncode == 0
    assert (tmp_path / "made").read_bytes().startswith(MAGIC)


def test_the_recording_stays_where_the_run_began(assay, python, tmp_path):
    (tmp_path / "x.py").write_text("import os; os.mkdir('d'); os.chdir('d')")
    assert assay("run", "--python", python, "x.py", cwd=tmp_path).returncode == 0
    assert (tmp_path / "x.assay").exists()


def test_a_file_size_limit_set_before_is_no_obstacle(assay, python, tmp_path):
    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    code = "with open('large', 'wb') as f: f.write(bytes(8192))"
    process = assay.start("run", "-q", "--python", python, "-c", code, cwd=tmp_path, stderr=-1, preexec_fn=before)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "File too large" in err
    assert assay("report", "python.assay", cwd=tmp_path).returncode == 0


def test_a_hard_file_size_limit_makes_the_memory_smaller(assay, python, tmp_path):
    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))

    process = assay.start(
        *("run", "--python", python, "-c", "print(1)"), cwd=tmp_path, stdout=-1, stderr=-1, preexec_fn=before
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "1\n"), err
    assert "unprofiled" not in err


def test_quiet_says_nothing(assay, python, tmp_path):
    result = assay("run", "--quiet", "--python", python, "-c", "pass", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_summary_goes_to_stderr(assay, python, tmp_path):
    result = assay("run", "--python", python, "-c", "print('mine')", cwd=tmp_path)
    assert result.stdout == "mine\n"
    assert "python.assay" in result.stderr
    assert len(result.stderr.splitlines()) <= 25


COUNTED = """
import time
def leaf():
    len(())
for _ in range(1000):
    leaf()
time.sleep(0.02)
"""


def test_without_c_calls_python_functions_alone_are_counted_and_it_is_said(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(COUNTED)
    result = assay("run", "--no-c-calls", "--python", python, "x.py", cwd=tmp_path)
    assert result.returncode == 0
    assert "C calls left out" in result.stderr
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("leaf") == 1000
    assert {f["kind"] for f in recording.data["functions"]} <= {"python", "phase"}
    assert [p["c_calls"] for p in recording.data["processes"]] == [False]
    # What it waited for in C is its caller's.
    assert recording.functions("<module>")[0]["wait_ns"] > 10_000_000
    assert "C calls were not counted" in assay("report", "x.assay", cwd=tmp_path).stdout


def test_without_c_calls_a_sleep_is_its_caller_s_waiting(assay, python, tmp_path):
    (tmp_path / "x.py").write_text("import time\ndef nap():\n  time.sleep(0.3)\nnap()\n")
    result = assay("run", "--no-c-calls", "--python", python, "x.py", cwd=tmp_path)
    answer = result.stderr.splitlines()[0]
    assert "nap" in answer and "waiting" in answer
    # Whether it waited for the GIL is not known.
    assert "in C or for the GIL" in result.stderr and "scheduler" not in result.stderr


def test_c_calls_are_counted_unless_they_are_left_out(assay, python, tmp_path):
    (tmp_path / "x.py").write_text(COUNTED)
    result = assay("run", "--python", python, "x.py", cwd=tmp_path)
    assert "C calls" not in result.stderr
    recording = read(assay, tmp_path / "x.assay")
    assert recording.calls("len") == 1000
    assert [p["c_calls"] for p in recording.data["processes"]] == [True]
    assert "C calls" not in assay("report", "x.assay", cwd=tmp_path).stdout
