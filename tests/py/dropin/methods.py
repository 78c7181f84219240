import functools


class Base:
    def __init__(self, n):
        self.n = n

    def method(self):
        return self.n

    @classmethod
    def made(cls, n):
        return cls(n)

    @staticmethod
    def twice(n):
        return n * 2

    @property
    def half(self):
        return self.n // 2

    def __call__(self, x):
        return x

    def __len__(self):
        return 3

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return name.upper()

    def __eq__(self, other):
        return self.n == other.n

    def __hash__(self):
        return hash(self.n)


class Derived(Base):
    def __init__(self, n):
        super().__init__(n)
        self.items = []

    def method(self):
        return super().method() + len(self)


class Appending(list):
    def append(self, item):
        list.append(self, item)


@functools.lru_cache
def cached(n):
    return Base.twice(n)


@functools.wraps(cached)
def wrapper(*args):
    return cached(*args)


for i in range(5):
    d = Derived.made(i)
    d.method()
    d.half
    d.anything
    d(i)
    bound = d.method
    bound()
    d.items.append(d)
    d == Base(i)
    {d: 1}
    wrapper(i % 2)
    Appending().append(i)
functools.partial(Base.twice, 4)()
functools.reduce(lambda a, b: a + b, range(4))
