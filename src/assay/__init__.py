"""assay: where the time of a Python program goes.

    with assay.profile() as p:      # counts every call of the process
        work()
    p.recording                     # typed results; p.save("work.assay") for `assay report`

    with assay.tag(customer=name):  # labels: in the reports, what ran inside is told apart
        ...

Importing it loads the agent of the running interpreter and no other module.
"""

try:
    from ._agent import RecordingError, profile, start, stop, tag
except ImportError as problem:  # no agent for this interpreter: labels go nowhere, measuring says why
    from ._absent import RecordingError, profile, start, stop, tag, why

    why(problem)

__all__ = ["Recording", "RecordingError", "open", "profile", "start", "stop", "tag"]


def open(path):
    from .recording import load_file

    return load_file(path)


def load_ipython_extension(shell):
    from ._notebook import load

    load(shell)


def __getattr__(name):
    if name == "Recording":
        from .recording import Recording

        return Recording
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
