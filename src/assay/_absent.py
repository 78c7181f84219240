"""What takes the agent's place on an interpreter that has none: tags do nothing, measuring raises ImportError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

PROBLEM = "assay has no agent for this interpreter"


def why(problem: object) -> None:
    global PROBLEM
    PROBLEM = f"assay cannot measure in this interpreter: {problem}"


class RecordingError(ValueError):
    """A file is no recording, or damaged; the text names the byte offset."""


class tag:
    """Labels that go nowhere."""

    def __init__(self, **labels: object) -> None:
        pass

    def __enter__(self) -> tag:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __call__(self, func: F) -> F:
        return func

    def release(self) -> bool:
        return True


class profile:
    def __init__(self, *, only: tag | None = None) -> None:
        raise ImportError(PROBLEM)


def start() -> NoReturn:
    raise ImportError(PROBLEM)


def stop() -> NoReturn:
    raise ImportError(PROBLEM)
