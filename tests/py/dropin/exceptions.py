def fails(n):
    if n == 0:
        raise ValueError(n)
    return fails(n - 1)


def handles():
    for n in range(4):
        try:
            fails(n)
        except ValueError as e:
            str(e)
        finally:
            len("x")


class Guard:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return True


def builtin_raises():
    for text in ("1", "x"):
        try:
            int(text)
            [].pop()
        except (ValueError, IndexError):
            pass
    try:
        getattr(object(), "none")
    except AttributeError:
        pass
    try:
        next(iter(()))
    except StopIteration:
        pass


handles()
with Guard():
    fails(2)
builtin_raises()
