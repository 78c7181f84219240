"""Programs that do the allowed at the worst moment: the agent does not end them, nor change what they see."""

import pytest

LEGACY = """
import sys
try:
    import _interpreters as s
except ImportError:
    import _xxsubinterpreters as s
i = s.create("legacy") if sys.version_info >= (3, 13) else s.create(isolated=False)
"""


def test_import_in_a_sub_interpreter_leaves_the_main_one_alone(inside):
    inside(
        """
        import assay
        said = "try:\\n import assay\\nexcept ImportError: pass"
        s.run_string(i, said) if sys.version_info < (3, 13) else s.exec(i, said)
        with assay.profile() as p, assay.tag(a="b"):
            sorted([])
        names = {n.function.name for t in p.recording.threads for n in t if n.function}
        assert {"a=b", "sorted"} <= names, names
        """,
        prelude=LEGACY,
        PYTHONWARNINGS="ignore::RuntimeWarning",  # of an interpreter that is left at the end
    )


def test_profile_that_an_exception_drops_loses_no_exception(inside):
    inside(
        """
        import assay
        def f():
            [assay.profile().__enter__(), 1 / 0]
        for _ in range(3):
            try:
                f()
            except ZeroDivisionError:
                continue
            raise SystemExit("the exception is gone")
        """
    )


def test_tag_that_ends_below_very_many_others(inside):
    inside(
        """
        import assay
        tags = [assay.tag(i=0) for _ in range(300_000)]
        for t in tags:
            t.__enter__()
        tags[0].__exit__(None, None, None)
        tags[-1].__exit__(None, None, None)
        """
    )


def test_str_of_a_label_that_waits_for_the_end_of_the_measurement(inside):
    inside(
        """
        import assay, threading
        asked, ended = threading.Event(), threading.Event()
        class V:
            def __str__(self):
                asked.set(); ended.wait(); return "v"
        t = assay.tag(v=V())  # nothing is measured: it has no text yet
        p = assay.start()
        def work():
            with t:
                sorted([])
        thread = threading.Thread(target=work)
        thread.start()
        asked.wait()
        assay.stop()
        ended.set()
        thread.join()
        assert not p.running
        """
    )


def test_str_of_a_label_that_ends_the_measurement(inside):
    inside(
        """
        import assay
        class V:
            def __str__(self):
                assay.stop(); return "v"
        t = assay.tag(v=V())
        p = assay.start()
        with t:
            sorted([])
        assert not p.running
        """
    )


def test_str_of_a_label_in_a_context_that_ends_the_measurement(inside):
    inside(
        """
        import assay, contextvars
        class V:
            def __str__(self):
                assay.stop(); return "v"
        def context():
            with assay.tag(v=V()):
                return contextvars.copy_context()
        contexts = [context() for _ in range(3)]
        for c in contexts:
            p = assay.start()
            c.run(lambda: sorted([]))
            if p.running:  # the interpreter says nothing of the switch: a new stack reads the chain
                assay.stop()
        """
    )


def test_collector_that_runs_python_code_as_frames_are_read(inside):
    inside(
        """
        import assay, gc, threading
        from time import sleep
        class Cycle:
            def __del__(self):
                sleep(0.3)
        def deep(n):
            if n:
                return deep(n - 1)
            while go:
                sleep(0.01)
        go = True
        gc.disable()
        thread = threading.Thread(target=deep, args=(200,))
        thread.start()
        sleep(0.05)
        c = Cycle()
        c.me = c
        del c
        gc.set_threshold(1, 1, 1)
        p = assay.profile()
        p.__enter__()
        gc.enable()
        sleep(0.1)  # the thread's first event is in here
        gc.disable()
        p.__exit__(None, None, None)
        sleep(0.4)
        go = False
        thread.join()
        """
    )


def test_interrupt_in_str_of_a_label_is_raised(inside):
    inside(
        """
        import assay, signal
        class V:
            def __str__(self):
                interrupts and signal.raise_signal(signal.SIGINT)
                return "v"
        interrupts = True
        t = assay.tag(v=V())
        t.__enter__()
        try:
            with assay.profile():
                pass
        except KeyboardInterrupt:
            interrupts = False
        assert not interrupts
        with assay.profile() as p:  # once more
            pass
        assert "v=v" in {n.function.name for t in p.recording.threads for n in t if n.function}
        """
    )


@pytest.mark.parametrize("after", [0.0002, 0.0004, 0.0006, 0.0008, 0.0012])
def test_signals_handler_that_raises_in_the_first_profile_is_heard(inside, after):
    inside(
        f"""
        import assay, signal
        class Timeout(BaseException):
            pass
        def handler(*_):
            raise Timeout
        signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, {after})
            with assay.profile():
                signal.sigtimedwait([], 1)  # in case it did not come before
            raise SystemExit("swallowed")
        except Timeout:
            pass
        with assay.profile() as p:
            sorted([])
        names = {{n.function.name for t in p.recording.threads for n in t if n.function}}
        assert "sorted" in names
        """
    )


def test_signals_handler_that_ran_in_the_calibration_has_its_name_later(inside):
    inside(
        """
        import assay, signal
        def handler(*_): pass
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
        p = assay.profile()
        p.__enter__()
        signal.setitimer(signal.ITIMER_REAL, 0)
        handler()
        p.__exit__(None, None, None)
        names = {n.function.name for t in p.recording.threads for n in t if n.function}
        assert "handler" in names and "?" not in names, names
        """
    )


def test_hooks_of_the_program_see_no_code_of_ours(inside):
    inside(
        """
        import assay, sys
        seen = set()
        def hook(frame, event, arg):
            seen.add(frame.f_code.co_filename)
            return hook
        for switch in sys.setprofile, sys.settrace:
            switch(hook)
        with assay.profile():
            pass
        assert sys.getprofile() is sys.gettrace() is hook
        before = set(seen)
        seen.clear()
        (lambda: None)()
        after = set(seen)
        for switch in sys.setprofile, sys.settrace:
            switch(None)
        assert "<assay>" not in before and __file__ in after, (before, after)
        """
    )


def test_constant_whose_hash_gives_up_the_gil(inside):
    inside(
        """
        import assay, threading, time
        asked = []
        class K:
            def __hash__(self):
                asked.append(1); time.sleep(0.01); return 1
        def f(): pass
        def fresh():
            for i in range(2000):
                exec(f"def h{i}(): pass\\nh{i}()")
        functions = [type(f)(f.__code__.replace(co_consts=(None, (K(), i))), {}) for i in range(20)]
        asked.clear()
        with assay.profile():
            thread = threading.Thread(target=fresh)
            thread.start()
            for g in functions:
                g()
            thread.join()
        assert not asked
        """
    )


def test_recording_is_had_in_a_fork_child_of_threads_that_end(inside):
    inside(
        """
        import assay, os, signal, threading
        with assay.profile() as done:
            pass
        names = {}
        exec("\\n".join(f"def f{i}(): pass" for i in range(1000)), names)
        functions = [f for name, f in names.items() if name[0] == "f"]
        open_ones = [assay.profile().__enter__() for _ in range(20)]
        go = True
        def job():
            for f in functions:
                f()
        def churn():
            while go:
                t = threading.Thread(target=job)
                t.start()
                t.join()
        churning = threading.Thread(target=churn)
        churning.start()
        for _ in range(30):
            pid = os.fork()
            if pid == 0:
                signal.alarm(2)
                done.bytes()
                os._exit(0)
            if os.waitpid(pid, 0)[1] != 0:
                os._exit(1)  # it hung
        go = False
        churning.join()
        """,
        PYTHONWARNINGS="ignore::DeprecationWarning",  # of a fork beside threads
    )


HANDED_OVER = """
import assay, contextvars, threading
def leaf(): pass
def after(): pass
def gen(shared):
    with shared or assay.tag(job="g"):
        yield 1
        leaf()
        yield 2
def worker(generators):
    for g in generators:
        for _ in g: pass
    after()
def paths(p):
    out = {}
    for t in p.recording.threads:
        for n in t:
            if n.function and n.function.name in ("leaf", "after") and n.calls:
                key, up = [], n
                while up.id:
                    if up.function.name in ("leaf", "after", "job=g", "worker", "gen"):
                        key.append(up.function.name)
                    up = t.node(up.parent)
                key = " < ".join(key)
                out[key] = out.get(key, 0) + n.calls
    return out
"""


@pytest.mark.parametrize("shared", ["None", "assay.tag(job='g')"])
@pytest.mark.parametrize("where", ["thread", "context"])
def test_tag_of_a_generator_ends_where_that_ends(inside, where, shared):
    inside(
        f"""
        with assay.profile() as p:
            shared = {shared}
            generators = [gen(shared) for _ in range(5)]
            for g in generators: next(g)
            if {where!r} == "thread":
                t = threading.Thread(target=worker, args=(generators,))
                t.start()
                t.join()
            else:
                contextvars.Context().run(worker, generators)
            contextvars.copy_context().run(after)
        assert paths(p) == {{"leaf < job=g < gen < worker": 5, "after < worker": 1, "after": 1}}, paths(p)
        assert not p.recording.processes[0].losses, p.recording.processes[0].losses
        """,
        prelude=HANDED_OVER,
    )


def test_context_holds_no_tag_that_ended_elsewhere(inside):
    inside(
        """
        import assay, gc, queue, sys, threading, weakref
        class Label:
            def __str__(self): return "l"
        def gen(label):
            with assay.tag(job=label):
                yield
        todo = queue.Queue(100)
        def worker():
            while (g := todo.get()) is not None:
                for _ in g: pass
        thread = threading.Thread(target=worker)
        thread.start()
        left = []
        for i in range(2000):
            label = Label()
            left.append(weakref.ref(label))
            g = gen(label)
            next(g)
            todo.put(g)
        todo.put(None)
        thread.join()
        del label, g
        gc.collect()
        with assay.tag(a="b"):
            pass
        alive = sum(ref() is not None for ref in left)
        assert alive < 10, alive
        """
    )


def test_name_of_a_class_is_had_without_the_programs_code(inside):
    """Nor is a lock of ours held meanwhile: a function that dies would wait for it."""
    inside(
        """
        import assay
        class Key(str):
            def __hash__(self): return hash("__module__")
            def __eq__(self, other): return str.__eq__(self, other)
        C = type("C", (), {Key("other"): 1})
        space = {}
        exec("def dying(): pass", space)
        dying = [space["dying"]]
        del space["dying"]
        ran = []
        def equal(self, other):
            ran.append(other)
            dying.clear()
            return str.__eq__(self, other)
        Key.__eq__ = equal
        with assay.profile() as p:
            dying[0]()
            C()
        assert ran == [] and p.recording.find("dying"), ran
        """
    )
