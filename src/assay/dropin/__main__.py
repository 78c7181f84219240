"""`assay cprofile`: the command line of cProfile, over all threads."""

from __future__ import annotations

import os
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    sys.path[0] = os.getcwd()  # as with `python -m cProfile`
    sys.path.append(root)
    import assay._standard
    import assay.dropin

    sys.path.pop()
    try:
        import assay._agent
    except ImportError as problem:
        sys.exit(f"assay: cannot profile with {sys.executable}: {problem}")
    assay.dropin.install()
    standard = assay._standard.spec("cProfile")
    sys.argv[0] = (standard and standard.origin) or "cProfile.py"  # names the program in messages
    module: Any = import_module("profiling.tracing" if sys.version_info >= (3, 15) else "cProfile")
    utils = import_module("profile" if sys.version_info < (3, 15) else "profiling.tracing._utils")._Utils
    plain = module.runctx

    class AllThreads(module.Profile):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(threads=True)

    def runctx(*args: Any) -> Any:
        module.runctx = plain  # what the program asks for itself is as documented
        return utils(AllThreads).runctx(*args)

    module.runctx = runctx
    module.main()


if __name__ == "__main__":
    main()
