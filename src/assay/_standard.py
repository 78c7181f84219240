"""The standard library's own modules, run over an `_lsprof` of ours.

Imports what the standard modules import, and nothing else: what a program imports is in its profile.
"""

import importlib.machinery
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    Counts = tuple[int, int, float, float]
    Label = tuple[str, int, str]

DROPIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dropin")


def spec(name: str) -> "ModuleSpec | None":
    """Where the standard module is, whatever stands in front of it on sys.path. None: this version has none."""
    where = [os.path.dirname(os.__file__), *(p for p in sys.path if os.path.abspath(p) != DROPIN)]
    found = None
    for i in range(1, name.count(".") + 2):
        found = importlib.machinery.PathFinder.find_spec(".".join(name.split(".")[:i]), where)
        if found is None:
            return None
        where = list(found.submodule_search_locations or [])
    return found


def run(name: str, namespace: "dict[str, Any]") -> None:
    """Run the standard module's code in `namespace`, with our `_lsprof` in place of its own.

    On an interpreter that assay has no agent for, with the standard one. Under the standard name it stays there.
    """
    found = spec(name)
    if found is None or found.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    code = found.loader.get_code(name)  # type: ignore[attr-defined]
    namespace["__file__"] = found.origin
    ours = _our_lsprof()
    before = sys.modules.get("_lsprof")
    if ours is not None:
        sys.modules["_lsprof"] = ours
    try:
        exec(code, namespace)
    finally:
        if namespace["__name__"] != name and ours is not None:
            del sys.modules["_lsprof"]
            sys.modules.update({} if before is None else {"_lsprof": before})
    namespace["Profile"].snapshot_stats = snapshot_stats


def _our_lsprof() -> "ModuleType | None":
    try:
        from .dropin import _lsprof
    except ImportError:
        return None
    return _lsprof


def label(code: "CodeType | str") -> "Label":
    if isinstance(code, str):
        return ("~", 0, code)
    return (code.co_filename, code.co_firstlineno, code.co_name)


def snapshot_stats(self: "Any") -> None:
    """What was counted, into `self.stats`. Functions that share file, line and name are summed."""
    entries = self.getstats()
    flat: dict[Label, Counts] = {}
    callers: dict[Label, dict[Label, Counts]] = {}
    for entry in entries:
        func = label(entry.code)
        nc, cc, tt, ct = _added(flat.get(func), entry)
        flat[func] = nc, cc, tt, ct
        callers.setdefault(func, {})
    for entry in entries:
        func = label(entry.code)
        for sub in entry.calls or ():
            known = callers.get(label(sub.code))
            if known is not None:
                known[func] = _added(known.get(func), sub)
    self.stats = {func: (cc, nc, tt, ct, callers[func]) for func, (nc, cc, tt, ct) in flat.items()}


def _added(before: "Counts | None", entry: "Any") -> "Counts":
    nc, cc, tt, ct = before or (0, 0, 0.0, 0.0)
    calls: int = entry.callcount
    return nc + calls, cc + calls - entry.reccallcount, tt + entry.inlinetime, ct + entry.totaltime
