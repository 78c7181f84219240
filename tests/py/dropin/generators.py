import asyncio


def numbers(n):
    for i in range(n):
        got = yield i
        if got:
            str(got)


def delegates(n):
    yield from numbers(n)
    yield from range(2)


def consumes():
    for _ in delegates(3):
        pass
    g = numbers(5)
    next(g)
    g.send("x")
    g.close()
    g = numbers(2)
    try:
        g.throw(KeyError)
    except KeyError:
        pass
    return sum(x * x for x in numbers(4))


async def leaf(n):
    await asyncio.sleep(0)
    return n


async def main():
    return [await leaf(i) for i in range(3)]


def by_hand(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as e:
        return e.value


consumes()
by_hand(main())
