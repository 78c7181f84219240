"""Coroutines driven by a loop of our own: chains of await, two tasks in turn, cancellation, one never awaited."""


class Pause:
    def __await__(self):
        yield "pause"


async def step(n):
    await Pause()
    return n


async def work(n):
    total = 0
    for i in range(n):
        total += await step(i)
    return total


async def immediate():
    return 1


async def fails():
    await Pause()
    raise ValueError("failed")


async def careful():
    try:
        await fails()
    except ValueError:
        await immediate()


def run(tasks):
    while tasks:
        task = tasks.pop(0)
        try:
            task.send(None)
        except StopIteration:
            continue
        tasks.append(task)


class Cancelled(Exception):
    pass


def cancel(task):
    task.send(None)
    try:
        task.throw(Cancelled())
    except Cancelled:
        pass


run([work(2), work(1)])
run([careful()])
cancel(work(1))
work(1).close()
