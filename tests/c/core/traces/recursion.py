"""Recursion: plain, mutual, through C, two branches."""


def factorial(n):
    return 1 if n == 0 else n * factorial(n - 1)


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def through_c(n):
    return list(map(through_c, range(n)))


factorial(3)
even(3)
fib(3)
through_c(2)
