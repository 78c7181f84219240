"""Modules with the names and the behaviour of Python's own profilers, on assay's engine.

    assay.dropin.install()                   # from here on, `import cProfile` is ours
    PYTHONPATH=$(assay dropin-path) …        # the same from the start, for any program
    assay cprofile -s cumtime app.py         # the command line of cProfile

They are the standard modules themselves, over an `_lsprof` of ours: docs/dropin.md says what differs. `profile` is
left to the standard library: a profiler in Python gains nothing from our engine.
"""

import os
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["NAMES", "install", "path", "uninstall"]

NAMES = ("_lsprof", "cProfile", "profiling")
"""The modules that have our own in their place."""


def path() -> str:
    """The directory whose modules take the place of the standard ones, where it is on sys.path."""
    return os.path.dirname(os.path.abspath(__file__))


_replaced: "dict[str, ModuleType]" = {}  # by name: what was imported before install()
_installed = False


def _imported() -> "dict[str, ModuleType]":
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] in NAMES}


def install() -> None:
    """From here on, imports of these modules give ours. Who has imported the standard ones before keeps them."""
    global _installed
    if _installed:
        return
    from . import _lsprof

    _replaced.update(_imported())
    for name in _replaced:
        del sys.modules[name]
    sys.modules["_lsprof"] = _lsprof
    sys.path.insert(0, path())
    try:
        for name in ("profiling", "cProfile", "profiling.tracing"):
            import_module(name)
    finally:
        sys.path.remove(path())
    _installed = True


def uninstall() -> None:
    """Imports give the standard modules again. Profiles that run go on."""
    global _installed
    if not _installed:
        return
    for name in _imported():
        del sys.modules[name]
    sys.modules.update(_replaced)
    _replaced.clear()
    _installed = False
