"""Modules with the names and the behaviour of Python's own profilers, on assay's engine.

    assay.dropin.install()                   # from here on, `import cProfile` is ours
    PYTHONPATH=$(assay dropin-path) …        # the same from the start, for any program
    assay cprofile -s cumtime app.py         # the command line of cProfile

They are the standard modules themselves, over an `_lsprof` of ours: docs/dropin.md says what differs. `profile` is left to the
standard library: a profiler in Python gains nothing from our engine.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__all__ = ["NAMES", "install", "path", "uninstall"]

NAMES = ("_lsprof", "cProfile", "profiling")
"""The modules that have our own in their place."""


def path() -> str:
    """The directory whose modules take the place of the standard ones, where it is on sys.path."""
    return str(Path(__file__).parent)


class _Finder:
    @staticmethod
    def find_spec(
        name: str, where: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [path()]) if name in NAMES else None


_replaced: dict[str, ModuleType] = {}  # by name: what was imported before install()


def _ours(name: str) -> bool:
    return name.split(".")[0] in NAMES


def install() -> None:
    """From here on, imports of these modules give ours. Who has imported the standard ones before keeps them."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    _replaced.update({name: module for name, module in sys.modules.items() if _ours(name)})
    for name in _replaced:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Imports give the standard modules again. Profiles that run go on."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]
    sys.modules.update(_replaced)
    _replaced.clear()
