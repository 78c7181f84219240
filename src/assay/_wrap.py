"""Functions that run within a context manager, as decorators make them.

Imports nothing, so that decorating does not change what a program has loaded.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # CO_* of inspect
COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__type_params__")


def flags_of(func: "Any") -> int:
    """The code flags of what a call of `func` runs, through partials and bound methods."""
    while not hasattr(func, "__code__"):
        func = getattr(func, "func", None) or getattr(func, "__func__", None)
        if func is None:
            return 0
    return int(func.__code__.co_flags)


def looks_like(wrapper: "Any", func: "Any") -> "Any":
    """As functools.update_wrapper."""
    for name in COPIED:
        if hasattr(func, name):
            setattr(wrapper, name, getattr(func, name))
    try:
        wrapper.__annotate__ = func.__annotate__  # from 3.14 on: annotations stay unevaluated
    except AttributeError:
        if hasattr(func, "__annotations__"):
            wrapper.__annotations__ = func.__annotations__
    wrapper.__dict__.update(getattr(func, "__dict__", {}))
    wrapper.__wrapped__ = func
    return wrapper


def within(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    """`func`, each call of it inside `manager`: of a coroutine function all awaiting, of a generator all running."""
    if isinstance(func, type) or not callable(func):
        raise TypeError(f"cannot decorate {func!r}: a function is needed")
    flags = flags_of(func)
    if flags & ASYNC_GENERATOR:
        wrapper = async_generator(manager, func)
    elif flags & COROUTINE or getattr(func, "_is_coroutine_mark", None) is not None:
        wrapper = coroutine(manager, func)
    elif flags & GENERATOR:
        wrapper = generator(manager, func)
    else:
        wrapper = call(manager, func)
    return looks_like(wrapper, func)  # type: ignore[no-any-return]


def call(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    def within(*args: "Any", **kwargs: "Any") -> "Any":
        with manager:
            return func(*args, **kwargs)

    return within


def generator(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    def within(*args: "Any", **kwargs: "Any") -> "Any":
        with manager:
            return (yield from func(*args, **kwargs))

    return within


def coroutine(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    async def within(*args: "Any", **kwargs: "Any") -> "Any":
        with manager:
            return await func(*args, **kwargs)

    return within


def async_generator(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    async def within(*args: "Any", **kwargs: "Any") -> "Any":
        inner = func(*args, **kwargs)
        with manager:
            try:
                value = await inner.__anext__()
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        value = await inner.athrow(error)
                    else:
                        value = await inner.asend(sent)
            except StopAsyncIteration:
                return

    return within
