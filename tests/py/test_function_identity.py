"""Which calls are counted as one function: those of one definition, however often it is compiled, and no others."""

from __future__ import annotations


def calls_of(tree, name: str) -> list[int]:
    """Calls of each function of that name, ascending."""
    return sorted(f["calls"] for f in tree.json["functions"] if f["name"] == name)


def test_classes_at_an_address_that_is_used_again_are_told_apart(record, python) -> None:
    tree = record(
        """
        import gc
        for i in range(10):
            C = type("K%d" % i, (), {})
            C() if i % 2 else C.__new__(C)
            del C
            gc.collect()
        """
    )
    if python.minor > 11:  # calls of classes are events
        for i in range(1, 10, 2):
            assert calls_of(tree, f"K{i}") == [1], i


LAMBDAS = """
a, b = lambda x, y: x + y, lambda x, y: x - y
c, d = lambda: -1, lambda: -2
e, f = lambda: 1, lambda: True
g, h = lambda x: x in {-1, 9}, lambda x: x in {-2, 9}
i, j = lambda: (0.0, 1j), lambda: (-0.0, 1j)
k, l = lambda: lambda: (1, 1), lambda: lambda: (1, 1.0)
for n, each in enumerate((a, b, c, d, e, f, g, h, i, j, k, l)):
    for _ in range(n + 1):
        each(*((1, 2)[: each.__code__.co_argcount]))
"""


def test_lambdas_of_one_line_are_told_apart_by_what_they_do(record) -> None:
    for env in ({}, {"PYTHONNODEBUGRANGES": "1"}):
        tree = record(LAMBDAS, env=env)
        assert calls_of(tree, "<lambda>") == list(range(1, 13)), env


def test_texts_of_one_name_are_told_apart_by_what_they_do(record) -> None:
    tree = record(
        """
        def make(operator):
            space = {}
            exec("def calc(a, b): return a %s b" % operator, space)
            return space["calc"]
        for operator, times in ("+", 10), ("*", 20), ("+", 30):
            calc = make(operator)
            for _ in range(times):
                calc(1, 2)
        """
    )
    assert calls_of(tree, "calc") == [20, 40]


def test_text_that_ran_before_is_the_same_function_compiled_again(inside) -> None:
    printed = inside(
        """
        import assay
        def make():
            space = {}
            exec("def calc(n): return [i + 1 for i in range(n) if i in {1, 2.0} or -i == -2 or 'xy'[0:1] == n]", space)
            return space["calc"]
        warm = make()
        for n in range(200):
            warm(n)
        with assay.profile() as p:
            for calc in (warm, make(), make()):
                calc(5)
        print([n.calls for n in p.recording.find("calc")])
        """
    )
    assert printed == "[3]\n"


def test_constants_are_not_asked_what_they_are(record) -> None:
    tree = record(
        """
        import threading, time
        class Key:
            def __hash__(self):
                time.sleep(0.2)
                return 1
        def f():
            return 12345
        def work():
            code = f.__code__
            space = dict(f.__globals__)
            consts = tuple(Key() if c == 12345 else c for c in code.co_consts)
            type(f)(code.replace(co_consts=consts), space)()
        def other():
            for n in range(200):
                exec(f"def g{n}(): pass\\ng{n}()")
                time.sleep(0.001)
        threads = [threading.Thread(target=t) for t in (work, other, work, other)]
        for t in threads: t.start()
        for t in threads: t.join()
        print("end")
        """
    )
    assert tree.result.stdout == "end\n"
    assert tree.calls("Key.__hash__") == 0
