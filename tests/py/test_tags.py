"""assay.tag under `assay run`: exact trees, whatever runs the code inside."""

import json
import subprocess
import textwrap
from collections import Counter

import pytest

PRELUDE = """
import asyncio, contextlib, contextvars, functools, threading
import assay
def w(): pass
"""


class Report:
    """The JSON report of a run, asked by function name."""

    def __init__(self, data):
        self.functions = {f["id"]: f for f in data["functions"]}
        self.nodes = data["nodes"]
        self.losses = {k: n for p in data["processes"] for k, n in p["losses"].items() if n}
        self.remarks = data["remarks"]

    def name(self, node):
        return self.functions[node["function"]]["name"] if node["function"] is not None else None

    def path(self, node):
        """Nodes from the outermost to this one, without the root."""
        out = []
        while node["function"] is not None:
            out.append(node)
            node = self.nodes[node["parent"]]
        return out[::-1]

    def is_tag(self, node):
        return node["function"] is not None and self.functions[node["function"]]["kind"] == "tag"

    def under_tags(self, name):
        """How often a function was called, by the tags above it, outermost first."""
        out = Counter()
        for node in self.nodes:
            if self.name(node) == name:
                out[tuple(self.name(n) for n in self.path(node) if self.is_tag(n))] += node["calls"] + node["resumes"]
        return dict(out)

    def tree(self, top):
        """{path below `top`: calls}, paths joined by ` > `."""
        out = {}
        for node in self.nodes:
            names = [self.name(n) for n in self.path(node)]
            if top in names[:-1]:
                path = " > ".join(names[names.index(top) + 1 :])
                out[path] = out.get(path, 0) + node["calls"]
        return out


@pytest.fixture
def run(assay, python, libdir, tmp_path):
    def run(source, *options, lost=()):
        (tmp_path / "script.py").write_text(PRELUDE + textwrap.dedent(source))
        recording = tmp_path / "script.assay"
        env = {"PYTHONPATH": str(libdir.parent)}
        done = assay("run", "--python", python, *options, "-o", recording, "script.py", cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        shown = assay("report", recording, "--format", "json")
        assert shown.returncode == 0, shown.stderr
        report = Report(json.loads(shown.stdout))
        odd = {"tag_changes", "resynced_calls", "unmatched_ends"}
        assert odd & report.losses.keys() == set(lost), report.losses
        return report

    return run


def test_tag_is_a_node_above_what_runs_inside(run):
    report = run(
        """
        def demo():
            with assay.tag(customer="acme", n=3):
                w()
                with assay.tag(step="x"):
                    w()
                w()
            w()
        demo()
        """
    )
    assert {f["name"]: f["calls"] for f in report.functions.values() if f["kind"] == "tag"} == {
        "customer=acme, n=3": 1,
        "step=x": 1,
    }
    assert report.tree("demo") == {
        "customer=acme, n=3": 1,
        "customer=acme, n=3 > w": 2,
        "customer=acme, n=3 > step=x": 1,
        "customer=acme, n=3 > step=x > w": 1,
        "w": 1,
    }


def test_labels_are_sorted_and_become_text(run):
    report = run(
        """
        class Odd:
            def __str__(self):
                raise ValueError
        def demo():
            with assay.tag(z=1, a=None, m="é\\ud800x"):
                w()
            with assay.tag(m="é\\ud800x", a=None, z="1"):
                w()
            with assay.tag(odd=Odd()):
                w()
            with assay.tag():
                w()
        demo()
        """
    )
    tags = report.under_tags("w")
    assert sorted(tags.values()) == [1, 1, 2]
    assert () in tags and ("odd=<Odd>",) in tags
    assert any(t and t[0].startswith("a=None, m=é") and t[0].endswith("x, z=1") for t in tags)


def test_one_tag_is_entered_again_and_again(run):
    report = run(
        """
        t = assay.tag(a="b")
        def demo(n):
            with t:
                w()
                if n:
                    demo(n - 1)
        demo(2)
        demo(0)
        """
    )
    assert report.under_tags("w") == {("a=b",): 2, ("a=b",) * 2: 1, ("a=b",) * 3: 1}


def test_exception_ends_the_tag(run):
    report = run(
        """
        def fail():
            raise KeyError
        def demo():
            for _ in range(3):
                try:
                    with assay.tag(a="b"):
                        with assay.tag(c="d"):
                            fail()
                except KeyError:
                    w()
        demo()
        """
    )
    assert report.under_tags("w") == {(): 3}
    assert report.under_tags("fail") == {("a=b", "c=d"): 3}


def test_tag_leaves_and_comes_back_with_its_generator(run):
    report = run(
        """
        def labelled(name):
            with assay.tag(g=name):
                for _ in range(2):
                    w()
                    yield
        def inner():
            pass
        def demo():
            one, two = labelled("one"), labelled("two")
            for _ in zip(one, two):
                inner()
        demo()
        """
    )
    assert report.under_tags("w") == {("g=one",): 2, ("g=two",): 2}
    assert report.under_tags("inner") == {(): 2}


def test_tags_that_end_out_of_order(run):
    report = run(
        """
        def demo():
            a, b = assay.tag(a="1"), assay.tag(b="2")
            a.__enter__(); b.__enter__()
            w()
            a.__exit__(None, None, None)
            w()
            b.__exit__(None, None, None)
            w()
            with contextlib.ExitStack() as stack:
                stack.enter_context(assay.tag(e="3"))
                w()
        demo()
        """
    )
    # the node of b stays where it began: below a
    assert report.under_tags("w") == {("a=1", "b=2"): 2, (): 1, ("e=3",): 1}


def test_task_keeps_its_tags_and_shows_no_others(run):
    report = run(
        """
        async def job(name, n):
            with assay.tag(job=name):
                for _ in range(n):
                    w()
                    await asyncio.sleep(0)
                w()
            untagged()
        def untagged():
            pass
        async def main():
            await asyncio.gather(job("a", 3), job("b", 2), job("c", 5))
        asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("job=a",): 4, ("job=b",): 3, ("job=c",): 6}
    assert report.under_tags("untagged") == {(): 3}


def test_task_inherits_the_tags_of_where_it_was_made(run):
    report = run(
        """
        async def child():
            w()
            await asyncio.sleep(0.01)
            w()
            with assay.tag(own="c"):
                await asyncio.sleep(0)
                w()
        def late():
            pass
        async def main():
            with assay.tag(request="1"):
                task = asyncio.create_task(child())
                asyncio.get_running_loop().call_later(0.02, late)
            with assay.tag(request="2"):
                await task
                await asyncio.sleep(0.05)
        asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("request=1",): 2, ("request=1", "own=c"): 1}
    assert report.under_tags("late") == {("request=1",): 1}


def test_tag_around_the_loop_is_not_doubled(run):
    report = run(
        """
        async def child():
            await asyncio.sleep(0)
            w()
        async def main():
            with assay.tag(b="2"):
                await asyncio.create_task(child())
            await child()
        with assay.tag(a="1"):
            asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("a=1", "b=2"): 1, ("a=1",): 1}


def test_copied_context_brings_its_tags_into_a_thread(run):
    report = run(
        """
        from concurrent.futures import ThreadPoolExecutor
        def bare():
            pass
        with ThreadPoolExecutor(1) as pool:
            with assay.tag(a="1"):
                pool.submit(contextvars.copy_context().run, w).result()
                pool.submit(bare).result()
        """
    )
    assert report.under_tags("w") == {("a=1",): 1}
    assert report.under_tags("bare") == {(): 1}


def test_to_thread_inherits_tags(run, python):
    report = run(
        """
        async def main():
            with assay.tag(a="1"):
                await asyncio.to_thread(w)
            await asyncio.to_thread(w)
        asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("a=1",): 1, (): 1}


def test_threads_have_their_own_tags(run):
    report = run(
        """
        barrier = threading.Barrier(3)
        def job(name):
            with assay.tag(job=name):
                barrier.wait()
                w()
                barrier.wait()
        threads = [threading.Thread(target=job, args=(n,)) for n in "abc"]
        for t in threads: t.start()
        for t in threads: t.join()
        """
    )
    assert report.under_tags("w") == {("job=a",): 1, ("job=b",): 1, ("job=c",): 1}


def test_task_group_and_cancelled_task(run):
    report = run(
        """
        async def forever():
            with assay.tag(t="f"):
                w()
                try:
                    await asyncio.sleep(100)
                finally:
                    w()
        async def quick():
            with assay.tag(t="q"):
                await asyncio.sleep(0)
                w()
        async def main():
            with assay.tag(g="1"):
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(forever())
                    group.create_task(quick())
                    await asyncio.sleep(0.01)
                    task.cancel()
            w()
        asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("g=1", "t=f"): 2, ("g=1", "t=q"): 1, (): 1}


def test_decorated_functions_keep_their_kind(run):
    report = run(
        """
        import inspect
        @assay.tag(k="call")
        def call(x):
            "doc"
            w(); return x
        @assay.tag(k="gen")
        def gen():
            got = yield 1
            w(); return got
        @assay.tag(k="coro")
        async def coro():
            await asyncio.sleep(0)
            w(); return 5
        @assay.tag(k="agen")
        async def agen():
            for i in range(2):
                await asyncio.sleep(0)
                w(); yield i
        class C:
            @assay.tag(k="method")
            def method(self):
                w(); return self
        assert call(3) == 3 and call.__name__ == "call" and call.__doc__ == "doc" and call.__wrapped__
        assert str(inspect.signature(call)) == "(x)"
        assert inspect.iscoroutinefunction(coro) and inspect.isgeneratorfunction(gen)
        assert inspect.isasyncgenfunction(agen)
        c = C()
        assert c.method() is c
        def drive():
            return (yield from gen())
        g = drive(); next(g)
        try:
            g.send(7)
        except StopIteration as stop:
            assert stop.value == 7
        async def main():
            assert await coro() == 5
            assert [x async for x in agen()] == [0, 1]
        asyncio.run(main())
        """
    )
    assert report.under_tags("w") == {("k=call",): 1, ("k=gen",): 1, ("k=coro",): 1, ("k=agen",): 2, ("k=method",): 1}


def test_decorating_what_is_no_function_is_refused(run):
    run(
        """
        for what in (3, int):
            try:
                assay.tag(a="b")(what)
            except TypeError:
                continue
            raise AssertionError(what)
        for wrong in (lambda: assay.tag("x"), lambda: assay.tag(**{f"k{i}": 0 for i in range(33)})):
            try:
                wrong()
            except TypeError:
                continue
            raise AssertionError(wrong)
        """
    )


def test_without_c_calls_tasks_and_threads_still_inherit(run):
    report = run(
        """
        async def child():
            w()
            await asyncio.sleep(0)
            w()
        async def main():
            with assay.tag(a="1"):
                task = asyncio.create_task(child())
                await asyncio.to_thread(w)
                await task
            w()
        asyncio.run(main())
        """,
        "--no-c-calls",
    )
    assert report.under_tags("w") == {("a=1",): 3, (): 1}


def test_tag_does_not_outlive_the_context_it_was_opened_in(run):
    report = run(
        """
        def demo():
            context = contextvars.copy_context()
            tag = assay.tag(a="1")
            context.run(tag.__enter__)
            w()
            context.run(tag.__exit__, None, None, None)
            w()
        demo()
        """,
        lost=("tag_changes",),
    )
    assert report.under_tags("w") == {(): 2}


def test_own_calls_are_no_nodes(run):
    report = run(
        """
        def demo():
            t = assay.tag(a="b")
            t.__enter__()
            t.__exit__(None, None, None)
            enter = t.__enter__
            enter()
            assay.tag.__exit__(t, None, None, None)
            sorted([2, 1], key=lambda x: assay.tag(b=x) and x)
        demo()
        """
    )
    assert set(report.tree("demo")) == {"a=b", "sorted", "sorted > demo.<locals>.<lambda>"}


def test_object_in_a_label_is_collected(run):
    run(
        """
        import gc, weakref
        class Request:
            def __str__(self): return "r"
        request = Request()
        with assay.tag(request=request):
            request.context = contextvars.copy_context()
        gone = weakref.ref(request)
        del request
        gc.collect()
        assert gone() is None
        """
    )


def test_tag_does_nothing_where_nothing_is_measured(inside):
    source = PRELUDE + "with assay.tag(a=1) as t:\n w()\nprint(t, 'threading' in __import__('sys').modules)"
    assert inside(source) == "assay.tag(a=1) True\n"


def test_import_brings_nothing_else(inside):
    source = "import sys; before = set(sys.modules); import assay; print(sorted(set(sys.modules) - before))"
    assert inside(source) == "['assay', 'assay._agent']\n"


def test_without_an_agent_tags_do_nothing(python, libdir, tmp_path):
    package = tmp_path / "assay"
    package.mkdir()
    for file in libdir.glob("*.py"):
        (package / file.name).write_bytes(file.read_bytes())
    source = """
import assay
with assay.tag(a=1):
    pass
@assay.tag(b=2)
def f(): return 3
assert f() == 3
try:
    assay.profile()
except ImportError as e:
    print(e)
"""
    done = subprocess.run([python, "-c", source], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert "cannot measure in this interpreter" in done.stdout, done.stderr


def test_throw_that_is_handled_below_leaves_the_tag_open(run):
    report = run(
        """
        def inner():
            try:
                yield 1
            except KeyError:
                w()
        def outer(n):
            with assay.tag(n=n):
                yield from inner()
                w(); yield 2
                w(); yield 3
        def demo():
            for n in "ab":
                g = outer(n)
                next(g)
                g.throw(KeyError)
                w()
                for _ in g:
                    pass
        demo()
        """
    )
    assert report.under_tags("w") == {(): 2, ("n=a",): 3, ("n=b",): 3}
    assert {path for path in report.tree("demo") if "n=a > " in path and path.endswith(" > w")} == {
        "generator.throw > outer > n=a > inner > w",
        "generator.throw > outer > n=a > w",
        "outer > n=a > w",
    }
    assert [n["resumes"] for n in report.nodes if report.name(n) == "inner"] == [0, 1, 0, 1]


def test_throw_goes_through_all_that_delegate(run):
    report = run(
        """
        def level(n):
            if n:
                yield from level(n - 1)
            else:
                try:
                    yield 0
                except KeyError:
                    pass
            w()
            yield n
        def demo():
            g = level(4)
            next(g)
            g.throw(KeyError)
            try:
                g.throw(ValueError)
            except ValueError:
                w()
            g = level(4)
            next(g)
            g.throw(KeyError)
            w()
            for _ in g:
                pass
        demo()
        """
    )
    tree = report.tree("demo")
    down = [" > ".join(["level"] * n) for n in range(6)]
    assert tree["w"] == 2
    assert {path: calls for path, calls in tree.items() if path.endswith(" > w")} == {
        "generator.throw > " + down[5] + " > w": 2,
        **{down[n] + " > w": 1 for n in range(1, 5)},
    }


def test_yield_of_a_throw_suspends_all_that_delegate(run):
    report = run(
        """
        def inner():
            while True:
                try:
                    yield
                except KeyError:
                    w()
        def middle(n):
            with assay.tag(m=n):
                yield from inner()
        def outer(n):
            with assay.tag(n=n):
                yield from middle(n)
        def demo():
            generators = [outer("a"), outer("b")]
            for g in generators:
                next(g)
            for i in range(6):
                generators[i % 2].throw(KeyError)
                w()
                next(generators[0])
                w()
        demo()
        """
    )
    assert report.under_tags("w") == {(): 12, ("n=a", "m=a"): 3, ("n=b", "m=b"): 3}


@pytest.mark.parametrize("way", ["cancelled", "timeout", "waited", "generator", "detached", "wrapped"])
def test_task_that_handles_a_cancellation_keeps_its_tags(run, way):
    report = run(
        f"""
        async def cancelled():
            t = asyncio.ensure_future(asyncio.sleep(9))
            asyncio.get_running_loop().call_soon(t.cancel)
            try:
                await t
            except asyncio.CancelledError:
                w()
        async def timeout():
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(9)
            except TimeoutError:
                w()
            await asyncio.sleep(0)
            w()
        async def waited():
            try:
                await asyncio.wait_for(asyncio.sleep(9), 0.01)
            except TimeoutError:
                w()
        async def numbers():
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(9)
            except TimeoutError:
                yield 1
            yield 2
        async def generator():
            async for n in numbers():
                await asyncio.sleep(0)
        async def stream():
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(9)
            except TimeoutError:
                pass
            yield 1
        async def detached():
            async for n in stream():
                break
            w()
            await asyncio.sleep(0)
            w()
        class Wrapped:
            def __init__(self, c): self.c = c
            def __await__(self): return self
            def __next__(self): return self.c.send(None)
            def send(self, v): return self.c.send(v)
            def throw(self, *a): return self.c.throw(*a)
        async def wrapped():
            await Wrapped(cancelled())
            w()
            await asyncio.sleep(0)
            w()
        async def handler(n):
            with assay.tag(req=n):
                w()
                await {way}()
                for _ in range(3):
                    w(); await asyncio.sleep(0)
            w()
        async def main():
            await asyncio.gather(handler("a"), handler("b"))
        asyncio.run(main())
        """
    )
    below = {"cancelled": 1, "timeout": 2, "waited": 1, "generator": 0, "detached": 2, "wrapped": 2}[way]
    beside = 2 if way == "wrapped" else 0  # docs/semantics.md: in cancelled(), for what awaits it is no coroutine
    assert report.under_tags("w") == {(): 2 + beside, ("req=a",): 4 + below, ("req=b",): 4 + below}
