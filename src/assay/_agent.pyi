from collections.abc import Callable
from os import PathLike
from typing import Any, TypeVar, final

from .dropin._lsprof import Profiler as Profiler
from .dropin._lsprof import profiler_entry as profiler_entry
from .dropin._lsprof import profiler_subentry as profiler_subentry
from .recording import Recording

F = TypeVar("F", bound=Callable[..., Any])

class RecordingError(ValueError):
    """A file is no recording, or damaged; the text names the byte offset."""

@final
class tag:
    """Labels for what runs inside, as a context manager or a decorator. Values become text by str()."""

    def __new__(cls, **labels: object) -> tag: ...
    def __enter__(self) -> tag: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, func: F, /) -> F: ...
    def release(self) -> bool:
        """What was started inside and runs on (tasks, callbacks) is outside from its next step on.

        Returns: False if some of it runs at this moment, in another thread or below this call.
        """

@final
class profile:
    """Counts every call of the process while it is entered. As a decorator: during each call of the function.

    only: a tag; what runs inside it is counted, in whatever thread, and nothing else is in the recording.
    """

    def __new__(cls, *, only: tag | None = None) -> profile: ...
    def __enter__(self) -> profile: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, func: F, /) -> F: ...
    @property
    def running(self) -> bool: ...
    @property
    def recording(self) -> Recording:
        """What was counted. Raises: RuntimeError while it runs, and before it ever did."""
    def drop(self) -> None:
        """Count no more, and forget what was counted: takes less time than to keep it."""
    def show_as(self, tag: tag, /) -> None:
        """In the recording the labels of this tag stand in place of those of `only`."""
    def bytes(self) -> bytes:
        """The recording as a file holds it (docs/format.md)."""
    def save(self, path: str | PathLike[str], /) -> None:
        """Write the recording to a file, for `assay report`."""

def start() -> profile:
    """Begin to count; the profile is also what stop() returns."""

def stop() -> profile:
    """End what the last start() began, and return its profile. Raises: RuntimeError."""
@final
class Loaded:
    def __new__(cls, source: bytes | str) -> Loaded: ...
    def session(self) -> tuple[Any, ...]: ...
    def functions(self) -> list[tuple[Any, ...]]: ...
    def processes(self) -> list[tuple[Any, ...]]: ...
    def threads(self) -> list[tuple[Any, ...]]: ...
    def columns(self, thread: int, /) -> tuple[memoryview, ...]: ...
