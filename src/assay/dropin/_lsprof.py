"""_lsprof, on assay's engine."""

import os
import sys

try:
    import assay
except ImportError:  # found by PYTHONPATH=$(assay dropin-path) alone
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    import assay  # noqa: F401

    sys.path.pop()

from assay._agent import Profiler, profiler_entry, profiler_subentry

__all__ = ["Profiler", "profiler_entry", "profiler_subentry"]
