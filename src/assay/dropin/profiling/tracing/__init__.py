"""profiling.tracing, of Python 3.15, on assay's engine: the standard module's own code, or that of cProfile before."""

import importlib
import sys

import assay._standard

if sys.version_info >= (3, 15):
    _found = assay._standard.spec("profiling.tracing")
    __path__ = [*__path__, *_found.submodule_search_locations]
    assay._standard.run("profiling.tracing", globals())
else:
    _cprofile = importlib.import_module(__name__.removesuffix("profiling.tracing") + "cProfile")
    run, runctx, Profile = _cprofile.run, _cprofile.runctx, _cprofile.Profile
    label, main = _cprofile.label, _cprofile.main
    __all__ = ("Profile", "run", "runctx")
