"""with: classes, contextlib.contextmanager, nested, with exceptions, ExitStack."""

import contextlib


class Plain:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


@contextlib.contextmanager
def managed():
    yield 1


@contextlib.contextmanager
def suppressing():
    try:
        yield 1
    except ValueError:
        pass


def body():
    pass


def fails():
    raise ValueError("body")


def use():
    with Plain():
        body()
    with managed():
        body()
    with managed() as a, Plain() as b:
        body()
    with suppressing():
        fails()
    try:
        with Plain():
            fails()
    except ValueError:
        pass
    try:
        with managed():
            fails()
    except ValueError:
        pass
    with contextlib.ExitStack() as stack:
        stack.enter_context(managed())
        stack.callback(body)
    with contextlib.suppress(ValueError):
        fails()


use()
