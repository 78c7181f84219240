"""assay.web around applications of a few lines: what is measured, what is left alone, what is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tree

# `call(app)` is what a server does with a WSGI application; `ask(app)` with an ASGI one.
PRELUDE = """
import asyncio, json, logging, os, sys, threading, time
import assay, assay.web
from pathlib import Path

def leaf(): pass

def slow(n=1):
    for _ in range(n):
        leaf()
    time.sleep(.06)

def files(where="assay-requests"):
    return sorted(p.name for p in Path(where).glob("*")) if os.path.isdir(where) else []

def environ(path="/"):
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path}

def call(app, path="/"):
    started = []
    result = app(environ(path), lambda *a, **k: started.append((a, k)))
    try:
        return started, b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()

def scope(path="/"):
    return {"type": "http", "method": "GET", "path": path, "root_path": ""}

async def ask(app, path="/"):
    sent = []
    async def receive(): return {"type": "http.request"}
    async def send(message): sent.append(message)
    await app(scope(path), receive, send)
    return sent

def plain(env, start):
    slow(3)
    start("200 OK", [("A", "b")])
    return [b"ok"]

async def asked(scope, receive, send):
    leaf()
    await asyncio.sleep(.06)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.fixture
def web(inside: Any) -> Any:
    def web(source: str, **env: str) -> str:
        return inside(source, prelude=PRELUDE, **env)

    return web


def recordings(assay: Any, where: Path) -> list[tree.Tree]:
    return [tree.read(assay, path) for path in sorted(where.glob("assay-requests/*.assay"))]


def labels(recording: tree.Tree) -> dict[str, str]:
    (tag,) = [f for f in recording.json["functions"] if f["kind"] == "tag"]
    return tag["labels"]


def test_slow_request_leaves_a_recording_and_a_fast_one_none(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        def app(env, start):
            if env["PATH_INFO"] == "/slow":
                slow(5)
                time.sleep(2)
            start("200 OK", [])
            return [b"ok"]
        app = assay.web.WSGI(app, threshold=2)
        for path in ("/fast", "/slow", "/fast"):
            assert call(app, path) == ([(("200 OK", []), {})], b"ok")
        """
    )
    (recording,) = recordings(assay, tmp_path)
    assert labels(recording) == {"method": "GET", "route": "/slow", "status": "200"}
    assert (recording.calls("slow"), recording.calls("leaf")) == (1, 5)
    assert recording.losses() == {} and recording.json["session"]["duration_ns"] >= 2_000_000_000


def test_name_says_when_and_what(web: Any, tmp_path: Path) -> None:
    web(
        """
        call(assay.web.WSGI(plain, threshold=0), "/items/ö?/../x" + "y" * 200)
        (name,) = files()
        day, moment, method, rest = name.split("-", 3)
        assert (day, method) == (time.strftime("%Y%m%d"), "GET") and len(moment) == 13, name
        assert rest.startswith("items-..-xyyy") and rest.endswith("ms.assay") and len(name) < 120, name
        """
    )


def test_off_is_the_application_itself(web: Any) -> None:
    web(
        """
        assert assay.web.WSGI(plain, enabled=False) is plain and assay.web.ASGI(asked, enabled=False) is asked
        for value in ("0", "off", "No", " FALSE "):
            os.environ["ASSAY_WEB"] = value
            assert assay.web.WSGI(plain) is plain and assay.web.ASGI(asked) is asked
        os.environ["ASSAY_WEB"] = "1"
        assert assay.web.WSGI(plain) is not plain and assay.web.ASGI(asked) is not asked
        """
    )


def test_nothing_is_measured_before_the_first_request(web: Any) -> None:
    web(
        """
        app = assay.web.WSGI(plain)
        if sys.version_info >= (3, 12):
            assert [sys.monitoring.get_tool(n) for n in range(6)] == [None] * 6
        assert sys.getprofile() is None and not os.path.exists("assay-requests")
        """
    )


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_oldest_recording_goes_and_other_files_stay(web: Any, kind: str) -> None:
    web(
        f"""
        os.mkdir("r")
        for name in ("mine.assay", "20200101-000000.000000-GET-x.assay", ".x.part"):
            Path("r", name).write_text("")
        os.utime("r/.x.part", (0, 0))
        app = assay.web.{kind}({"plain" if kind == "WSGI" else "asked"}, threshold=0, directory="r", keep=3)
        for n in range(6):
            call(app, f"/{{n}}") if {kind == "WSGI"} else asyncio.run(ask(app, f"/{{n}}"))
            for t in threading.enumerate():
                t.name == "assay.web" and t.join()
        kept = files("r")
        assert kept[0] == "20200101-000000.000000-GET-x.assay" and kept[-1] == "mine.assay", kept
        assert [name.split("-")[3] for name in kept[1:-1]] == ["3", "4", "5"], kept
        """
    )


def test_list_and_exception_and_status_pass_unchanged(web: Any) -> None:
    web(
        """
        body = [b"a", b"b"]
        def app(env, start):
            start("200 OK", [], None)
            return body
        assert assay.web.WSGI(app, threshold=0)(environ(), lambda *a: None) is body
        class Mine(BaseException): pass
        error = Mine()
        def bad(env, start):
            raise error
        async def worse(scope, receive, send):
            raise error
        for run in (lambda: call(assay.web.WSGI(bad, threshold=0)), lambda: asyncio.run(ask(assay.web.ASGI(worse)))):
            try:
                run()
            except Mine as caught:
                assert caught is error
            else:
                raise AssertionError
        writes = []
        def old(env, start):
            start("200 OK", [])(b"written")
            return []
        assay.web.WSGI(old)(environ(), lambda *a: writes.append)
        assert writes == [b"written"]
        """
    )


def test_exception_is_a_label(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        def bad(env, start):
            slow(1)
            raise KeyError("x")
        def late(env, start):
            start("200 OK", [])
            yield b"a"
            slow(1)
            raise IndexError
        for app in (bad, late):
            try:
                call(assay.web.WSGI(app, threshold=.05))
            except LookupError:
                pass
        """
    )
    assert [labels(r).get("error") for r in recordings(assay, tmp_path)] == ["KeyError", "IndexError"]
    assert [r.calls("leaf") for r in recordings(assay, tmp_path)] == [1, 1]


def test_streaming_response_is_measured_until_it_is_closed(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        class Body:
            def __init__(self): self.n, self.closed = 0, 0
            def __iter__(self): return self
            def __next__(self):
                self.n += 1
                if self.n > 3: raise StopIteration
                leaf()
                return b"x"
            def close(self):
                slow(10)
                self.closed += 1
        body = Body()
        def app(env, start):
            start("200 OK", [])
            return body
        def server():
            result = assay.web.WSGI(app, threshold=.05)(environ(), lambda *a: None)
            assert next(iter(result)) == b"x"
            slow(100)  # the server's own
            assert list(result) == [b"x", b"x"] and files() == []
            result.close()
        server()
        assert body.closed == 1 and len(files()) == 1
        """
    )
    (recording,) = recordings(assay, tmp_path)
    assert recording.calls("leaf") == 13 and recording.calls("Body.__next__") in (0, 4)


def test_response_that_is_not_closed_ends_with_its_last_reference(web: Any) -> None:
    web(
        """
        def app(env, start):
            start("200 OK", [])
            yield b"x"
        result = assay.web.WSGI(app, threshold=0)(environ(), lambda *a: None)
        next(result)
        del result
        assert len(files()) == 1
        """
    )


def test_request_that_a_garbage_collection_ends_hangs_nothing(web: Any) -> None:
    """It may come wherever this thread holds the locks of the middleware."""
    web(
        """
        from assay import _requests
        def app(env, start):
            start("200 OK", [])
            yield b"x"
        result = assay.web.WSGI(app, threshold=0)(environ(), lambda *a: None)
        next(result)
        with _requests.SLOTS_OF_PROCESS.lock:
            del result
        assert len(files()) == 1
        """
    )


def test_slot_of_what_still_runs_waits_for_its_end(web: Any) -> None:
    web(
        """
        from assay import _requests
        go, there = threading.Event(), threading.Event()
        def app(env, start):
            context = __import__("contextvars").copy_context()
            def work():
                there.set()
                go.wait()
            if env["PATH_INFO"] == "/first":
                threading.Thread(target=context.run, args=(work,)).start()
                there.wait()
            start("200 OK", [])
            return [b"ok"]
        app = assay.web.WSGI(app, threshold=100)
        slots = _requests.SLOTS_OF_PROCESS
        call(app, "/first")
        assert slots.free == set() and len(slots.lingering) == 1
        call(app)
        assert slots.free == {2} and len(slots.lingering) == 1
        go.set()
        while threading.active_count() > 1:
            time.sleep(.01)
        call(app)
        assert slots.free == {1, 2} and slots.lingering == []
        """
    )


def test_file_of_the_server_passes_unchanged(web: Any) -> None:
    web(
        """
        class Wrapper:
            def __init__(self, file): self.file = file
            def __iter__(self): return iter(self.file)
        wrapped = Wrapper([b"x"])
        def app(env, start):
            return wrapped
        env = {**environ(), "wsgi.file_wrapper": Wrapper}
        assert assay.web.WSGI(app, threshold=0)(env, None) is wrapped and len(files()) == 1
        """
    )


def test_concurrent_requests_in_threads_have_their_own_work(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        gate = threading.Barrier(12)
        def app(env, start):
            n = int(env["PATH_INFO"][1:])
            gate.wait()  # all are inside
            for _ in range(n):
                leaf()
                time.sleep(.001)
            slow(0)
            start("200 OK", [])
            yield b"x"
        app = assay.web.WSGI(app, threshold=.05, keep=100, route=lambda env: "r" + env["PATH_INFO"][1:])
        for _ in range(2):
            threads = [threading.Thread(target=call, args=(app, f"/{n}")) for n in range(1, 13)]
            for t in threads: t.start()
            for t in threads: t.join()
        """
    )
    seen = [(labels(r)["route"], r.calls("leaf"), r.calls("app")) for r in recordings(assay, tmp_path)]
    assert sorted(seen) == sorted([(f"r{n}", n, 1) for n in range(1, 13)] * 2)


def test_concurrent_requests_in_one_loop_have_their_own_work(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        async def sub(n):
            for _ in range(n):
                leaf()
                await asyncio.sleep(0)
        async def app(scope, receive, send):
            n = int(scope["path"][1:])
            await asyncio.gather(sub(n), sub(n))
            await asyncio.to_thread(slow, n)
            asyncio.create_task(sub(1000))  # outlives it
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"ok"})
        app = assay.web.ASGI(app, threshold=.05)
        async def main():
            for _ in range(2):
                await asyncio.gather(*(ask(app, f"/{n}") for n in range(1, 11)))
        asyncio.run(main())
        """
    )
    seen = [(labels(r)["route"], r) for r in recordings(assay, tmp_path)]
    assert len(seen) == 20
    for route, recording in seen:
        n = int(route[1:])
        assert recording.calls("leaf", under="slow") == n and recording.calls("slow") == 1
        assert recording.calls("leaf") - recording.calls("leaf", under="slow") <= 2 * n + 1  # the task's first step


def test_work_after_the_last_byte_is_no_part_of_the_request(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        async def app(scope, receive, send):
            await asked(scope, receive, send)
            slow(100)  # a background task
            await asyncio.sleep(.3)
        asyncio.run(ask(assay.web.ASGI(app, threshold=.05)))
        """
    )
    (recording,) = recordings(assay, tmp_path)
    assert recording.calls("leaf") == 1 and recording.json["session"]["duration_ns"] < 300_000_000


def test_other_scopes_pass(web: Any) -> None:
    web(
        """
        seen = []
        async def app(scope, receive, send):
            seen.append((scope["type"], receive, send))
        async def main():
            for kind in ("lifespan", "websocket"):
                await assay.web.ASGI(app, threshold=0)({"type": kind}, 1, 2)
        asyncio.run(main())
        assert seen == [("lifespan", 1, 2), ("websocket", 1, 2)] and files() == []
        """
    )


def test_slots_are_used_again(web: Any) -> None:
    """The call tree does not grow with the number of requests."""
    web(
        """
        app = assay.web.WSGI(plain, threshold=100)
        with assay.profile() as p:
            for _ in range(200):
                app(environ(), lambda *a: None)
        tags = {f.name for f in p.recording.functions if f.kind == 5}
        assert tags == {"request=slot 1"}, tags
        """
    )


def test_more_requests_at_once_than_slots_are_not_measured(web: Any) -> None:
    web(
        """
        from assay import _requests
        app = assay.web.WSGI(plain, threshold=0, keep=1000)
        def stream(env, start):
            start("200 OK", [])
            yield b"x"
        many = [assay.web.WSGI(stream, threshold=0, keep=1000)(environ(), lambda *a: None) for _ in range(80)]
        assert all(b"".join(one) == b"x" for one in many)
        for one in many:
            one.close()
        assert len(files()) == _requests.SLOTS == 64
        call(app)
        assert len(files()) == 65
        """
    )


def test_directory_that_cannot_be_had_is_said_and_nothing_else(web: Any) -> None:
    web(
        """
        import io
        out = io.StringIO()
        logging.basicConfig(stream=out)
        Path("taken").write_text("")
        app = assay.web.WSGI(plain, threshold=0, directory="taken/x")
        assert call(app)[1] == b"ok"
        assert "the recording of GET / is lost" in out.getvalue(), out.getvalue()
        """
    )


def test_route_that_fails_is_said_and_the_path_is_taken(web: Any, assay: Any, tmp_path: Path) -> None:
    web(
        """
        logging.disable(logging.CRITICAL)
        call(assay.web.WSGI(plain, threshold=0, route=lambda env: 1 / 0), "/p")
        call(assay.web.WSGI(plain, threshold=0, route=lambda env: None), "/q")
        """
    )
    assert [labels(r)["route"] for r in recordings(assay, tmp_path)] == ["/p", "/q"]


def test_child_of_a_fork_answers(web: Any) -> None:
    web(
        """
        logging.disable(logging.CRITICAL)
        app = assay.web.WSGI(plain, threshold=0)
        call(app)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if call(app)[1] == call(app)[1] == b"ok" else 1)
        assert os.waitpid(pid, 0)[1] == 0
        call(app)
        assert len(files()) >= 2
        """
    )


def test_fork_before_the_first_request_is_measured_in_each_child(web: Any) -> None:
    """Servers load the application once, and fork their workers."""
    web(
        """
        app = assay.web.WSGI(plain, threshold=0)
        children = []
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                call(app)
                os._exit(0)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
        assert len(files()) == 2
        """
    )


def test_middleware_works_under_assay_run(assay: Any, python: Any, tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(PRELUDE + "call(assay.web.WSGI(plain, threshold=0))\ncall(assay.web.WSGI(plain, threshold=0))\n")
    whole = assay(
        "run", "--python", python, "-o", "w.assay", script, cwd=tmp_path, env={"PYTHONPATH": str(assay.libdir.parent)}
    )
    assert whole.returncode == 0, whole.stderr
    assert [r.calls("leaf") for r in recordings(assay, tmp_path)] == [3, 3]
    assert tree.read(assay, tmp_path / "w.assay").calls("leaf") == 6


def test_interpreter_without_an_agent_answers(web: Any, libdir: Path, tmp_path: Path) -> None:
    package = tmp_path / "bare" / "assay"
    shutil.copytree(libdir, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    said = web(
        """
        logging.basicConfig(stream=sys.stdout)
        app = assay.web.WSGI(plain, threshold=0)
        assert call(app)[1] == call(app)[1] == b"ok"
        assert asyncio.run(ask(assay.web.ASGI(asked, threshold=0)))[1]["body"] == b"ok"
        assert files() == []
        """,
        PYTHONPATH=str(package.parent),
    )
    assert said.count("requests are not recorded in process") == 1 and "cannot measure in this interpreter" in said


def test_importing_the_module_loads_no_framework(web: Any) -> None:
    loaded = web("print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('django', 'flask', 'starlette')]))")
    assert json.loads(loaded) == []
