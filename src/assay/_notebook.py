"""`%load_ext assay`: %assay and %%assay, and %prun and %%prun on our engine.

IPython is whoever loads this; nothing of it is imported but its pager, when something is paged.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from sys import stdout
from typing import Any

from . import _program, profile

Namespace = dict[str, Any]
WIDTH_OF_PAGES = 100  # columns, where there is no terminal to ask


class Options:
    """The options before a statement, as IPython reads them, and the rest of the line.

    A letter in `letters` that a colon follows takes a value; each may be given again and again.
    """

    def __init__(self, shell: Any, line: str, letters: str) -> None:
        magics = shell.magics_manager.registry["ExecutionMagics"]
        self.given, self.rest = magics.parse_options(line, letters, list_all=True, posix=False)

    def __contains__(self, letter: str) -> bool:
        return letter in self.given

    def values(self, letter: str) -> list[str]:
        """All that were given, without quotes around them."""
        return [unquoted(value) for value in self.given.get(letter, [])]

    def last(self, letter: str) -> str | None:
        return next(reversed(self.values(letter)), None)


def unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value


def source_of(options: Options, cell: str | None) -> str:
    """The statement of the line, and below it the cell."""
    return str(options.rest) if cell is None else f"{options.rest}\n{cell}"


# ---- %assay ----


class Code:
    """A piece of source, compiled as IPython compiles a cell; its last expression has a value."""

    def __init__(self, shell: Any, source: str) -> None:
        source = shell.transform_cell(source)
        self.name: str = shell.compile.cache(source, shell.execution_count)
        tree = shell.transform_ast(ast.parse(source, self.name))
        self.body = self.value = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
            self.value = compile(last, self.name, "eval", shell.compile.flags, True)
        self.body = compile(tree, self.name, "exec", shell.compile.flags, True) if tree.body else None

    def run(self, namespace: Namespace, measured: profile) -> Any:
        """The value, or None. One frame of ours, of which the recording has next to nothing."""
        with measured:
            if self.body is not None:
                exec(self.body, namespace)
            return eval(self.value, namespace) if self.value is not None else None


def width() -> int:
    return get_terminal_size((WIDTH_OF_PAGES, 24)).columns if stdout.isatty() else WIDTH_OF_PAGES


def tell(shell: Any, measured: profile, options: Options) -> None:
    """Keep the recording where that was asked for, and show the summary as a page of text."""
    name, limit = options.last("o"), options.last("l")
    saved = None if name is None else str(Path(name).expanduser())
    if saved is not None:
        measured.save(saved)
    try:
        rows = () if limit is None else ("--limit", limit)
        text = _program.report(saved or measured.bytes(), "--summary", *rows, columns=width())
    except _program.NoProgram as problem:
        text = f"assay: no summary: {problem}\n"
    shell.display_pub.publish(data={"text/plain": text.rstrip("\n")})


def assay_magic(shell: Any) -> Callable[[str, str | None], Any]:
    def assay(line: str, cell: str | None = None) -> Any:
        """Run a statement or a cell, count and time its calls, and say where the time went.

        %assay [options] statement
        %%assay [options] [statement]
        code …

        -o FILE   keep the recording, for `assay report FILE`
        -l LIMIT  this many functions; otherwise 8; 0: all
        -r        return the profile (profile.recording has the numbers) in place of the last expression's value
        """
        options = Options(shell, line, "o:l:r")
        limit = options.last("l")
        if limit is not None and not limit.isdigit():
            raise ValueError(f"-l takes a number, not {limit}")
        code = Code(shell, source_of(options, cell))
        measured, namespace = profile(), shell.user_ns
        try:
            value = code.run(namespace, measured)
        finally:
            tell(shell, measured, options)
        return measured if "r" in options else value

    return assay


# ---- %prun ----


def limits(given: list[str]) -> list[int | float | str]:
    """As pstats takes them: how many lines, what fraction, or a pattern."""

    def one(text: str) -> int | float | str:
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
        return text

    return [one(text) for text in given]


def table(stats: Any, restrictions: list[int | float | str]) -> str:
    stream, page = stats.stream, StringIO()
    stats.stream = page
    try:
        stats.print_stats(*restrictions)
    finally:
        stats.stream = stream
    return page.getvalue().rstrip()


def prun_magic(shell: Any) -> Callable[[str, str | None], Any]:
    def prun(line: str, cell: str | None = None) -> Any:
        """Run a statement or a cell under assay's cProfile, and page its table.

        %prun [options] statement
        %%prun [options] [statement]
        code …

        -l LIMIT  lines of the table: how many, what fraction of them, or a pattern; again and again
        -s KEY    sort by it (time, cumulative, calls, …); again for the next one; otherwise time
        -T FILE   the table as text into a file
        -D FILE   the counts into a file, for pstats
        -r        return the pstats.Stats
        -q        no table
        """
        options = Options(shell, line, "D:l:rs:T:q")
        stats, note = prun_stats(shell, shell.transform_cell(source_of(options, cell)), options)
        text = table(stats, limits(options.values("l")))
        if "q" not in options:
            import_module("IPython.core.page").page(text)
        print(note, end=" ")
        keep(stats, text, options, note)
        return stats if "r" in options else None

    return prun


def prun_stats(shell: Any, source: str, options: Options) -> tuple[Any, str]:
    """What was counted, sorted, and a remark if the code ended by SystemExit."""
    from pstats import Stats

    from .dropin.cProfile import Profile

    profiler, note = Profile(), ""
    try:
        profiler.runctx(source, shell.user_ns, shell.user_ns)
    except SystemExit:
        note = "*** SystemExit exception caught in code being profiled."
    stats = Stats(profiler)  # type: ignore[arg-type] # as cProfile's
    return stats.strip_dirs().sort_stats(*(options.values("s") or ["time"])), note


def keep(stats: Any, text: str, options: Options, note: str) -> None:
    """The files that were asked for."""
    counts, page = options.last("D"), options.last("T")
    if counts:
        stats.dump_stats(counts)
        print(f"\n*** Profile stats marshalled to file {counts!r}.{note}")
    if page:
        Path(page).write_text(text)
        print(f"\n*** Profile printout saved to text file {page!r}.{note}")


# ---- loading ----


def load(shell: Any) -> None:
    """Give an IPython shell our magics."""
    for name, make in (("assay", assay_magic), ("prun", prun_magic)):
        magic = make(shell)
        magic._ipython_magic_no_var_expand = True  # type: ignore[attr-defined] # braces and $ are the code's own
        shell.register_magic_function(magic, magic_kind="line_cell", magic_name=name)
