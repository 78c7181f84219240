"""What may be decorated by a profile or a tag: whatever can be called, however it answers to questions."""

from functools import partial

import pytest


@pytest.fixture
def inside(inside):
    return partial(inside, prelude="import assay\n")


def test_what_answers_to_every_name_is_called_as_it_is(inside):
    inside(
        """
        import faulthandler
        faulthandler.dump_traceback_later(20, exit=True)
        from unittest.mock import Mock, MagicMock
        import xmlrpc.client
        for manager in (assay.profile(), assay.tag(a=1)):
            for mock in (Mock(return_value=5), MagicMock(return_value=5)):
                assert manager(mock)(1, x=2) == 5
                mock.assert_called_once_with(1, x=2)
            method = xmlrpc.client.ServerProxy("http://localhost:1").method
            assert manager(method).__wrapped__ is method
        class Every:
            def __getattr__(self, name):
                return self
            def __call__(self):
                return 7
        assert assay.tag(a=1)(Every())() == 7
        """
    )


def test_generators_that_can_be_awaited_stay_so(inside):
    inside(
        """
        import asyncio, functools, inspect, types
        @types.coroutine
        def old(n):
            got = yield
            return n + 1
        async def new(n):
            await asyncio.sleep(0)
            return n + 2
        class With:
            async def method(self, n):
                return n + 3
        def marked(n):
            return new(n)
        async def main(func):
            return await func(5)
        for manager in (assay.profile(), assay.tag(a=1)):
            for func, result in (
                (old, 6), (new, 7), (With().method, 8), (functools.partial(new, n=5), 7),
                (functools.partial(functools.partial(old)), 6), (functools.partial(With().method), 8),
            ):
                wrapped = manager(func)
                if isinstance(func, functools.partial) and func.keywords:
                    assert asyncio.run(main(lambda n: wrapped())) == result
                else:
                    assert asyncio.run(main(wrapped)) == result, func
                assert inspect.iscoroutinefunction(wrapped) == inspect.iscoroutinefunction(func), func
                assert inspect.isawaitable(old(1))
        plain = assay.tag(a=1)(lambda: (yield 1))
        assert not inspect.isawaitable(plain()) and list(plain()) == [1]
        if hasattr(inspect, "markcoroutinefunction"):
            for func in (marked, functools.partial(marked)):
                inspect.markcoroutinefunction(marked)
                assert inspect.iscoroutinefunction(assay.tag(a=1)(func))
                assert asyncio.run(main(assay.tag(a=1)(func))) == 7
        from unittest.mock import AsyncMock
        mock = AsyncMock(return_value=9)
        assert asyncio.run(main(assay.tag(a=1)(mock))) == 9
        """
    )
