"""What takes the agent's place on an interpreter that has none: tags do nothing, measuring raises ImportError."""

PROBLEM = "assay has no agent for this interpreter"


def why(problem):
    global PROBLEM
    PROBLEM = f"assay cannot measure in this interpreter: {problem}"


class RecordingError(ValueError):
    """A file is no recording, or damaged; the text names the byte offset."""


class tag:
    """Labels that go nowhere."""

    def __init__(self, **labels):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def __call__(self, func):
        return func


class profile:
    def __init__(self):
        raise ImportError(PROBLEM)


def start():
    raise ImportError(PROBLEM)


def stop():
    raise ImportError(PROBLEM)
