"""profiling, of Python 3.15: its `tracing` on assay's engine, here in every version; the rest is the standard one's."""

import os
import sys

try:
    import assay._standard
except ImportError:  # found by PYTHONPATH=$(assay dropin-path) alone
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))
    import assay._standard  # noqa: F401

    sys.path.pop()

from assay._standard import spec as _spec

_found = _spec("profiling")
__path__ = [*__path__, *(_found.submodule_search_locations or () if _found is not None else ())]
__all__ = ("tracing", "sampling") if _found is not None else ("tracing",)
