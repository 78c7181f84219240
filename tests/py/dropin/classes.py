import dataclasses
import enum
import typing


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(typing.NamedTuple):
    a: int
    b: int


class Meta(type):
    def __new__(mcs, name, bases, namespace):
        return super().__new__(mcs, name, bases, namespace)

    def __call__(cls, *args):
        return super().__call__(*args)


class WithMeta(metaclass=Meta):
    def __new__(cls, *args):
        return super().__new__(cls)

    def __init__(self, n):
        self.n = n

    def __init_subclass__(cls):
        cls.registered = True


class Child(WithMeta):
    pass


class Descriptor:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        return 1


class Owner:
    attribute = Descriptor()
    __slots__ = ()


sorted([Point(2), Point(1, 3)])
Point(1) == Point(1)
repr(Point(1))
Color(1).name, Color["BLUE"], list(Color)
Pair(1, 2)._replace(a=3)
Child(1), WithMeta(2)
Owner().attribute
int(), K() if (K := type("K", (), {"__init__": lambda self: None})) else None
