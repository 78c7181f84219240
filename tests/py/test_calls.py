"""The calls lens on real interpreters: every call counts once, under the right caller, whatever the program does."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_calls_and_callers_are_exact(record) -> None:
    tree = record(
        """
        def leaf(x):
            return len([x])
        def inner(n):
            for i in range(n):
                leaf(i)
        def main():
            for i in range(10):
                inner(i)
        main()
        """
    )
    assert tree.one("main").calls == 1
    assert tree.one("inner", "main").calls == 10
    assert tree.one("leaf", "inner").calls == 45
    assert tree.one("len", "leaf").calls == 45
    assert tree.losses() == {}


def test_recursion_of_a_hundred_thousand_frames_is_followed(record) -> None:
    tree = record(
        """
        import sys
        sys.setrecursionlimit(200000)
        def down(n):
            if n:
                down(n - 1)
        down(100000)
        print("done")
        """
    )
    assert tree.result.stdout == "done\n"
    assert tree.calls("down") == 100001
    assert len(list(tree.find("down"))) == 100001
    assert tree.losses() == {}


def test_generator_is_one_call_with_resumes(record) -> None:
    tree = record(
        """
        import time
        def gen(n):
            for i in range(n):
                yield i
        def main():
            for _ in gen(5):
                time.sleep(0.01)
        main()
        """
    )
    node = tree.one("gen")
    assert (node.calls, node.resumes) == (1, 5)
    assert node.suspended_ns >= 50_000_000
    assert node.self_ns < 25_000_000
    assert tree.one("sleep").wait_ns >= 40_000_000


def test_coroutines_count_one_call_and_their_suspended_time(record) -> None:
    tree = record(
        """
        import asyncio
        async def nap():
            await asyncio.sleep(0.05)
        async def main():
            await asyncio.gather(nap(), nap(), nap())
        asyncio.run(main())
        """
    )
    assert tree.calls("nap") == 3
    assert sum(n.resumes for n in tree.find("nap")) == 3
    assert sum(n.suspended_ns for n in tree.find("nap")) >= 3 * 45_000_000
    assert sum(n.self_ns for n in tree.find("nap")) < 40_000_000


def test_exceptions_end_calls(record) -> None:
    tree = record(
        """
        def deep(n):
            if n == 0:
                raise ValueError
            deep(n - 1)
        def after():
            pass
        def main():
            for _ in range(20):
                try:
                    deep(50)
                except ValueError:
                    after()
                try:
                    int("x")
                except ValueError:
                    after()
        main()
        """
    )
    assert tree.calls("deep") == 20 * 51
    assert sum(n.unwinds for n in tree.find("deep")) == 20 * 51
    assert [n.path[-2] for n in tree.find("after")] == ["main"]
    assert tree.one("after").calls == 40
    assert tree.losses() == {}


def test_what_shares_a_name_and_a_line_is_kept_apart(record) -> None:
    tree = record(
        """
        f, g = (lambda: 1), (lambda: 2)
        def main():
            for _ in range(3):
                f()
            g()
        main()
        """
    )
    assert sorted(n.calls for n in tree.find("<lambda>")) == [1, 3]


def test_exec_eval_class_bodies_and_genexprs_are_named(record) -> None:
    tree = record(
        """
        def main():
            exec("def made(): return 1\\nfor _ in range(7): made()", {})
            eval("sum(x for x in range(3))")
            class K:
                def method(self):
                    return sorted([2, 1], key=lambda v: v)
            K().method()
        main()
        """
    )
    assert tree.one("made").calls == 7
    assert tree.one("exec").kind == "c"
    assert "exec" in tree.one("made").path
    assert tree.one("<genexpr>").path[-2:] == ["sum", "<genexpr>"]
    assert tree.one("main.<locals>.K.method").calls == 1
    assert tree.one("main.<locals>.K.method.<locals>.<lambda>", "sorted").calls == 2


def test_code_objects_that_die_are_not_mistaken_for_their_successors(record) -> None:
    tree = record(
        """
        for i in range(300):
            space = {}
            exec(f"def f{i % 3}(): return {i % 3}", space)
            for _ in range(i % 3 + 1):
                space[f"f{i % 3}"]()
            del space
        """
    )
    assert [tree.calls(f"f{k}") for k in range(3)] == [100, 200, 300]
    assert len(list(tree.find("f0"))) == 1  # the same source, compiled again: the same function


def test_methods_of_built_in_types_are_named_by_the_class_that_defines_them(record) -> None:
    tree = record(
        """
        class L(list):
            pass
        def main():
            a, b = [], L()
            for i in range(4):
                a.append(i)
                b.append(i)
                list.append(b, i)
            bound = b.extend
            bound([1])
            {}.get(1)
        main()
        """
    )
    assert tree.one("list.append").calls == 12
    assert tree.one("list.extend").calls == 1
    assert tree.one("dict.get").calls == 1


def test_classes_and_other_callables_are_counted(record, python) -> None:
    if python.minor == 11:
        expected = {"K.__init__": 6, "Call.__call__": 4}  # the profile hook shows neither classes nor other callables
    else:
        expected = {"K": 6, "K.__init__": 6, "partial": 3, "Call": 4, "Call.__call__": 4}
    tree = record(
        """
        import functools
        class K:
            def __init__(self, x):
                self.x = x
        class Call:
            def __call__(self):
                return 1
        def main():
            make = functools.partial(K, 1)
            for _ in range(3):
                make()
                K(2)
            call = Call()
            for _ in range(4):
                call()
        main()
        """
    )
    for name, calls in expected.items():
        if name in ("partial", "Call"):
            assert sum(n.calls for n in tree.find(name, "main") if n.kind == "object") == calls, name
        elif name == "K":
            assert sum(n.calls for n in tree.find(name, "main") if n.kind == "class") == 3, (
                name
            )  # partial calls it from C
        else:
            assert tree.calls(name) == calls, name


def test_every_thread_is_counted_by_itself(record) -> None:
    tree = record(
        """
        import threading, time
        def leaf():
            pass
        def work(n):
            for _ in range(n):
                leaf()
        threads = [threading.Thread(target=work, args=(1000 * (i + 1),), name=f"w{i}") for i in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        """
    )
    assert tree.calls("leaf") == 10000
    assert {t["name"] for t in tree.json["threads"]} >= {"MainThread", "w0", "w1", "w2", "w3"}
    assert tree.losses() == {}


def test_threads_outlive_the_main_module(record) -> None:
    tree = record(
        """
        import threading, time
        def leaf():
            pass
        def late():
            time.sleep(0.2)
            for _ in range(500):
                leaf()
        threading.Thread(target=late).start()
        """
    )
    assert tree.calls("leaf") == 500


def test_threads_of_c_libraries_are_seen(record) -> None:
    tree = record(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        def leaf():
            pass
        @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        def run(arg):
            for _ in range(250):
                leaf()
            return 0
        handles = [ctypes.c_ulong() for _ in range(3)]
        for h in handles:
            assert libc.pthread_create(ctypes.byref(h), None, run, None) == 0
        for h in handles:
            libc.pthread_join(h, None)
        """
    )
    assert tree.calls("run") == 3
    assert tree.calls("leaf") == 750


def test_sys_exit_in_a_thread_and_in_the_program(record) -> None:
    tree = record(
        """
        import sys, threading
        def leave():
            sys.exit(5)
        t = threading.Thread(target=leave); t.start(); t.join()
        def main():
            leave()
        main()
        """,
        status=5,
    )  # fmt: skip
    assert tree.calls("leave") == 2
    assert sum(n.unwinds for n in tree.find("leave")) == 2
    assert all(n.open == 0 for n in tree.nodes)


def test_keyboard_interrupt_ends_calls(record) -> None:
    tree = record(
        """
        import signal
        def loop():
            signal.raise_signal(signal.SIGINT)
            while True:
                pass
        def main():
            try:
                loop()
            except KeyboardInterrupt:
                after()
        def after():
            pass
        main()
        """
    )
    assert tree.one("loop").unwinds == 1
    assert tree.one("after").path[-2] == "main"


def test_calls_that_a_signal_stops_before_they_begin_are_no_loss(record) -> None:
    """A handler that raises does so in a function's first instruction, before or after the event of its call."""
    tree = record(
        """
        import signal
        class Alarm(Exception): pass
        def ring(*_): raise Alarm
        signal.signal(signal.SIGALRM, ring)
        def leaf(n=2):
            if n:
                leaf(n - 1)
        def loop():
            while True:
                leaf(); leaf(); leaf(); leaf()
        def main():
            for _ in range(200):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.001)
                    loop()
                except Alarm:
                    after()
        def after():
            pass
        main()
        """
    )
    assert tree.calls("after") == 200
    assert {n.path[-2] for n in tree.find("after")} == {"main"}
    assert 100 <= tree.calls("loop") <= 200
    assert tree.losses() == {}


def test_a_thousand_short_threads_lose_nothing(record) -> None:
    tree = record(
        """
        import threading
        def leaf():
            pass
        def work():
            for _ in range(10):
                leaf()
        for _ in range(100):
            ts = [threading.Thread(target=work) for _ in range(10)]
            for t in ts: t.start()
            for t in ts: t.join()
        """
    )
    assert tree.calls("leaf") == 10000
    assert tree.calls("work") == 1000
    assert tree.losses() == {}


def test_fork_children_are_measured_as_processes_of_their_own(record) -> None:
    tree = record(
        """
        import os
        def leaf():
            pass
        for i in range(5):
            pid = os.fork()
            if pid == 0:
                for _ in range(1000):
                    leaf()
                os._exit(i)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == i
            leaf()
        """
    )
    assert tree.calls("leaf") == 5 + 5 * 1000
    assert tree.losses() == {}
    assert len(tree.json["processes"]) == 6


def test_sub_interpreters_are_counted(record) -> None:
    tree = record(
        """
        try:
            import _interpreters as sub
        except ImportError:
            import _xxsubinterpreters as sub
        i = sub.create()
        sub.run_string(i, "def f(): pass\\nfor _ in range(10): f()")
        sub.destroy(i)
        """
    )
    assert tree.losses() == {"subinterpreters": 1}
    assert tree.calls("f") == 0


@pytest.mark.since(14)  # concurrent.interpreters
def test_functions_that_were_called_go_to_another_interpreter(record) -> None:
    tree = record(
        """
        from concurrent import interpreters
        def make():
            def nested(x):
                return x * 2
            return nested
        double = lambda x: x + x
        nested = make()
        double(1), nested(1)
        i = interpreters.create()
        print(i.call(double, 20), i.call(nested, 21))
        i.close()
        """
    )
    assert tree.result.stdout == "40 42\n"
    assert tree.calls("<lambda>") == tree.calls("make.<locals>.nested") == 1


def test_code_objects_may_come_and_go_in_any_number(record) -> None:
    tree = record(
        """
        import gc
        kept = []
        def keep(n):
            pass
        for n in range(20000):
            space = {"keep": keep}
            exec(f"def f{n % 50}(): keep({n % 50})", space)
            space[f"f{n % 50}"]()
            if n % 10 == 0:
                kept.append(space)
            space = None
        gc.collect()
        for space in kept:
            next(f for name, f in space.items() if name.startswith("f"))()
        """
    )
    for n in range(50):
        assert tree.calls(f"f{n}") == 400 + (400 if n % 10 == 0 else 0)
        assert tree.calls("keep", f"f{n}") == tree.calls(f"f{n}")
    assert tree.losses() == {}


@pytest.mark.since(12)  # sys.monitoring
def test_a_second_monitoring_tool_works_beside_us(record) -> None:
    tree = record(
        """
        import sys
        mon = sys.monitoring
        seen = []
        mon.use_tool_id(2, "other")
        mon.register_callback(2, mon.events.PY_START, lambda code, offset: seen.append(code.co_name))
        mon.set_events(2, mon.events.PY_START)
        def leaf():
            pass
        for _ in range(20):
            leaf()
        mon.set_events(2, 0)
        mon.restart_events()
        for _ in range(20):
            leaf()
        print(seen.count("leaf"))
        """
    )
    assert tree.result.stdout == "20\n"
    assert tree.calls("leaf") == 40


def test_a_program_that_sets_a_profile_function_keeps_it(record, python) -> None:
    tree = record(
        """
        import sys
        seen = []
        def leaf():
            pass
        def before():
            leaf()
        before()
        sys.setprofile(lambda frame, event, arg: seen.append((frame.f_code.co_name, event)))
        for _ in range(20):
            leaf()
        sys.setprofile(None)
        print(seen.count(("leaf", "call")), seen.count(("leaf", "return")))
        """
    )
    assert tree.result.stdout == "20 20\n"
    if python.minor == 11:
        assert tree.losses()["hook_replaced"] >= 1
        assert tree.calls("leaf", "before") == 1
    else:
        assert tree.calls("leaf") == 21


def test_settrace_works_beside_us(record) -> None:
    tree = record(
        """
        import sys
        lines = []
        def tracer(frame, event, arg):
            if frame.f_code.co_name == "leaf":
                lines.append(event)
            return tracer
        def leaf():
            x = 1
            return x
        sys.settrace(tracer)
        for _ in range(5):
            leaf()
        sys.settrace(None)
        print(lines.count("call"), lines.count("line"), lines.count("return"))
        """
    )
    assert tree.result.stdout == "5 10 5\n"
    assert tree.calls("leaf") == 5


def test_start_up_is_kept_apart(record) -> None:
    tree = record(
        """
        import atexit
        def late():
            pass
        atexit.register(late)
        """
    )
    assert tree.nodes[1].name == "<module>"
    assert tree.calls("late") == 0
    assert tree.json["view"]["startup"]["calls"] > 100


def test_thread_names_do_not_run_the_programs_code(record, python, tmp_path: Path) -> None:
    tree = record(
        """
        import threading
        ran = []
        class T(threading.Thread):
            def __getattribute__(self, name):
                if name == "_name":
                    ran.append(threading.get_ident())
                return super().__getattribute__(name)
            def run(self):
                for _ in range(50):
                    leaf()
        def leaf():
            pass
        t = T(name="special")
        before = len(ran)
        t.start(); t.join()
        print(len(ran) - before)
        """
    )
    script = tmp_path / "script.py"
    import subprocess

    plain = subprocess.run([python, script], capture_output=True, text=True, check=True)
    assert tree.result.stdout == plain.stdout
    assert "special" in {t["name"] for t in tree.json["threads"]}


def test_shared_definitions_and_bound_slots_are_named_apart(record, python) -> None:
    tree = record(
        """
        class A:
            def __init__(self):
                super().__init__()
        def main():
            for _ in range(3):
                object.__new__(A)
                int.__new__(int, 1)
                A()
        main()
        """
    )
    assert tree.one("object.__new__", "main").calls == 3
    assert tree.one("int.__new__", "main").calls == 3
    if python.minor > 11:  # the profile hook does not show slots
        assert tree.one("object.__init__", "A.__init__").calls == 3
