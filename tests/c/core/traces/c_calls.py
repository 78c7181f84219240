"""C callables: functions, methods, with stars and keywords, with callbacks, partials, iterators of C."""

import functools
import operator


def key(item):
    return -item


def add(a, b):
    return a + b


def positional(items):
    items.append(1)
    list.append(items, 2)
    items.sort()
    len(items)
    "a,b".split(",")
    "a,b".split(sep=",")
    len(*[items])
    sorted(items, reverse=True)
    print(*[], sep="", end="")
    dict(a=1)
    int("3")
    getattr(items, "append")(3)
    append = items.append
    append(4)
    append(*[5])


def callbacks(items):
    sorted(items, key=key)
    items.sort(key=key)
    max(items, key=key)
    list(map(key, items))
    list(filter(key, items))
    functools.reduce(add, items)
    functools.partial(add, 1)(2)
    functools.partial(len)(items)
    operator.attrgetter("real")(1)
    ",".join(str(i) for i in items)
    any(key(i) for i in items)


@functools.lru_cache
def cached(n):
    return n


def sugar(items):
    items[0]
    items + items
    1 in items
    for _ in zip(items, items):
        pass
    f"{items!r:>10}"
    str(Shown())


class Shown:
    def __str__(self):
        return "shown"

    def __eq__(self, other):
        return True


positional([3, 4])
callbacks([1, 2])
cached(1)
cached(1)
sugar([1, 2])
[Shown()].index(2)
