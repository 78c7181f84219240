"""What takes the agent's place on an interpreter that has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


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
