"""The drop-in for cProfile: faults of the standard one, several at once, beside the rest of assay, and its own."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

START = """
import gc, json, pstats, sys, threading, time, weakref
import assay, assay.dropin
assay.dropin.install()
import cProfile, _lsprof

def leaf(n=0):
    return n
def work(n=3):
    for i in range(n):
        leaf(i)
def calls(profile):
    profile.create_stats()
    return {name: nc for (file, line, name), (cc, nc, tt, ct, callers) in profile.stats.items()}
def callers(profile, of):
    return {c[2]: v[:2] for f, (*_, found) in profile.stats.items() if f[2] == of for c, v in found.items()}
def tell(*things):
    print(json.dumps(things))
"""


@pytest.fixture
def script(python, libdir, tmp_path):
    """Run code over the installed drop-in; what it tells."""

    def run(code: str, *command: str | os.PathLike[str], status: int = 0, err: str = "") -> list:
        path = tmp_path / "script.py"
        path.write_text(START + code)
        interpreter = [python, "-W", "ignore::DeprecationWarning:__main__"]  # 3.15: of `import profile`
        env = {**os.environ, "PYTHONPATH": str(libdir.parent), "ASSAY_LIBDIR": str(libdir)}
        done = subprocess.run(
            [*(command or interpreter), path], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode, done.stderr) == (status, err)
        return json.loads(done.stdout)

    return run


# ---- faults of the standard one that ours does not have ----


def test_a_profile_measures_the_thread_that_enabled_it(script):
    """3.12 to 3.15 mix the calls of all threads on one stack."""
    found, above = script("""
def child():
    for _ in range(20):
        work(2)
        time.sleep(0.001)
threads = [threading.Thread(target=child) for _ in range(2)]
profile = cProfile.Profile()
profile.enable()
for t in threads:
    t.start()
work(5)
for t in threads:
    t.join()
profile.disable()
found = calls(profile)
tell({n: found.get(n) for n in ("work", "leaf", "child", "<built-in method time.sleep>", "start", "join")},
     callers(profile, "leaf"))
""")
    assert found["start"] == 2 and found["join"] == 2
    assert (found["work"], found["leaf"], found["child"], found["<built-in method time.sleep>"]) == (1, 5, None, None)
    assert above == {"work": [5, 5]}


def test_with_threads_every_thread_is_measured_and_none_disturbs_another(script):
    found, above, total, elapsed = script("""
def child():
    for _ in range(20):
        work(2)
        time.sleep(0.001)
threads = [threading.Thread(target=child) for _ in range(3)]
profile = cProfile.Profile(threads=True)
profile.enable()
begun = time.perf_counter()
for t in threads:
    t.start()
for t in threads:
    t.join()
elapsed = time.perf_counter() - begun
profile.disable()
found = calls(profile)
total = max(ct for (file, line, name), (cc, nc, tt, ct, _) in profile.stats.items() if name == "child")
tell({n: found.get(n) for n in ("work", "leaf", "child", "<built-in method time.sleep>")},
     callers(profile, "<built-in method time.sleep>"), total, elapsed)
""")
    assert found == {"work": 60, "leaf": 120, "child": 3, "<built-in method time.sleep>": 60}
    assert above == {"child": [60, 60]}
    assert 0 < total <= 3 * elapsed


def test_two_threads_with_profiles_of_their_own_see_their_own_calls(script):
    assert script("""
found = {}
barrier = threading.Barrier(2)
def child(n):
    profile = cProfile.Profile()
    barrier.wait()
    profile.enable()
    for _ in range(50):
        work(n)
    profile.disable()
    barrier.wait()
    found[n] = calls(profile)
threads = [threading.Thread(target=child, args=(n,)) for n in (2, 7)]
for t in threads:
    t.start()
for t in threads:
    t.join()
tell({n: (c["work"], c["leaf"]) for n, c in found.items()})
""") == [{"2": [50, 100], "7": [50, 350]}]


def test_functions_that_share_line_and_name_are_summed(script):
    """The standard one shows one of them, whichever comes last."""
    assert script("""
pair = [lambda: leaf(), lambda: leaf(1)]
profile = cProfile.Profile()
profile.enable()
pair[0](), pair[0](), pair[0](), pair[1]()
profile.disable()
entries = [e for e in profile.getstats() if getattr(e.code, "co_name", "") == "<lambda>"]
tell(calls(profile)["<lambda>"], callers(profile, "leaf"), sorted(e.callcount for e in entries))
""") == [4, {"<lambda>": [4, 4]}, [1, 3]]


def test_builtins_and_subcalls_are_left_out_where_that_is_asked_for(script):
    """3.14 and 3.15 forget what the constructor was told."""
    assert script("""
def run(profile, *args, **names):
    profile.enable(*args, **names)
    work()
    len("")
    profile.disable()
    return sorted(e.code if isinstance(e.code, str) else e.code.co_name for e in profile.getstats()), \\
        any(e.calls for e in profile.getstats())
tell(run(cProfile.Profile(builtins=False, subcalls=False)), run(cProfile.Profile(), builtins=False),
     run(cProfile.Profile(subcalls=False)), run(cProfile.Profile(builtins=False), True, True)[1])
""") == [
        [["leaf", "work"], False],
        [["leaf", "work"], True],
        [["<built-in method builtins.len>", "<method 'disable' of '_lsprof.Profiler' objects>", "leaf", "work"], False],
        True,
    ]


def test_what_counts_builtins_begins_beside_what_does_not(script):
    assert script("""
def both():
    work(1)
    len("")
without, others = cProfile.Profile(builtins=False), cProfile.Profile()
without.enable()
both()
others.enable()
both()
with assay.profile() as p:
    sorted("ab", key=lambda c: both() or 0)
others.disable()
both()
without.disable()
losses = {k: n for k, n in p.recording.session.losses.items() if n}
tell([c.get("<built-in method builtins.len>") for c in map(calls, (without, others))],
     [c["leaf"] for c in map(calls, (without, others))], sum(n.calls for n in p.recording.find("len")), losses)
""") == [[None, 3], [5, 3], 2, {}]


def test_time_of_builtins_left_out_is_their_callers(script):
    (inline, total) = script("""
def sleeps():
    time.sleep(0.05)
profile = cProfile.Profile(builtins=False)
profile.runcall(sleeps)
(entry,) = [e for e in profile.getstats() if e.code is sleeps.__code__]
tell(entry.inlinetime, entry.totaltime)
""")
    assert inline == total >= 0.05


def test_many_code_objects_in_order_overflow_no_stack(script):
    """gh-138808: the standard one walks a tree by recursion that such a program makes a list."""
    assert script("""
import resource
resource.setrlimit(resource.RLIMIT_STACK, (512 * 1024, resource.getrlimit(resource.RLIMIT_STACK)[1]))
threading.stack_size(256 * 1024)
source = "".join(f"def f{i}(): pass\\n" for i in range(20000))
names = {}
exec(source, names)
def run():
    profile = cProfile.Profile()
    profile.enable()
    for f in sorted((f for n, f in names.items() if n != "__builtins__"), key=lambda f: id(f.__code__)):
        f()
    profile.disable()
    tell(sum(e.callcount for e in profile.getstats() if getattr(e.code, "co_name", "").startswith("f")))
thread = threading.Thread(target=run)
thread.start()
thread.join()
""") == [20000]


def test_deep_recursion_overflows_no_stack(script):
    assert script("""
threading.stack_size(256 * 1024)
def deep(n):
    return n and deep(n - 1)
sys.setrecursionlimit(1000000)
profile = cProfile.Profile()
profile.runcall(deep, 50000)
def tells():
    (entry,) = [e for e in profile.getstats() if e.code is deep.__code__]
    (sub,) = entry.calls
    tell(entry.callcount, entry.reccallcount, sub.callcount, sub.reccallcount)
thread = threading.Thread(target=tells)
thread.start()
thread.join()
""") == [50001, 50000, 50000, 49999]


# ---- several at once ----


def test_profiles_nest(script):
    """Since 3.12 the second one raises ValueError."""
    assert script("""
outer, inner = cProfile.Profile(), cProfile.Profile()
outer.enable()
work(2)
inner.enable()
work(3)
inner.disable()
work(4)
outer.disable()
tell([(c["work"], c["leaf"]) for c in map(calls, (outer, inner))],
     calls(outer)["<method 'enable' of '_lsprof.Profiler' objects>"])
""") == [[[3, 9], [1, 3]], 1]


def test_profiles_overlap_and_end_in_any_order(script):
    assert script("""
profiles = [cProfile.Profile() for _ in range(4)]
for p in profiles:
    p.enable()
    work(1)
for p in profiles:
    work(1)
    p.disable()
work(5)
tell([calls(p)["leaf"] for p in profiles])
""") == [[5, 5, 5, 5]]


def test_a_profile_beside_the_python_api(script):
    assert script("""
with assay.profile() as whole:
    work(2)
    profile = cProfile.Profile()
    profile.runcall(work, 3)
    with assay.profile() as part:
        profile.runcall(work, 4)
def of(p):
    return sum(n.calls for n in p.recording.find("leaf"))
tell(of(whole), of(part), calls(profile)["leaf"])
""") == [9, 4, 7]


def test_a_profile_beside_assay_run(script, assay, python, tmp_path):
    recording = tmp_path / "whole.assay"
    command = [assay.path, "run", "-q", "-o", recording, "--python", python]
    assert script(
        """
work(2)
profile = cProfile.Profile()
for n in range(3):
    profile.enable()
    work(n)
    profile.disable()
    work(n)
tell(calls(profile)["leaf"], calls(profile)["work"])
""",
        *command,
    ) == [3, 3]
    done = assay("report", recording, "--format", "json")
    report = json.loads(done.stdout)
    assert not [r for r in report["remarks"] if "profile function" in str(r)]
    (found,) = [f for f in report["functions"] if f["name"] == "leaf"]
    assert found["calls"] == 2 * (0 + 1 + 2) + 2


def test_a_profile_that_is_dropped_while_enabled_ends(script):
    assert script("""
profile = cProfile.Profile()
profile.enable()
work()
gone = weakref.ref(profile)
del profile
other = cProfile.Profile()
other.runcall(work)
tell(calls(other)["leaf"], gone() is None or sys.version_info < (3, 12))
""") == [3, True]


def test_ended_by_another_thread(script):
    assert script("""
profile = cProfile.Profile()
profile.enable()
work()
thread = threading.Thread(target=profile.disable)
thread.start()
thread.join()
work()
tell(calls(profile)["leaf"])
""") == [3]


def test_of_a_thread_that_has_ended(script):
    assert script("""
profile = cProfile.Profile()
def child():
    profile.enable()
    work()
thread = threading.Thread(target=child)
thread.start()
thread.join()
time.sleep(0.05)
tell(calls(profile)["leaf"])
""") == [3]


# ---- what is shown ----


def test_entries_have_the_code_objects_themselves(script):
    assert script("""
profile = cProfile.Profile()
profile.enable()
work()
profile.disable()
tell([any(e.code is f.__code__ for e in profile.getstats()) for f in (leaf, work)],
     [type(e).__module__ + "." + type(e).__name__ for e in profile.getstats() if e.calls][0],
     [type(s).__name__ for e in profile.getstats() for s in e.calls or ()][0])
""") == [[True, True], "_lsprof.profiler_entry", "profiler_subentry"]


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_profile_keeps_the_code_objects_of_what_it_has_seen(script, python, seen_before):
    if python.freethreaded and seen_before:
        pytest.skip("a code object that another thread may be dropping cannot be taken there")
    assert script(f"""
def make():
    names = {{}}
    exec("def passing(): pass", names)
    return names["passing"]
profile = cProfile.Profile()
function = make()
if {seen_before}:
    with assay.profile():
        function()
gone = weakref.ref(function.__code__)
profile.enable()
function()
del function
gc.collect()
while_enabled = gone() is not None
profile.disable()
found = [e.code is gone() for e in profile.getstats() if getattr(e.code, "co_name", "") == "passing"]
profile.clear()
gc.collect()
tell(while_enabled, found, gone() is None)
""") == [True, [True], True]


def test_stats_while_it_runs_show_what_has_ended(script):
    assert script("""
profile = cProfile.Profile()
def inside():
    leaf()
    return {e.code.co_name: (e.callcount, e.reccallcount) for e in profile.getstats() if not isinstance(e.code, str)}
profile.enable()
work()
now = inside()
profile.disable()
tell(now, calls(profile)["inside"])
""") == [{"work": [1, 0], "leaf": [4, 0]}, 1]


def test_a_profile_that_saw_nothing_is_empty(script):
    assert script("""
profile = cProfile.Profile()
before = profile.getstats()
profile.disable()
profile.clear()
tell(before, profile.getstats())
""") == [[], []]


def test_times_add_up(script):
    (total, elapsed, sleeping) = script("""
def sleeps():
    time.sleep(0.03)
def main():
    for _ in range(3):
        sleeps()
    work(1000)
profile = cProfile.Profile()
begun = time.perf_counter()
profile.runcall(main)
elapsed = time.perf_counter() - begun
stats = pstats.Stats(profile)
by_name = {f[2]: v for f, v in stats.stats.items()}
tell(stats.total_tt, elapsed, by_name["<built-in method time.sleep>"][2])
""")
    assert 0.09 <= sleeping <= total <= elapsed


# ---- its own surface ----


def test_threads_and_a_timer_exclude_each_other(script):
    assert script("""
try:
    cProfile.Profile(time.perf_counter, threads=True)
except ValueError as e:
    tell(str(e))
""") == ["a timer of its own measures one thread: threads=True goes without"]


def test_a_timer_beside_other_profiles(script):
    assert script("""
ticks = iter(range(10**6))
timed, plain = cProfile.Profile(lambda: next(ticks), 1.0), cProfile.Profile()
plain.enable()
timed.enable()
work(2)
timed.disable()
work(3)
plain.disable()
entry = [e for e in timed.getstats() if e.code is work.__code__][0]
tell([(c["work"], c["leaf"]) for c in map(calls, (timed, plain))], entry.totaltime, entry.inlinetime)
""") == [[[1, 2], [2, 5]], 5.0, 3.0]


def test_a_timer_sees_its_own_thread_only(script):
    assert script("""
ticks = iter(range(10**6))
profile = cProfile.Profile(lambda: next(ticks), 1.0)
profile.enable()
thread = threading.Thread(target=work, args=(7,))
thread.start()
thread.join()
work(2)
profile.disable()
tell(calls(profile)["leaf"])
""") == [2]


def test_a_timer_may_drop_its_profile(script):
    assert script("""
def timer():
    global profile
    profile = None
    return 0
profile = cProfile.Profile(timer)
profile.enable()
work()
tell(profile)
""") == [None]


def test_install_and_uninstall(script):
    assert script("""
import profile
ours = cProfile.Profile, sys.modules["profiling.tracing"].Profile
assay.dropin.uninstall()
import cProfile as standard
again = issubclass(standard.Profile, assay._agent.Profiler)
assay.dropin.install()
import cProfile as third
tell([issubclass(p, assay._agent.Profiler) for p in ours], again, issubclass(third.Profile, assay._agent.Profiler),
     profile.Profile.__module__, assay.dropin.path())
""")[:4] == [[True, True], False, True, "profile"]


def test_the_modules_can_be_had_beside_the_standard_ones(python, libdir):
    code = (
        "import cProfile, assay.dropin.cProfile as c, assay.dropin.profiling.tracing as t, assay.dropin._lsprof as l; "
        "p = c.Profile(); p.runcall(len, ''); p.create_stats(); "
        "print(issubclass(c.Profile, l.Profiler), t.Profile is c.Profile, issubclass(cProfile.Profile, l.Profiler), "
        "len(p.stats))"
    )
    env = {**os.environ, "PYTHONPATH": str(libdir.parent)}
    done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == "True True False 2\n", done.stderr


def test_what_else_profiling_holds_stays_importable(python, libdir):
    code = "import profiling.tracing, profiling.sampling; print(profiling.sampling.__file__)"
    env = {**os.environ, "PYTHONPATH": str(libdir / "dropin")}
    done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True)
    if python.minor >= 15:
        assert "sampling" in done.stdout
    else:
        assert "No module named 'profiling.sampling'" in done.stderr


def test_profiles_of_profile_subclasses_in_the_wild_are_the_standard_ones(script):
    assert script("""
import profile
class Mine(profile.Profile):
    def trace_dispatch_call(self, frame, t):
        return super().trace_dispatch_call(frame, t)
    dispatch = dict(profile.Profile.dispatch, call=trace_dispatch_call)
p = Mine()
p.runcall(work)
p.create_stats()
tell([v[1] for f, v in p.stats.items() if f[2] == "leaf"])
""") == [[3]]


def test_a_thousand_profiles_leak_nothing(script):
    grown, refs = script("""
import resource
def once():
    profile = cProfile.Profile()
    profile.enable()
    work()
    profile.disable()
    profile.getstats()
for _ in range(200):
    once()
gc.collect()
before, refs = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sys.getrefcount(leaf.__code__)
for _ in range(2000):
    once()
gc.collect()
tell(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sys.getrefcount(leaf.__code__) - refs)
""")
    assert grown < 2000  # KiB
    assert refs == 0


def test_command_measures_every_thread(assay, python, tmp_path):
    script = tmp_path / "threads.py"
    script.write_text("""
import threading
def child():
    for _ in range(7):
        leaf()
def leaf():
    pass
threads = [threading.Thread(target=child) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
import cProfile, assay._agent
print(issubclass(cProfile.Profile, assay._agent.Profiler))
""")
    done = assay("cprofile", "--python", str(python), "-s", "name", script, cwd=tmp_path)
    assert done.stdout.startswith("True\n"), done.stderr
    assert any(line.split()[:1] == ["21"] and line.endswith("(leaf)") for line in done.stdout.splitlines())
    assert any(line.split()[:1] == ["3"] and line.endswith("(child)") for line in done.stdout.splitlines())


# ---- forks ----

FORKED = """
import os
def in_child(function):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.write(write, json.dumps(function()).encode())
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(os.read(read, 100000))
def fresh(n=3):
    profile = cProfile.Profile()
    profile.runcall(work, n)
    return calls(profile)["leaf"]
"""


def test_a_fork_child_profiles_itself(script):
    assert script(
        FORKED
        + """
fresh()
tell(in_child(fresh), in_child(lambda: in_child(lambda: fresh(4))), fresh(5))
"""
    ) == [3, 4, 5]


def test_a_profile_that_a_fork_crosses_keeps_what_ended_before_and_can_be_enabled_again(script):
    """What was counted between its enabling and the fork is the parent's alone."""
    assert script(
        FORKED
        + """
profile = cProfile.Profile()
profile.runcall(work, 2)
profile.enable()
work(4)
def child():
    work(10)
    profile.disable()
    profile.runcall(work, 1)
    return calls(profile)["leaf"]
found = in_child(child)
profile.disable()
tell(found, calls(profile)["leaf"])
"""
    ) == [3, 6]


def test_workers_of_a_forked_pool_profile_their_tasks(script):
    assert script("""
import multiprocessing
def task(n):
    profile = cProfile.Profile()
    profile.runcall(work, n)
    return calls(profile)["leaf"]
profile = cProfile.Profile()
with profile:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(task, range(1, 8))
tell(found, "map" in calls(profile))
""") == [[1, 2, 3, 4, 5, 6, 7], True]
