"""`assay cprofile`: the command line of cProfile, over all threads."""

import os
import sys
from importlib import import_module


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    sys.path[0] = os.getcwd()  # as with `python -m cProfile`
    sys.path.append(root)
    import assay.dropin

    sys.path.pop()
    try:
        import assay._agent  # noqa: F401
    except ImportError as problem:
        sys.exit(f"assay: cannot profile with {sys.executable}: {problem}")
    assay.dropin.install()
    sys.argv[0] = assay._standard.spec("cProfile").origin  # names the program in messages
    module = import_module("profiling.tracing" if sys.version_info >= (3, 15) else "cProfile")
    utils = import_module("profile" if sys.version_info < (3, 15) else "profiling.tracing._utils")._Utils
    plain = module.runctx

    class AllThreads(module.Profile):
        def __init__(self):
            super().__init__(threads=True)

    def runctx(*args):
        module.runctx = plain  # what the program asks for itself is as documented
        return utils(AllThreads).runctx(*args)

    module.runctx = runctx
    module.main()


if __name__ == "__main__":
    main()
