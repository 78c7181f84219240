"""A program sees the same process under `assay run` as without it."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest
from building import compile_c, embed
from recordings import read

PROBE = Path(__file__).with_name("probe.py")


class Pair:
    """Runs the same command line with and without assay, in the same directory and environment."""

    def __init__(self, assay, python, cwd: Path):
        self.assay, self.python, self.cwd = assay, python, cwd

    def run(self, *args, env=None, input=b"", preexec_fn=None, close_fds=True):
        """The two results; assay's own summary is off."""
        commands = ([self.python, *args], [self.assay.path, "run", "-q", "--python", self.python, *args])
        return [
            subprocess.run(
                [os.fspath(part) for part in command],
                cwd=self.cwd,
                env=self.assay.environ(env),
                input=input,
                capture_output=True,
                timeout=60,
                preexec_fn=preexec_fn,
                close_fds=close_fds,
            )
            for command in commands
        ]

    def same(self, *args, **kwargs) -> subprocess.CompletedProcess[bytes]:
        without, with_assay = self.run(*args, **kwargs)
        assert with_assay.stdout == without.stdout
        assert with_assay.stderr == without.stderr
        assert with_assay.returncode == without.returncode
        return with_assay

    def same_view(self, *args, **kwargs) -> dict:
        """As `same`, for command lines that run the probe; differences are shown by name."""
        without, with_assay = self.run(*args, **kwargs)
        assert without.returncode == 0, without.stderr
        assert with_assay.returncode == 0, with_assay.stderr
        assert json.loads(with_assay.stdout) == json.loads(without.stdout)
        assert with_assay.stderr == without.stderr
        return json.loads(with_assay.stdout)


@pytest.fixture
def pair(assay, python, tmp_path) -> Pair:
    return Pair(assay, python, tmp_path)


OPTIONS = [
    [],
    ["-I"],
    ["-S"],
    ["-E"],
    ["-I", "-S", "-E"],
    ["-ISE"],
    ["-X", "frozen_modules=off"],
    ["-Xfrozen_modules=off"],
    ["-X", "dev"],
    ["-W", "error"],
    ["-Werror::DeprecationWarning"],
    ["-u"],
    ["-OO"],
    ["-B"],
    ["-s", "-P"],
    ["--check-hash-based-pycs", "never"],
    ["-X", "utf8=0", "-bb", "-v", "-q"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_a_script_sees_the_same_process_under_any_of_pythons_options(pair, options):
    if "-v" in options:  # says where each module came from and what it frees at the end: only stdout can be compared
        without, with_assay = pair.run(*options, PROBE, "a", "-x", "--calls")
        assert json.loads(with_assay.stdout) == json.loads(without.stdout)
    else:
        view = pair.same_view(*options, PROBE, "a", "-x", "--calls", "")
        assert view["argv"] == [str(PROBE), "a", "-x", "--calls", ""]


def test_a_module_sees_the_same_process(pair):
    shutil.copy(PROBE, pair.cwd / "probing.py")
    assert pair.same_view("-m", "probing", "-m", "x")["argv"][1:] == ["-m", "x"]


def test_a_module_glued_to_its_option_is_run(pair):
    shutil.copy(PROBE, pair.cwd / "probing.py")
    assert pair.same_view("-Bmprobing", "y")["argv"][1:] == ["y"]


def test_code_sees_the_same_process(pair):
    assert pair.same_view("-c", PROBE.read_text(), "-c", "z")["argv"] == ["-c", "-c", "z"]


def test_a_program_on_stdin_sees_the_same_process(pair):
    pair.same_view("-", "one", input=PROBE.read_bytes())


def test_a_directory_and_a_zip_file_are_run(pair):
    (pair.cwd / "app").mkdir()
    shutil.copy(PROBE, pair.cwd / "app" / "__main__.py")
    pair.same_view("app")
    with zipfile.ZipFile(pair.cwd / "app.zip", "w") as z:
        z.write(PROBE, "__main__.py")
    pair.same_view("app.zip", "x")


def test_a_relative_script_sees_the_same_path(pair):
    (pair.cwd / "sub").mkdir()
    shutil.copy(PROBE, pair.cwd / "sub" / "p.py")
    pair.same_view("sub/p.py")


def test_a_users_sitecustomize_runs_and_sees_nothing_of_ours(pair):
    (pair.cwd / "site").mkdir()
    (pair.cwd / "site" / "sitecustomize.py").write_text(
        "import os, sys\n"
        "sys.from_site = sorted(os.environ)\n"
        "print('sitecustomize', sys.from_site, sorted(sys.modules))\n"
    )
    out = pair.same("-c", "import sys; print(sys.from_site)", env={"PYTHONPATH": str(pair.cwd / "site")})
    assert b"sitecustomize" in out.stdout


def preload_of_the_users() -> str:
    for path in (*Path("/lib").glob("*-linux-gnu/libm.so.6"), Path("/lib64/libm.so.6"), Path("/usr/lib/libm.so.6")):
        if path.exists():
            return str(path)
    pytest.fail("no libm.so.6 to preload")


def test_a_users_own_preload_is_loaded_and_all_that_is_seen(pair):
    own = preload_of_the_users()
    view = pair.same_view(PROBE, env={"LD_PRELOAD": own})
    assert dict(view["environ"])["LD_PRELOAD"] == own


def test_stdin_reaches_the_program_byte_for_byte(pair):
    data = bytes(range(256)) * 1000
    out = pair.same("-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", input=data)
    assert out.stdout == data[::-1]


def test_inherited_masks_dispositions_umask_and_descriptors_are_kept(pair):
    read, write = os.pipe()

    def before() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGCHLD, signal.SIGTERM})
        for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.umask(0o027)
        os.set_inheritable(write, True)

    try:
        view = pair.same_view(PROBE, preexec_fn=before, close_fds=False)
    finally:
        os.close(read)
        os.close(write)
    assert view["status"]["Umask"] == "0027"
    assert str(write) in view["descriptors"]


def test_closed_standard_descriptors_stay_closed(pair):
    code = "import os; open('seen', 'w').write(str([os.path.exists(f'/proc/self/fd/{n}') for n in range(4)]))"
    seen = []
    for command in ([pair.python], [pair.assay.path, "run", "--python", pair.python]):
        command = [os.fspath(part) for part in command] + ["-c", code]
        subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
            cwd=pair.cwd,
            env=pair.assay.environ(),
            timeout=60,
        )
        seen.append((pair.cwd / "seen").read_text())
    assert seen[0] == seen[1]


def test_limits_are_those_that_were_given(pair):
    import resource

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 24))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))

    view = pair.same_view(PROBE, preexec_fn=before)
    assert view["limits"]["RLIMIT_FSIZE"] == [1 << 20, 1 << 24]


def test_a_virtual_environment_is_seen(assay, python, tmp_path):
    subprocess.run([os.fspath(python), "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=60)
    pair = Pair(assay, tmp_path / "venv" / "bin" / "python", tmp_path)
    assert pair.same_view(PROBE)["executable"][1] == str(tmp_path / "venv")


def test_a_symlinked_interpreter_keeps_its_name(assay, python, tmp_path):
    (tmp_path / "snake").symlink_to(python)
    pair = Pair(assay, tmp_path / "snake", tmp_path)
    assert pair.same_view(PROBE)["executable"][0] == str(tmp_path / "snake")


ENDS = {
    "zero": "pass",
    "three": "raise SystemExit(3)",
    "text": "import sys; sys.exit('text')",
    "none": "import sys; sys.exit(None)",
    "large": "import sys; sys.exit(300)",
    "exception": "def f():\n  1/0\nf()",
    "quick": "import os; os._exit(7)",
    "thread exits": "import threading, sys\nt = threading.Thread(target=lambda: sys.exit(5))\n"
    "t.start(); t.join(); sys.exit(6)",
    "interrupted": "raise KeyboardInterrupt",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "SIGSEGV": "import os; os.kill(os.getpid(), 11)",
    "SIGINT": "import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)",
    "SIGUSR1": "import os; os.kill(os.getpid(), 10)",
    "abort": "import os; os.abort()",
    "SIGPIPE": "import os, signal; signal.signal(13, signal.SIG_DFL); os.kill(os.getpid(), 13)",
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_the_program_ends_as_without_us(pair, code):
    pair.same("-c", code)


def test_ends_are_told_apart(pair):
    """The comparison above would pass if both sides always ended alike."""
    assert pair.same("-c", ENDS["three"]).returncode == 3
    assert pair.same("-c", ENDS["SIGKILL"]).returncode == -9
    assert pair.same("-c", ENDS["interrupted"]).returncode == -signal.SIGINT


def test_a_recording_is_the_only_file_that_is_left(pair):
    pair.same("-c", "import os; print(sorted(os.listdir('.')) == [] or sorted(os.listdir('.')) == ['python.assay'])")
    assert sorted(p.name for p in pair.cwd.iterdir()) == ["python.assay"]


# ---- children of the program ----


def test_a_child_python_sees_the_same_process(pair):
    pair.same_view("-c", "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])", PROBE)


def test_a_child_by_subprocess_sees_the_same_environment(pair):
    code = (
        "import subprocess, sys, os\n"
        "show = [sys.executable, '-c', 'import os; print(list(os.environ.items()))']\n"
        "subprocess.run(show); subprocess.run(show, env={'A': '1'})\n"
        "subprocess.run(show, env=dict(os.environ, B='2'))\n"
        "sys.stdout.flush()\n"
        "os.posix_spawn(show[0], show, os.environ); os.wait()\n"
    )
    pair.same("-c", code)


IN_SUBINTERPRETER = """
import os, sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters
interpreters.run_string(interpreters.create(), "import os; inside = list(os.environ.items()); print('sub', inside)")
print("main", list(os.environ.items()))
"""


def line_of(who: bytes, out: bytes) -> bytes:
    """What one interpreter printed: each has a buffer of its own, and either may come first."""
    (line,) = [line for line in out.splitlines() if line.startswith(who + b" ")]
    return line


def test_a_subinterpreter_leaves_the_environment_of_the_main_one_as_it_was(pair):
    without, with_assay = pair.run("-c", IN_SUBINTERPRETER)
    assert (with_assay.returncode, with_assay.stderr) == (without.returncode, without.stderr)
    assert line_of(b"main", with_assay.stdout) == line_of(b"main", without.stdout)


def test_a_subinterpreter_sees_the_same_environment_but_for_what_is_documented(pair):
    """From 3.13 on it sees our two variables (docs/semantics.md), and nothing else is different."""
    without, with_assay = pair.run("-c", IN_SUBINTERPRETER)
    plain, seen = (dict(ast.literal_eval(line_of(b"sub", r.stdout)[4:].decode())) for r in (without, with_assay))
    ours = {"LD_PRELOAD", "ASSAY_SESSION"} if pair.python.minor >= 13 else set()
    assert seen.keys() - plain.keys() == ours
    assert {key: value for key, value in seen.items() if key not in ours} == plain


CHILDREN = {
    "inherited": "subprocess.run(child)",
    "own environment": "subprocess.run(child, env=dict(os.environ, A='1'))",
    "empty environment": "subprocess.run(child, env={})",
    "system": "os.system(' '.join(child[:2]) + ' pass')",
    "spawn": "os.posix_spawn(child[0], child, {}); os.wait()",
    "exec": "os.execv(child[0], child)",
    "from a shell": "subprocess.run(['sh', '-c', ' '.join(child[:2]) + ' pass; :'])",
}


@pytest.mark.parametrize("start", CHILDREN.values(), ids=CHILDREN)
def test_a_python_that_the_program_starts_is_measured_however_it_starts(pair, start):
    code = f"import os, subprocess, sys\nchild = [sys.executable, '-c', 'pass']\n{start}"
    result = pair.assay("run", "-o", "x.assay", "--python", pair.python, "-c", code, cwd=pair.cwd)
    assert result.returncode == 0
    commands = [each["command"] for each in read(pair.assay, pair.cwd / "x.assay").data["processes"]]
    assert len(commands) == 2
    assert commands[1].endswith(" -c pass")


SHOW_ENVIRONMENT = """
#include <stdio.h>
extern char **environ;
int main(void) { for (char **e = environ; *e; e++) puts(*e); return 0; }
"""


STARTS = {
    "system": "os.system('exec ./child')",
    "subprocess": "subprocess.run(['./child'])",
    "subprocess by name": "os.environ['PATH'] = '.:/bin'; subprocess.run(['child'])",
    "fork": "subprocess.run(['./child'], preexec_fn=lambda: None)",
    "spawn": "os.posix_spawn('./child', ['child'], os.environ); os.wait()",
    "spawnp": "os.environ['PATH'] = '.:/bin'; os.posix_spawnp('child', ['child'], os.environ); os.wait()",
    "execv": "os.execv('./child', ['child'])",
    "execvp": "os.environ['PATH'] = '.:/bin'; os.execvp('child', ['child'])",
    "descriptor": "fd = os.open('./child', os.O_RDONLY); os.execve(fd, ['child'], os.environ)",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_static_child_gets_an_environment_without_us(pair, start):
    compile_c(pair.cwd / "child", SHOW_ENVIRONMENT, "-static")
    pair.same("-c", f"import os, subprocess\n{start}")


@pytest.mark.parametrize("start", [STARTS["system"], STARTS["subprocess by name"], STARTS["spawnp"]])
def test_a_script_of_a_static_interpreter_gets_an_environment_without_us(pair, start):
    compile_c(pair.cwd / "interpreter", SHOW_ENVIRONMENT, "-static")
    (pair.cwd / "child").write_text(f"#!{pair.cwd / 'interpreter'}\n")
    (pair.cwd / "child").chmod(0o755)
    pair.same("-c", f"import os, subprocess\n{start}")


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_child_that_can_load_us_sees_the_same_environment(pair, start):
    compile_c(pair.cwd / "child", SHOW_ENVIRONMENT)
    pair.same("-c", f"import os, subprocess\n{start}")


def test_a_child_with_an_environment_of_its_own_sees_just_that(pair):
    compile_c(pair.cwd / "child", SHOW_ENVIRONMENT)
    out = pair.same(
        "-c",
        "import os, subprocess\n"
        "subprocess.run(['./child'], env={})\n"
        "subprocess.run(['./child'], env={'A': '1', 'LD_PRELOAD': ''})\n"
        "subprocess.run(['./child'], env={'A': '1', 'LD_PRELOAD': 'libm.so.6'})\n",
    )
    assert out.stdout == b"A=1\nLD_PRELOAD=\nA=1\nLD_PRELOAD=libm.so.6\n"


def test_a_child_that_can_load_us_hands_the_session_on(pair):
    """To Pythons further down; whatever environment they are given on the way."""
    code = "import subprocess, sys; subprocess.run(['env', '-i', 'sh', '-c', sys.executable + ' -c pass; :'], env={})"
    result = pair.assay("run", "-o", "x.assay", "--python", pair.python, "-c", code, cwd=pair.cwd)
    assert result.returncode == 0
    assert len(read(pair.assay, pair.cwd / "x.assay").data["processes"]) == 2


def test_a_child_with_address_sanitizer_starts(pair):
    compile_c(pair.cwd / "child", "int main(void) { return 42; }", "-fsanitize=address")
    out = pair.same("-c", "import subprocess, sys; sys.exit(subprocess.run(['./child']).returncode)")
    assert out.returncode == 42


def test_a_set_user_id_child_gets_an_environment_without_us(pair):
    compile_c(pair.cwd / "child", SHOW_ENVIRONMENT)
    (pair.cwd / "child").chmod(0o4755)
    pair.same("-c", "import subprocess; subprocess.run(['./child'])")


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_a_child_behind_a_chroot_hears_nothing_of_the_loader(pair):
    root = pair.cwd / "root"
    compile_c(pair.cwd / "child", '#include <unistd.h>\nint main(void) { return write(1, "here\\n", 5) != 5; }')
    listing = subprocess.run(["ldd", pair.cwd / "child"], capture_output=True, text=True, check=True).stdout
    for word in listing.split():
        if word.startswith("/"):
            (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, root / word[1:])
    shutil.copy(pair.cwd / "child", root / "child")
    out = pair.same(
        "-c",
        f"import subprocess; subprocess.run(['/child'], preexec_fn=lambda: __import__('os').chroot({str(root)!r}))",
    )
    assert out.stdout == b"here\n"


# ---- embedding ----

EMBEDDING = """
#include <Python.h>
#include <stdio.h>
int main(void)
{
    for (int i = 0; i < 3; i++) {
        Py_InitializeEx(1);
        if (PyRun_SimpleString("import os, sys, time\\n"
                               "print([k for k in os.environ if 'ASSAY_S' in k or 'PRELOAD' in k])\\n"
                               "print(len(sys.modules) > 9)"))
            return 1;
        PyThreadState *own = PyThreadState_Get(), *sub = Py_NewInterpreter();
        if (sub == NULL ||
            PyRun_SimpleString("import os, sys\\n"
                               "print(sys.version_info < (3, 13) and [k for k in os.environ if 'ASSAY_S' in k])"))
            return 2;
        Py_EndInterpreter(sub);
        PyThreadState_Swap(own);
        if (Py_FinalizeEx() != 0)
            return 3;
    }
    return 40;
}
"""


@pytest.fixture
def embedding(python, tmp_path) -> Path:
    """A C program with this Python in it, that initialises it three times.

    From 3.13 on a sub-interpreter sees our variables in os.environ: docs/semantics.md.
    """
    embed(python, tmp_path / "embedding", EMBEDDING)
    return tmp_path / "embedding"


def test_an_embedding_program_that_initialises_again_runs_as_without_us(assay, embedding, tmp_path):
    without = subprocess.run([embedding], capture_output=True, text=True, timeout=60)
    result = assay("run", "--", "./embedding", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (without.returncode, without.stdout) == (40, without.stdout)
    assert without.stdout.count("\n") == 9
    assert "1 process" in result.stderr
