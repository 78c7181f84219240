"""assay.profile, start and stop in the process itself: what each recording holds."""

import json
import subprocess
from functools import partial

import pytest

COUNTS = ("calls", "resumes", "unwinds", "open")

PRELUDE = """
import threading
import assay
def w(): pass
def v(): w()
def calls(p):
    "Calls of Python functions of this script, by name."
    out = {}
    for t in p.recording.threads:
        for n in t:
            if n.function and n.function.kind == 1 and n.function.file.endswith("script.py"):
                out[n.function.name] = out.get(n.function.name, 0) + n.calls
    return {name: n for name, n in out.items() if n}
"""


@pytest.fixture
def inside(inside):
    return partial(inside, prelude=PRELUDE, timeout=300)


def test_profile_counts_what_runs_inside(inside):
    inside(
        """
        v()
        with assay.profile() as p:
            assert p.running
            v(); w()
        v()
        assert not p.running
        assert calls(p) == {"v": 1, "w": 2}
        [thread] = p.recording.threads
        assert thread.main and thread.name == "MainThread" and len(p.recording.processes) == 1
        tops = [n.function.name for n in thread if n.parent == 0]
        assert tops == ["<module>"], tops
        module = thread.node(1)
        assert module.inherited and module.calls == 0 and module.open == 1
        assert module.total_ns >= thread.node(2).total_ns
        assert sum(thread.self_ns) <= p.recording.session.duration_ns
        """
    )


def test_second_profile_starts_from_nothing(inside):
    inside(
        """
        for n in range(5):
            with assay.profile() as p:
                for _ in range(n):
                    v()
            assert calls(p) == ({"v": n, "w": n} if n else {}), (n, calls(p))
        """
    )


def test_profiles_nest(inside):
    inside(
        """
        with assay.profile() as outer:
            v()
            with assay.profile() as inner:
                w()
            v()
        assert calls(outer) == {"v": 2, "w": 3}
        assert calls(inner) == {"w": 1}
        """
    )


def test_one_profile_entered_twice_lasts_to_the_last_exit(inside):
    inside(
        """
        p = assay.profile()
        with p:
            w()
            with p:
                w()
            w()
        assert calls(p) == {"w": 3}
        with p:
            v()
        assert calls(p) == {"v": 1, "w": 1}
        """
    )


def test_profiles_of_several_threads_overlap(inside):
    inside(
        """
        first, second = threading.Event(), threading.Event()
        results = {}
        def one():
            with assay.profile() as p:
                w()
                first.set(); second.wait()
            results["one"] = p
        def two():
            first.wait()
            with assay.profile() as p:
                v()
            results["two"] = p
            second.set()
        threads = [threading.Thread(target=f) for f in (one, two)]
        for t in threads: t.start()
        for t in threads: t.join()
        seen = calls(results["one"]), calls(results["two"])
        assert seen[0]["v"] == 1 and seen[0]["w"] == 2, seen
        assert seen[1] == {"v": 1, "w": 1}, seen
        """
    )


def test_start_and_stop_deep_in_the_stack(inside):
    inside(
        """
        def deep(n):
            if n:
                return deep(n - 1)
            p = assay.start()
            w()
            return p
        p = deep(20)
        v()
        assert assay.stop() is p
        assert calls(p) == {"v": 1, "w": 2}, calls(p)
        names = [n.function.name for n in p.recording.threads[0] if n.function and n.inherited]
        assert names.count("deep") == 21 and names[0] == "<module>", names
        assert not p.recording.processes[0].losses
        """
    )


def test_stop_deeper_than_start(inside):
    inside(
        """
        def deep(n):
            if n:
                return deep(n - 1)
            return assay.stop()
        assay.start()
        p = deep(3)
        assert calls(p) == {"deep": 4}
        assert sum(n.open for n in p.recording.find("deep")) == 4
        try:
            assay.stop()
        except RuntimeError as e:
            assert "without start" in str(e)
        else:
            raise AssertionError
        """
    )


def test_generator_suspended_over_start_and_stop(inside):
    inside(
        """
        def gen():
            for _ in range(3):
                w()
                yield
        g = gen(); next(g)
        with assay.profile() as p:
            next(g)
        next(g)
        with assay.profile() as q:
            for _ in g: pass
        assert calls(p) == {"w": 1}
        [node] = p.recording.find("gen")
        assert node.calls == 0 and node.resumes == 1 and node.open == 0
        assert node.suspended_ns == 0, "it was suspended before measuring began"
        [node] = q.recording.find("gen")
        assert node.calls == 0 and node.resumes == 1
        assert not q.recording.processes[0].losses
        """
    )


def test_exception_in_the_body_goes_on(inside):
    inside(
        """
        def fail():
            raise KeyError("x")
        try:
            with assay.profile() as p:
                fail()
        except KeyError as e:
            assert e.args == ("x",)
        else:
            raise AssertionError
        assert calls(p) == {"fail": 1}
        [node] = p.recording.find("fail")
        assert node.unwinds == 1
        """
    )


def test_decorator_measures_each_call(inside):
    inside(
        """
        import asyncio, inspect
        p, q = assay.profile(), assay.profile()
        @p
        def f(n):
            "doc"
            if n:
                f(n - 1)
            w()
        f(0)
        f(2)
        assert calls(p) == {"f": 3, "w": 3}, calls(p)
        assert f.__name__ == "f" and f.__doc__ == "doc"
        @q
        async def g():
            await asyncio.sleep(0)
            w()
        assert inspect.iscoroutinefunction(g)
        asyncio.run(g())
        assert calls(q) == {"g": 1, "w": 1}, calls(q)
        """
    )


def test_own_calls_are_no_nodes(inside):
    inside(
        """
        with assay.profile() as p:
            with assay.profile() as q:
                q.running
            assay.start()
            assay.stop()
            w()
        names = {n.function.name for t in p.recording.threads for n in t if n.function}
        assert names == {"<module>", "w"}, names
        """
    )


def test_tags_and_the_ones_open_before(inside):
    inside(
        """
        def tags(p):
            nodes = [n for t in p.recording.threads for n in t]
            return {n.function.name: dict(n.function.labels) for n in nodes if n.function and n.function.kind == 5}
        def under(p, name):
            out = {}
            for t in p.recording.threads:
                for n in t:
                    if n.function and n.function.name == name:
                        up, chain = n, []
                        while up.parent is not None:
                            up = t.node(up.parent)
                            if up.function and up.function.kind == 5:
                                chain.append(up.function.name)
                        key = tuple(reversed(chain))
                        out[key] = out.get(key, 0) + n.calls
            return out
        def inner():
            with assay.tag(inner="2"):
                with assay.profile() as p:
                    w()
                    with assay.tag(b="3"):
                        w()
                w()
            return p
        with assay.tag(outer=1):
            p = inner()
            v()
        assert under(p, "w") == {("outer=1", "inner=2"): 1, ("outer=1", "inner=2", "b=3"): 1}, under(p, "w")
        assert tags(p)["b=3"] == {"b": "3"}
        assert not p.recording.processes[0].losses
        with assay.tag(outer=1):
            q = assay.start()
            w()
        w()
        assay.stop()
        assert under(q, "w") == {("outer=1",): 1, (): 1}, under(q, "w")
        assert not q.recording.processes[0].losses
        """
    )


def test_events_are_off_when_nothing_is_measured(inside):
    inside(
        """
        import sys
        with assay.profile():
            pass
        if hasattr(sys, "monitoring"):
            tool = [i for i in range(6) if sys.monitoring.get_tool(i) == "assay"]
            assert [sys.monitoring.get_events(i) for i in tool] == [0]
        assert sys.getprofile() is None
        """
    )


def test_many_short_threads_fit(inside):
    inside(
        """
        import resource
        def job():
            w()
        def storm(n):
            for _ in range(n // 50):
                threads = [threading.Thread(target=job) for _ in range(50)]
                for t in threads: t.start()
                for t in threads: t.join()
        N = 10_000
        with assay.profile() as p:
            storm(500)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            storm(N)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 60_000, (before, after)
        assert calls(p)["job"] == calls(p)["w"] == N + 500
        assert len(p.recording.threads) < 400
        assert sum(t.threads for t in p.recording.threads) == N + 501
        assert not p.recording.processes[0].losses
        """
    )


def test_thread_that_began_before_is_measured_from_its_first_event(inside):
    inside(
        """
        go, done = threading.Event(), threading.Event()
        def job():
            w()
            go.wait()
            v()
            done.set()
            stop.wait()
        stop = threading.Event()
        t = threading.Thread(target=job); t.start()
        with assay.profile() as p:
            go.set()
            done.wait()
        stop.set(); t.join()
        assert calls(p) == {"v": 1, "w": 1}, calls(p)
        """
    )


def test_cycles_leak_nothing(inside):
    inside(
        """
        import gc, resource
        def cycle():
            p = assay.profile()
            with p:
                with assay.tag(a=1):
                    v()
            p.recording.find("v")
        for _ in range(200):
            cycle()
        gc.collect()
        objects, memory = len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(1000):
            cycle()
        gc.collect()
        assert len(gc.get_objects()) - objects < 50
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 4_000
        """
    )


def test_profile_before_its_end_has_no_recording(inside):
    inside(
        """
        p = assay.profile()
        def text(f):
            try:
                f()
            except RuntimeError as e:
                return str(e)
        assert "never started" in text(lambda: p.recording)
        with p:
            assert "still running" in text(lambda: p.recording)
            assert "still running" in text(p.bytes)
        assert p.recording is p.recording
        assert "not running" in text(lambda: p.__exit__(None, None, None))
        """
    )


def test_forked_child_measures_itself_and_not_what_a_fork_crossed(inside):
    inside(
        """
        import os
        def ours(): pass
        with assay.profile() as p:
            ours()
            pid = os.fork()
            if pid == 0:
                w()
        if pid == 0:
            try:
                p.recording
            except RuntimeError as e:
                assert "fork" in str(e)
                with assay.profile() as p:
                    ours(), ours()
                assert sum(n.calls for n in p.recording.find("ours")) == 2
                assert [q.pid for q in p.recording.processes] == [os.getpid()]
                assert not any(p.recording.session.losses.values()), p.recording.session.losses
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        assert sum(n.calls for n in p.recording.find("ours")) == 1
        """
    )


def test_inside_assay_run(assay, python, inside, tmp_path):
    inside(
        """
        def before(): w()
        threads = [threading.Thread(target=before) for _ in range(5)]
        for t in threads: t.start()
        for t in threads: t.join()
        import time; time.sleep(0.5)  # their memory is given back
        with assay.profile() as p:
            before()
            t = threading.Thread(target=v); t.start(); t.join()
        v()
        assert calls(p) == {"before": 1, "v": 1, "w": 2}, calls(p)
        """,
        assay.path,
        "run",
        "--python",
        python,
        "-o",
        "run.assay",
    )
    shown = assay("report", tmp_path / "run.assay", "--format", "json")
    data = json.loads(shown.stdout)
    counted = {f["name"]: f["calls"] for f in data["functions"] if f["file"].endswith("script.py")}
    assert counted["before"] == 6 and counted["v"] == 2 and counted["w"] == 8


SAVED = """
def r(n):
    if n:
        r(n - 1)
def g():
    for _ in range(3):
        yield len([])
with assay.profile() as p:
    r(3)
    with assay.tag(customer="acme"):
        list(g())
    t = threading.Thread(target=v); t.start(); t.join()
p.save("saved.assay")
assert assay.open("saved.assay").threads == p.recording.threads
"""


def test_report_and_recording_say_the_same(inside, assay, tmp_path, libdir, python):
    inside(SAVED)
    data = json.loads(assay("report", tmp_path / "saved.assay", "--format", "json").stdout)
    functions = {f["id"]: f["name"] for f in data["functions"]}

    def path(nodes, i):
        out = []
        while nodes[i]["function"] is not None:
            out.append(functions[nodes[i]["function"]])
            i = nodes[i]["parent"]
        return tuple(out)

    reported = {}
    for i, n in enumerate(data["nodes"]):
        if n["function"] is not None:
            key = path(data["nodes"], i)
            reported[key] = [a + n[k] for a, k in zip(reported.get(key, [0] * 4), COUNTS, strict=True)]
    dump = """
import json, sys, assay
out = []
for t in assay.open(sys.argv[1]).threads:
    for n in t:
        names, up = [], n
        while up.parent is not None:
            names.append(up.function.name); up = t.node(up.parent)
        if names:
            out.append([names, [n.calls, n.resumes, n.unwinds, n.open], n.self_ns])
json.dump(out, sys.stdout)
"""
    done = subprocess.run(
        [python, "-c", dump, tmp_path / "saved.assay"],
        env={"PYTHONPATH": str(libdir.parent)},
        capture_output=True,
        text=True,
    )
    read, self_ns = {}, 0
    for names, counts, self_time in json.loads(done.stdout):
        read[tuple(names)] = [a + b for a, b in zip(read.get(tuple(names), [0] * 4), counts, strict=True)]
        self_ns += self_time
    assert read == reported
    left = sum(n["self_ns"] for n in data["nodes"] if n["function"] is not None)
    assert abs(self_ns - left - data["view"]["taken_off_ns"]) <= self_ns // 100 + 1000


def test_columns_are_views_without_a_copy(inside):
    inside(
        """
        with assay.profile() as p:
            v()
        t = p.recording.threads[0]
        for name in ("parent", "function", "kind", "open"):
            assert getattr(t, name).format == "I" and getattr(t, name).readonly
        for name in ("calls", "resumes", "unwinds", "self_ns", "wait_ns", "suspended_ns"):
            column = getattr(t, name)
            assert column.format == "Q" and column.shape == (len(t),) and column.strides == (64,) and column.readonly
        assert t.total_ns[0] == sum(t.self_ns)
        calls = t.calls
        del t, p
        assert sum(calls) == 2
        """
    )


def test_damaged_recording_names_the_byte(inside):
    inside(
        SAVED
        + """
data = open("saved.assay", "rb").read()
def problem(data):
    open("bad.assay", "wb").write(data)
    try:
        assay.open("bad.assay")
    except assay.RecordingError as e:
        return str(e)
assert "bad.assay" in problem(b"not a recording at all") and isinstance(assay.RecordingError("x"), ValueError)
import re
assert any(re.search(r"[0-9]", problem(data[:n]) or "") for n in (3, 10)), problem(data[:10])
open("bad.assay", "wb").write(data[:-40])
cut = assay.open("bad.assay")
assert not cut.session.complete and cut.session.cut_at > 0
try:
    assay.open("missing.assay")
except FileNotFoundError:
    pass
else:
    raise AssertionError
"""
    )


def test_name_of_a_recording_may_be_bytes_and_is_in_every_error(inside):
    inside(
        SAVED
        + """
import os, pathlib
class Bytes:
    def __fspath__(self):
        return b"saved.assay"
wanted = assay.open("saved.assay").threads
for name in (b"saved.assay", pathlib.Path("saved.assay"), Bytes()):
    assert assay.open(name).threads == wanted, name
open("bad.assay", "wb").write(b"nothing")
os.mkdir("folder.assay")
for name, error in (("bad", assay.RecordingError), ("missing", FileNotFoundError), ("folder", IsADirectoryError)):
    for given in (f"{name}.assay", f"{name}.assay".encode()):
        try:
            assay.open(given)
        except error as e:
            assert f"{name}.assay" in str(e), str(e)
        else:
            raise AssertionError(given)
for wrong in (3, None):
    try:
        assay.open(wrong)
    except TypeError:
        pass
    else:
        raise AssertionError(wrong)
"""
    )


# 3.12 on: no tool id is left. 3.11: this thread's one hook is another's.
TOOLS_ARE_TAKEN = """
import sys
for i in (3, 4, 5):
    sys.monitoring.use_tool_id(i, "other")
try:
    assay.start()
except RuntimeError as e:
    assert "tool id" in str(e)
else:
    raise AssertionError
sys.monitoring.free_tool_id(4)
"""
HOOK_IS_TAKEN = """
import sys
seen = []
def other(frame, event, arg):
    seen.append((event, frame.f_code.co_name))
sys.setprofile(other)
with assay.profile() as p:
    v()
assert sys.getprofile() is other
sys.setprofile(None)
for name in "vw":
    assert seen.count(("call", name)) == seen.count(("return", name)) == 1, seen
assert calls(p) == {} and p.recording.processes[0].losses == {"hook_replaced": 1}, p.recording
"""


def test_what_another_has_taken_is_left_to_it_and_told(inside, python):
    inside(
        (HOOK_IS_TAKEN if python.minor == 11 else TOOLS_ARE_TAKEN)
        + """
with assay.profile() as p:
    v()
assert calls(p) == {"v": 1, "w": 1} and p.recording.processes[0].losses == {}, p.recording
"""
    )


def test_tags_and_profiles_decorate_one_function_and_nothing_else(inside):
    inside(
        """
        for manager, name in ((assay.tag(a=1), "a tag"), (assay.profile(), "a profile")):
            assert manager(v)() is None and manager(v).__wrapped__ is v
            for args, names in (((), {}), ((v, v), {}), ((v,), {"x": 1}), ((), {"func": v})):
                try:
                    manager(*args, **names)
                except TypeError as e:
                    assert str(e) == name + " is called with a function, to decorate it", e
                else:
                    raise AssertionError
            for wrong in (1, int):
                try:
                    manager(wrong)
                except TypeError as e:
                    assert "cannot decorate" in str(e), e
                else:
                    raise AssertionError
        """
    )


# How a program takes away what tells us of its calls: our tool, on 3.11 our hook in its thread.
TAKES_THE_TOOL = """
mon = sys.monitoring
def ours():
    return next(i for i in range(6) if mon.get_tool(i) == "assay")
def stolen():
    i = ours()
    mon.free_tool_id(i)
    mon.use_tool_id(i, "other")
    mon.register_callback(i, mon.events.PY_START, lambda code, offset: None)
    mon.set_events(i, mon.events.PY_START | mon.events.PY_RETURN)
ways = [
    lambda: mon.set_events(ours(), 0),
    lambda: [mon.register_callback(ours(), 1 << e, None) for e in range(9)],
    lambda: list(map(mon.set_events, [ours()], [0])),
    lambda: mon.free_tool_id(ours()),
    stolen,
]
"""
TAKES_THE_HOOK = """
import cProfile
def other(frame, event, arg):
    pass
def profiled(profiler):
    profiler.enable()
    v()
    profiler.disable()
ways = [
    lambda: sys.setprofile(None),
    lambda: [sys.setprofile(hook) for hook in (other, None)],
    lambda: list(map(sys.setprofile, [other, None])),
    lambda: profiled(cProfile.Profile()),
    lambda: profiled(type("Mine", (cProfile.Profile,), {})()),
]
"""


def test_tool_that_was_taken_away_is_told_and_taken_anew(inside, python):
    inside(
        "import sys\n"
        + (TAKES_THE_HOOK if python.minor == 11 else TAKES_THE_TOOL)
        + """
def lost(p):
    return p.recording.processes[0].losses.get("hook_replaced", 0)
for way in ways:
    with assay.profile() as outer:
        v()
        way()
        v()
        with assay.profile() as inner:  # sees all again
            v()
    assert lost(outer) == 1, (way, lost(outer))
    assert lost(inner) == 0 and calls(inner) == {"v": 1, "w": 1}, (way, lost(inner), calls(inner))
    way()  # while nothing is measured: no loss
    with assay.profile() as p:
        v()
    assert lost(p) == 0 and calls(p) == {"v": 1, "w": 1}, (way, lost(p), calls(p))
"""
    )


def test_file_size_limit_of_the_process_is_borne_or_told(inside):
    inside(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # deadly
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        try:
            assay.start()
        except RuntimeError as e:
            assert "ulimit -f" in str(e), e
        else:
            raise AssertionError
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 << 20, resource.RLIM_INFINITY))
        with assay.profile() as p:
            v()
        assert calls(p) == {"v": 1, "w": 1}
        """
    )


COPIES = """
import importlib.machinery, importlib.util, pathlib, shutil, sys
name = next(pathlib.Path(assay.__file__).parent.glob("_agent*" + importlib.machinery.EXTENSION_SUFFIXES[0]))
copy = shutil.copy(name.resolve(), ".")
def load(path):
    loader = importlib.machinery.ExtensionFileLoader("assay._agent", path)
    spec = importlib.util.spec_from_loader("assay._agent", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
"""


def test_another_copy_of_the_agent_attaches_to_the_first(inside):
    inside(
        COPIES
        + """
other = load(copy)
assert other.tag is assay.tag and other.profile is assay.profile
with other.profile() as p:
    with assay.profile() as q:
        v()
assert calls(p) == calls(q) == {"v": 1, "w": 1}
"""
    )


def test_copy_attaches_to_the_agent_that_assay_run_brought(inside, assay, python, tmp_path, libdir):
    package = tmp_path / "copied" / "assay"
    package.mkdir(parents=True)
    for file in (*libdir.glob("*.py"), *libdir.glob("_agent*.so")):
        (package / file.name).write_bytes(file.read_bytes())
    inside(
        """
        assert "copied" in assay.__file__
        with assay.tag(a="1"):
            w()
        """,
        assay.path,
        "run",
        "--python",
        python,
        "-o",
        "run.assay",
        PYTHONPATH=str(package.parent),
    )
    data = json.loads(assay("report", tmp_path / "run.assay", "--format", "json").stdout)
    [tag] = [f["id"] for f in data["functions"] if f["kind"] == "tag"]
    assert [n["calls"] for n in data["nodes"] if n["function"] == tag] == [1]


def test_threads_begin_and_end_profiles_at_once(inside):
    inside(
        """
        import sys
        sys.setswitchinterval(1e-5)
        def mine(): pass
        wrong = []
        def job(n):
            for i in range(n):
                with assay.profile() as p:
                    for _ in range(i % 3 + 1):
                        mine()
                found = {}
                for t in p.recording.threads:
                    found[t.native_id] = sum(x.calls for x in t if x.function and x.function.name == "mine")
                if found.get(threading.get_native_id()) != i % 3 + 1:
                    wrong.append((i, found))
        threads = [threading.Thread(target=job, args=(100,)) for _ in range(6)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert not wrong, wrong[:3]
        """
    )


def test_values_of_a_recording_are_hashable_and_nodes_are_counted_from_0(inside):
    inside(
        """
        def f(): pass
        with assay.profile() as p:
            with assay.tag(job="x"):
                f()
        r = p.recording
        [n] = r.find("f")
        again = assay.profile()
        other = type(r)(r.session, r.processes, r.threads, r.functions)
        for value in (n, n.function, r.threads[0], r.processes[0], r.session, r, *r.functions, *r.threads[0]):
            assert value in {value: 1}
        assert other == r and hash(other) == hash(r)
        assert r.threads[0].node(len(r.threads[0]) - 1).id == len(r.threads[0]) - 1
        for wrong in (-1, -len(r.threads[0]), len(r.threads[0])):
            try:
                r.threads[0].node(wrong)
            except IndexError as e:
                assert str(wrong) in str(e)
            else:
                raise AssertionError(wrong)
        """
    )
