"""Classes: bodies, metaclasses, construction, super, properties, descriptors, callable objects, bound methods."""


class Meta(type):
    def __new__(meta, name, bases, namespace):
        return super().__new__(meta, name, bases, namespace)

    def __call__(cls, *args):
        return super().__call__(*args)


class Named:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, obj, kind=None):
        return 1


class Base(metaclass=Meta):
    field = Named()

    def __init_subclass__(cls):
        pass

    def __init__(self, n):
        self.n = n

    @property
    def double(self):
        return self.n * 2

    @classmethod
    def make(cls, n):
        return cls(n)

    @staticmethod
    def plain(n):
        return n

    def __call__(self, n):
        return n

    def __len__(self):
        return 3


class Derived(Base):
    def __new__(cls, n):
        return super().__new__(cls)

    def __init__(self, n):
        super().__init__(n)

    class Inner:
        pass


class Simple:
    def __init__(self):
        self.x = 1


class Empty:
    pass


class Raises:
    def __init__(self):
        raise ValueError("no")


def use():
    obj = Derived(2)
    obj.double
    obj.field
    obj(1)
    obj(*[1])
    len(obj)
    Derived.make(3)
    Base.plain(4)
    method = Base(5).__call__
    method(6)
    method(*[6])
    for _ in range(4):
        Simple()
    Simple(*[])
    Empty()
    try:
        Raises()
    except ValueError:
        pass
    type("Made", (), {})()
    object()
    isinstance(obj, Base)


use()
