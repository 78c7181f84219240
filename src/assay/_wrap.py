"""Functions that run within a context manager, as decorators make them.

Loads nothing, so that decorating does not change what a program has loaded. What is decorated may be anything that can
be called, and may answer to every name: only what inspect would take for functions is looked into.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

GENERATOR, COROUTINE, ITERABLE_COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200  # CO_* of inspect
LAYERS = 64  # partials and bound methods around each other
COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__type_params__")


def innermost(func: "Any") -> "Any":
    """What a call of `func` calls in the end, through partials and bound methods."""
    partial = getattr(sys.modules.get("functools"), "partial", ())
    for _ in range(LAYERS):
        if isinstance(func, partial):
            func = func.func
        elif hasattr(type(func), "__func__"):
            func = func.__func__
        else:
            break
    return func


def flags_of(func: "Any") -> int:
    """The code flags of a function; 0 of what is none."""
    code = getattr(func, "__code__", None)
    return int(code.co_flags) if isinstance(code, type(flags_of.__code__)) else 0


def is_marked(func: "Any") -> bool:
    """Was `func` made a coroutine function by inspect.markcoroutinefunction?"""
    ask = getattr(sys.modules.get("inspect"), "iscoroutinefunction", None)
    return ask is not None and bool(ask(func))


def copy(wrapper: "Any", func: "Any", name: str) -> bool:
    try:
        setattr(wrapper, name, getattr(func, name))
    except (AttributeError, TypeError):  # it has none, or one that no function can have
        return False
    return True


def looks_like(wrapper: "Any", func: "Any") -> "Any":
    """As functools.update_wrapper."""
    for name in COPIED:
        copy(wrapper, func, name)
    if not copy(wrapper, func, "__annotate__"):  # from 3.14 on: annotations stay unevaluated
        copy(wrapper, func, "__annotations__")
    wrapper.__dict__.update(getattr(func, "__dict__", {}))
    wrapper.__wrapped__ = func
    return wrapper


def within(manager: "AbstractContextManager[Any]", func: "Callable[..., Any]") -> "Callable[..., Any]":
    """`func`, each call of it inside `manager`: of a coroutine function all awaiting, of a generator all running."""
    if isinstance(func, type) or not callable(func):
        raise TypeError(f"cannot decorate {func!r}: a function is needed")
    inner = innermost(func)
    flags = flags_of(inner)
    if flags & ASYNC_GENERATOR:
        wrapper = async_generator(manager, func)
    elif flags & COROUTINE or is_marked(func):
        wrapper = coroutine(manager, func)
    elif flags & GENERATOR:
        wrapper = generator(manager, func)
        if flags & ITERABLE_COROUTINE:  # of types.coroutine: can be awaited
            code = wrapper.__code__
            wrapper.__code__ = code.replace(co_flags=code.co_flags | ITERABLE_COROUTINE)
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
