"""Generators: loops, send, return values, generator expressions, one never started."""


def count(n):
    for i in range(n):
        yield i


def running_mean():
    total = 0
    n = 0
    while True:
        value = yield total / n if n else None
        if value is None:
            return total
        total += value
        n += 1


def first_even(numbers):
    return next(i for i in numbers if i % 2 == 0)


for _ in count(3):
    pass
list(count(2))
a, b = count(1), count(2)
next(a), next(b), next(b), next(a, None)
mean = running_mean()
next(mean)
mean.send(4)
mean.send(6)
try:
    mean.send(None)
except StopIteration:
    pass
sum(i * i for i in range(3))
first_even([1, 2, 3])
count(5)
