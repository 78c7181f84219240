"""Comprehensions, nested, with calls, and lambdas: several of one name on one line."""


def square(n):
    return n * n


def make():
    a = [square(i) for i in range(2)]
    b = {i: square(i) for i in range(2)}
    c = {square(i) for i in range(2)}
    d = [[square(j) for j in range(i)] for i in range(3)]
    e = list(square(i) for i in range(2))
    f = [g() for g in [lambda: 1, lambda: 2]]
    return a, b, c, d, e, f


class Body:
    squares = [square(i) for i in range(2)]


[square(i) for i in range(2)]
make()
