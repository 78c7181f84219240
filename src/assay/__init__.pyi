from os import PathLike
from typing import Any

from ._agent import RecordingError as RecordingError
from ._agent import profile as profile
from ._agent import start as start
from ._agent import stop as stop
from ._agent import tag as tag
from .recording import Recording as Recording

def open(path: str | bytes | PathLike[str] | PathLike[bytes]) -> Recording:
    """Read a recording from a file.

    One that was cut, or has a damaged block, is read up to there: `session.complete` is False, `session.cut_at` the
    byte offset.
    Raises: RecordingError, naming the byte offset, if it is no recording or contradicts itself; OSError.
    """

def load_ipython_extension(shell: Any) -> None:
    """`%load_ext assay`: gives IPython %assay, %%assay, and our %prun and %%prun."""
