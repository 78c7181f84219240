"""Programs that do at the wrong moment what they may do at any: the agent neither ends them nor changes what they see."""

import signal
import subprocess
import textwrap

import pytest

LEGACY = """
import sys
try:
    import _interpreters as s
except ImportError:
    import _xxsubinterpreters as s
i = s.create("legacy") if sys.version_info >= (3, 13) else s.create(isolated=False)
"""


@pytest.fixture
def inside(python, libdir, tmp_path):
    def inside(source, status=0):
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(source))
        done = subprocess.run(
            [python, script],
            env={"PYTHONPATH": str(libdir.parent), "ASSAY_LIBDIR": str(libdir)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, (done.returncode, done.stderr)
        return done.stdout

    return inside


def test_import_in_a_sub_interpreter_leaves_the_main_one_alone(inside):
    inside(
        LEGACY
        + textwrap.dedent(
            """
            import assay
            said = "try:\\n import assay\\nexcept ImportError: pass"
            s.run_string(i, said) if sys.version_info < (3, 13) else s.exec(i, said)
            with assay.profile() as p, assay.tag(a="b"):
                sorted([])
            names = {n.function.name for t in p.recording.threads for n in t if n.function}
            assert {"a=b", "sorted"} <= names, names
            """
        )
    )


def test_profile_that_an_exception_drops_loses_no_exception(inside):
    inside(
        """
        import assay
        def f():
            [assay.profile().__enter__(), 1 / 0]
        for _ in range(3):
            try:
                f()
            except ZeroDivisionError:
                continue
            raise SystemExit("the exception is gone")
        """
    )


def test_tag_that_ends_below_very_many_others(inside):
    inside(
        """
        import assay
        tags = [assay.tag(i=0) for _ in range(300_000)]
        for t in tags:
            t.__enter__()
        tags[0].__exit__(None, None, None)
        tags[-1].__exit__(None, None, None)
        """
    )
