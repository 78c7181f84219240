from collections.abc import Callable
from types import CodeType
from typing import SupportsFloat, SupportsIndex, final

class Profiler:
    """Counts the calls of the thread that enables it, or of all threads, as cProfile does."""

    def __init__(
        self,
        timer: Callable[[], SupportsFloat | SupportsIndex] | None = None,
        timeunit: float = 0.0,
        subcalls: bool = True,
        builtins: bool = True,
        threads: bool = False,
    ) -> None: ...
    def enable(self, subcalls: bool = ..., builtins: bool = ...) -> None: ...
    def disable(self) -> None: ...
    def clear(self) -> None: ...
    def getstats(self) -> list[profiler_entry]: ...

@final
class profiler_entry(tuple[CodeType | str, int, int, float, float, list[profiler_subentry] | None]):
    code: CodeType | str
    callcount: int
    reccallcount: int
    totaltime: float
    inlinetime: float
    calls: list[profiler_subentry] | None

@final
class profiler_subentry(tuple[CodeType | str, int, int, float, float]):
    code: CodeType | str
    callcount: int
    reccallcount: int
    totaltime: float
    inlinetime: float
