"""yield from: chains of generators, over a list, with values sent and returned."""


def leaf(n):
    got = []
    for i in range(n):
        got.append((yield i))
    return got


def middle(n):
    return (yield from leaf(n))


def outer():
    yield from middle(2)
    yield from [7, 8]
    yield from middle(0)
    yield 9


def tree(depth):
    if depth:
        yield from tree(depth - 1)
        yield depth
        yield from tree(depth - 1)


list(outer())
g = outer()
next(g)
g.send("x")
g.close()
list(tree(2))
