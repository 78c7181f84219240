"""assay: where the time of a Python program goes.

Importing it loads the agent of the running interpreter and nothing else.
"""

from __future__ import annotations

try:
    from ._agent import tag
except ImportError:  # no agent for this interpreter: labels go nowhere
    from ._absent import tag

__all__ = ["tag"]
