"""Profiles that several threads begin, end and read at once."""

from functools import partial

import pytest


@pytest.fixture
def inside(inside):
    return partial(inside, prelude="import assay, threading, time, sys\n", timeout=120)


def test_stop_ends_what_some_start_began(inside):
    inside(
        """
        sys.setswitchinterval(1e-6)
        errors = []
        barrier = threading.Barrier(4)
        def work():
            barrier.wait()
            for _ in range(100):
                try:
                    begun = assay.start()
                    assert not assay.stop().running
                except Exception as e:
                    errors.append(repr(e))
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert errors == []
        try:
            assay.stop()
        except RuntimeError as e:
            assert "without start" in str(e)
        else:
            raise AssertionError
        """
    )


def test_a_profile_is_read_while_it_begins_again(inside):
    inside(
        """
        p = assay.profile()
        with p: pass
        stop, others = False, []
        def repeat(how):
            while not stop:
                try:
                    how()
                except RuntimeError as e:
                    if "still running" not in str(e):
                        others.append(str(e))
        def begin():
            with p: pass
        for read, seconds in ((p.bytes, 3), (lambda: len(p.recording.threads), 0.5)):
            stop = False
            threads = [threading.Thread(target=repeat, args=(how,)) for how in (begin, read)]
            for t in threads: t.start()
            time.sleep(seconds)
            stop = True
            for t in threads: t.join()
        assert others == []
        """
    )


def test_the_recording_is_of_the_last_time_the_profile_ran(inside):
    inside(
        """
        import assay.recording
        def f(): pass
        p = assay.profile()
        with p: f()
        load = assay.recording.load
        def slow(source):
            made = load(source)
            assay.recording.load = load
            with p:
                f(), f()
            return made
        assay.recording.load = slow
        assert p.recording.find("f")[0].calls == 1
        assert p.recording.find("f")[0].calls == 2
        assert p.recording is p.recording
        """
    )


def test_a_call_of_c_that_a_profile_did_not_see_begin_is_not_its_own(inside):
    inside(
        """
        import queue
        begun = threading.Barrier(3)
        held = threading.Lock()
        held.acquire()
        def returns():
            begun.wait()
            held.acquire()
        def raises():
            empty = queue.SimpleQueue()
            begun.wait()
            try:
                empty.get(timeout=0.7)
            except queue.Empty:
                pass
        threads = [threading.Thread(target=func) for func in (returns, raises)]
        with assay.profile():
            for t in threads: t.start()
            begun.wait()
            time.sleep(0.1)
        time.sleep(0.4)  # nobody's
        with assay.profile() as second:
            held.release()
            for t in threads: t.join()
        assert dict(second.recording.processes[0].losses) == {}
        length = second.recording.session.duration_ns
        spent = {t.name: sum(t.self_ns) for t in second.recording.threads}
        assert all(ns <= length for ns in spent.values()), (spent, length)
        """
    )


def test_calls_of_c_in_the_middle_of_a_stack_were_open_before_and_are_no_loss(inside):
    inside(
        """
        import functools
        def innermost():
            global p
            p = assay.profile(); p.__enter__()
        def inner(_):
            functools.reduce(lambda *_: innermost(), (1, 2))
            return 0
        def outer():
            sorted([1], key=inner)
            after()
        def after(): len("")
        outer()
        p.__exit__(None, None, None)
        assert dict(p.recording.processes[0].losses) == {}, dict(p.recording.processes[0].losses)
        assert [n.calls for n in p.recording.find("after")] == [1]
        """
    )
