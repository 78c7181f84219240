"""asyncio with its own code: tasks, gather, an event, a cancelled task, a context manager."""

import asyncio


async def child(n):
    for _ in range(n):
        await asyncio.sleep(0)
    return n


async def waits(event):
    await event.wait()


class Resource:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc):
        await asyncio.sleep(0)


async def main():
    event = asyncio.Event()
    waiting = asyncio.create_task(waits(event))
    async with Resource():
        await asyncio.gather(child(2), child(1))
    event.set()
    await waiting
    endless = asyncio.create_task(child(1000))
    await asyncio.sleep(0)
    endless.cancel()
    try:
        await endless
    except asyncio.CancelledError:
        pass


asyncio.run(main())
