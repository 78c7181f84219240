"""Exceptions thrown into generators: handled, not handled, before the first step, through a delegation."""


def handles():
    while True:
        try:
            yield 1
        except ValueError:
            yield 2


def passes_on():
    yield 1


def outer():
    yield from handles()


def outer_passing():
    yield from passes_on()


def attempt(gen, started):
    if started:
        next(gen)
    try:
        gen.throw(ValueError("thrown"))
    except ValueError:
        pass


attempt(handles(), True)
attempt(passes_on(), True)
attempt(passes_on(), False)
attempt(outer(), True)
attempt(outer_passing(), True)
g = handles()
next(g)
g.throw(ValueError("thrown"))
next(g)
g.throw(ValueError("thrown"))
g.close()
