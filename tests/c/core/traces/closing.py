"""Generators that end before they are exhausted: closed, dropped, closed before they began."""


def plain():
    yield 1
    yield 2


def tidy(log):
    try:
        yield 1
        yield 2
    finally:
        log.append("closed")


def stubborn():
    try:
        yield 1
    except GeneratorExit:
        return


def take_one(gen):
    for item in gen:
        break


log = []
g = plain()
next(g)
g.close()
g = tidy(log)
next(g)
g.close()
g = stubborn()
next(g)
g.close()
g = plain()
g.close()
take_one(plain())
take_one(tidy(log))
g = tidy(log)
next(g)
del g
g = plain()
list(g)
g.close()
