"""The summary's answer, for programs whose truth is known."""

from __future__ import annotations

from pathlib import Path


def test_what_an_idle_program_awaits_is_named(assay, python, tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(
        "import asyncio\n"
        "async def query():\n    await asyncio.sleep(0.4)\n"
        "async def endpoint():\n    await query()\n"
        "asyncio.run(endpoint())\n"
    )
    done = assay("run", "--python", python, script, cwd=tmp_path)
    answer = " ".join(done.stderr.split("  wall")[0].split())
    assert "and query (service.py:2) awaited for" in answer, done.stderr


def test_functions_of_a_library_on_a_path_are_named_by_their_module(assay, python, tmp_path: Path) -> None:
    package = tmp_path / "lib" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import time\ndef slow():\n    time.sleep(0.2)\n")
    work = tmp_path / "work"
    work.mkdir()
    script = work / "job.py"
    script.write_text("import shop, json\ndef main():\n    shop.slow()\nmain()\n")
    done = assay("run", "--python", python, script, cwd=work, env={"PYTHONPATH": str(tmp_path / "lib")})
    assert "shop.slow" in done.stderr and "lib.shop" not in done.stderr, done.stderr


def test_files_are_found_by_the_name_that_narrow_tables_show(assay, python, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "__init__.py").write_text("")
    (tmp_path / "inner" / "store.py").write_text("def put():\n    pass\n")
    script = tmp_path / "job.py"
    script.write_text("from inner import store\nstore.put()\n")
    assay("run", "-q", "-o", "job.assay", "--python", python, script, cwd=tmp_path)
    done = assay("report", "job.assay", "--only", "store.py:1*", cwd=tmp_path)
    assert done.returncode == 0 and "put" in done.stdout, done.stderr
