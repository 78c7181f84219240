"""Async generators: async for, early end, aclose, asend, athrow, an async comprehension."""


class Pause:
    def __await__(self):
        yield "pause"


async def numbers(n):
    for i in range(n):
        await Pause()
        yield i


async def echo():
    got = None
    while True:
        try:
            got = yield got
        except ValueError:
            got = "caught"


async def loop():
    async for _ in numbers(2):
        pass


async def early():
    gen = numbers(3)
    async for _ in gen:
        break
    await gen.aclose()


async def talk():
    gen = echo()
    await gen.asend(None)
    await gen.asend(1)
    await gen.athrow(ValueError())
    await gen.aclose()


async def comprehend():
    return [i async for i in numbers(2)], [await value(i) for i in range(2)]


async def value(n):
    return n


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


drive(loop())
drive(early())
drive(talk())
drive(comprehend())
