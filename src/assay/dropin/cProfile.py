"""cProfile, on assay's engine: the standard module's own code."""

import os
import sys

try:
    import assay._standard
except ImportError:  # found by PYTHONPATH=$(assay dropin-path) alone
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    import assay._standard

    sys.path.pop()

if __name__ == "__main__":
    from cProfile import Profile

    sys.modules[Profile.__module__].main()
elif sys.version_info >= (3, 15):
    import importlib

    _tracing = importlib.import_module(__name__.removesuffix("cProfile") + "profiling.tracing")
    run, runctx, Profile = _tracing.run, _tracing.runctx, _tracing.Profile
    __all__ = ["Profile", "run", "runctx"]
else:
    assay._standard.run("cProfile", globals())
