"""Exceptions: through any depth, handled on the way, from C, through C, in finally and with."""


def raises(depth):
    if depth == 0:
        raise KeyError("deep")
    raises(depth - 1)


def passes_on(depth):
    try:
        raises(depth)
    except KeyError as error:
        raise ValueError("other") from error


def cleans_up():
    try:
        raises(1)
    finally:
        len("finally")


def from_c():
    int("no number")


def through_c():
    return sorted([2, 1], key=bad_key)


def bad_key(item):
    raise TypeError("key")


def swallow(f, *args):
    try:
        f(*args)
    except Exception:
        pass


class Suppress:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


def suppressed():
    with Suppress():
        raises(1)


def failing_iteration():
    def items():
        yield 1
        raise ValueError("item")

    return list(items())


swallow(raises, 3)
swallow(passes_on, 2)
swallow(cleans_up)
swallow(from_c)
swallow(through_c)
swallow(failing_iteration)
swallow(len, 1)
suppressed()
