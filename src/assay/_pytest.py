"""The pytest plugin behind --assay: one recording of the session, in each process that runs tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pytest import Config, TerminalReporter, UsageError, hookimpl

from . import _program, profile, tag

ROWS = 10  # functions in the terminal summary


def place(config: Config) -> Path:
    """Where the recording goes: of a worker of pytest-xdist, with its name in it. Raises: UsageError."""
    named = config.getoption("--assay")
    path = Path(config.invocation_params.dir, named)
    if path.is_dir() or path.suffix == ".py" or "::" in named:
        raise UsageError(f"--assay={named} would be the recording: to choose tests too, name it, or put --assay last")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--assay: cannot write {path}: its directory is not there, or not to be written to")
    worker = getattr(config, "workerinput", {}).get("workerid")
    return path if worker is None else path.with_name(f"{path.stem}.{worker}{path.suffix}")


def distributes(config: Config) -> bool:
    """Workers run the tests, not this process."""
    return not hasattr(config, "workerinput") and getattr(config.option, "dist", "no") != "no"


def register(config: Config) -> None:
    path = place(config)
    if distributes(config):
        config.pluginmanager.register(Workers(), "assay-workers")
        return
    try:
        measured = profile()
    except ImportError as problem:
        raise UsageError(f"--assay: {problem}") from None
    config.pluginmanager.register(Session(config, path, measured), "assay-session")


def shown(path: Path) -> str:
    """As somebody would name it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Session:
    """Measures from the session's start to its end."""

    def __init__(self, config: Config, path: Path, measured: profile) -> None:
        self.config, self.path, self.profile = config, path, measured
        self.test: tag | None = None  # that runs
        self.problem: Exception | None = None

    @hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        try:
            self.profile.__enter__()
        except RuntimeError as problem:
            raise UsageError(f"--assay: {problem}") from None

    # Not around a yield, where a tag would leave with the generator.
    @hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.test_ends()
        self.test = tag(test=nodeid)
        self.test.__enter__()

    @hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        self.test_ends()

    def test_ends(self) -> None:
        if self.test is not None:
            self.test.__exit__(None, None, None)
            self.test = None

    @hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if not self.profile.running:
            return
        self.test_ends()
        self.profile.__exit__(None, None, None)
        try:
            if self.path.exists():
                self.path.replace(self.path.with_name(f"{self.path.stem}.old{self.path.suffix}"))
            self.profile.save(self.path)
        except (OSError, RuntimeError) as problem:
            self.problem = problem
        told = getattr(self.config, "workeroutput", None)
        if told is not None:
            told["assay"] = shown(self.path) if self.problem is None else f"no recording: {self.problem}"

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self.problem is not None:
            terminalreporter.write_line(f"assay: no recording: {self.problem}", yellow=True)
            return
        terminalreporter.section("assay")
        terminalreporter.write_line(f"recording: {shown(self.path)}")
        terminalreporter.write(page(shown(self.path), terminalreporter))


def page(path: str, reporter: TerminalReporter) -> str:
    try:
        return _program.report(path, "--summary", "--limit", str(ROWS), columns=reporter._tw.fullwidth)
    except _program.NoProgram as problem:
        return f"no summary: {problem}\n"


class Workers:
    """Where the workers of pytest-xdist left theirs."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        told = getattr(node, "workeroutput", {}).get("assay")
        self.told.append(f"{node.gateway.id}: {told or 'no recording: it was killed'}")

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        terminalreporter.section("assay")
        terminalreporter.write_line("each worker left a recording of its own; assay report FILE shows one")
        for line in sorted(self.told):
            terminalreporter.write_line(f"  {line}")
