"""Functions that run within a context manager, as decorators make them.

Imports nothing, so that decorating does not change what a program has loaded.
"""

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # CO_* of inspect
COPIED = ("__module__", "__name__", "__qualname__", "__doc__", "__type_params__")


def flags_of(func):
    """The code flags of what a call of `func` runs, through partials and bound methods."""
    while not hasattr(func, "__code__"):
        inner = getattr(func, "func", None) or getattr(func, "__func__", None)
        if inner is None:
            return 0
        func = inner
    return func.__code__.co_flags


def looks_like(wrapper, func):
    """As functools.update_wrapper."""
    for name in COPIED:
        try:
            setattr(wrapper, name, getattr(func, name))
        except AttributeError:
            pass
    try:
        wrapper.__annotate__ = func.__annotate__  # from 3.14 on: annotations stay unevaluated
    except AttributeError:
        if hasattr(func, "__annotations__"):
            wrapper.__annotations__ = func.__annotations__
    wrapper.__dict__.update(getattr(func, "__dict__", {}))
    wrapper.__wrapped__ = func
    return wrapper


def within(manager, func):
    """`func`, each call of it inside `manager`: of a coroutine function its whole awaiting, of a generator its whole running."""
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
    return looks_like(wrapper, func)


def call(manager, func):
    def within(*args, **kwargs):
        with manager:
            return func(*args, **kwargs)

    return within


def generator(manager, func):
    def within(*args, **kwargs):
        with manager:
            return (yield from func(*args, **kwargs))

    return within


def coroutine(manager, func):
    async def within(*args, **kwargs):
        with manager:
            return await func(*args, **kwargs)

    return within


def async_generator(manager, func):
    async def within(*args, **kwargs):
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
