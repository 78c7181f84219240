"""assay.web in Flask, Django and Starlette, each under a real server with requests at once."""

from __future__ import annotations

import re
import subprocess
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tree
from packages import with_package

COMMON = """
import sys, time
import assay.web

SLOW = {"threshold": .05, "directory": "r", "keep": 100}

def leaf(): pass

def work(n):
    for _ in range(n):
        leaf()
    time.sleep(.06)
"""

FLASK = """
from flask import Flask, Response
import waitress

app = Flask("app")

@app.get("/items/<int:n>")
def item(n):
    work(n)
    return f"item {n}"

@app.get("/stream/<int:n>")
def stream(n):
    def body():
        for _ in range(n):
            leaf()
            yield b"x"
        work(n)
    return Response(body())

@app.get("/bad/<int:n>")
def bad(n):
    work(n)
    raise KeyError(n)

@app.get("/fast")
def fast():
    leaf()
    return "fast"

app.wsgi_app = assay.web.WSGI(app.wsgi_app, **SLOW)
server = waitress.create_server(app, host="127.0.0.1", port=0, threads=6)
print("port", server.effective_port, flush=True)
server.run()
"""

DJANGO = """
import django
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import include, path

settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", SECRET_KEY="x", MIDDLEWARE=[])
django.setup()

def item(request, n):
    work(n)
    return HttpResponse(f"item {n}")

def stream(request, n):
    def body():
        for _ in range(n):
            leaf()
            yield b"x"
        work(n)
    return StreamingHttpResponse(body())

def bad(request, n):
    work(n)
    raise KeyError(n)

def fast(request):
    leaf()
    return HttpResponse("fast")

shop = [path("items/<int:n>", item), path("stream/<int:n>", stream), path("bad/<int:n>", bad), path("fast", fast)]
urlpatterns = [path("", include(shop))]
"""

DJANGO_WSGI = (
    DJANGO
    + """
import socketserver
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from django.core.wsgi import get_wsgi_application

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Handler(WSGIRequestHandler):
    def log_message(self, *_): pass

server = Server(("127.0.0.1", 0), Handler)
server.set_app(assay.web.WSGI(get_wsgi_application(), **SLOW))
print("port", server.server_port, flush=True)
server.serve_forever()
"""
)

UVICORN = """
import socket, uvicorn

sock = socket.socket()
sock.bind(("127.0.0.1", 0))
print("port", sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, loop="asyncio", log_level="critical", lifespan="off")).run([sock])
"""

DJANGO_ASGI = (
    DJANGO
    + """
from django.core.asgi import get_asgi_application
app = assay.web.ASGI(get_asgi_application(), **SLOW)
"""
    + UVICORN
)

STARLETTE = (
    """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

async def step(n):
    for _ in range(n):
        leaf()
        await asyncio.sleep(0)

async def item(request):
    n = request.path_params["n"]
    await asyncio.gather(step(n - n // 2), step(n // 2))
    await asyncio.sleep(.06)
    return PlainTextResponse(f"item {n}")

def threaded(request):
    work(request.path_params["n"])
    return PlainTextResponse("threaded")

async def stream(request):
    n = request.path_params["n"]
    async def body():
        for _ in range(n):
            leaf()
            yield b"x"
        await step(n)
        await asyncio.sleep(.06)
    return StreamingResponse(body())

async def bad(request):
    await step(request.path_params["n"])
    await asyncio.sleep(.06)
    raise KeyError(1)

async def fast(request):
    leaf()
    return PlainTextResponse("fast")

app = Starlette(routes=[
    Route("/items/{n:int}", item), Route("/stream/{n:int}", stream), Route("/bad/{n:int}", bad), Route("/fast", fast),
    Mount("/in", routes=[Route("/threads/{n:int}", threaded)]),
])
app.add_middleware(assay.web.ASGI, **SLOW)
"""
    + UVICORN
)

Ask = Callable[[str], tuple[int, bytes]]


@contextmanager
def serving(python: Path, source: str, libdir: Path, folder: Path) -> Iterator[Ask]:
    """A server in a process of its own, and what asks it."""
    script = folder / "server.py"
    script.write_text(COMMON + textwrap.dedent(source))
    env = {"PYTHONPATH": str(libdir.parent), "PYTHONWARNINGS": "ignore"}
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(
            [python, script], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
        )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split()
        assert port, (folder / "server.log").read_text()

        def ask(path: str) -> tuple[int, bytes]:
            for _ in range(200):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=30) as answer:
                        return answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    return error.code, b""
                except urllib.error.URLError:  # not listening yet
                    time.sleep(0.05)
            raise AssertionError((folder / "server.log").read_text())

        yield ask
    finally:
        server.kill()
        server.wait()


def ask_all(ask: Ask, paths: list[str]) -> dict[str, tuple[int, bytes]]:
    """All at once."""
    got: dict[str, tuple[int, bytes]] = {}
    threads = [threading.Thread(target=lambda p=path: got.update({p: ask(p)})) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def found(assay: Any, folder: Path, count: int) -> list[tuple[str, str, str, tree.Tree]]:
    """Method, route, status or error, and the tree of each recording, but for the fast ones that were slow."""
    deadline = time.monotonic() + 30
    paths: list[Path] = []
    while len(paths) < count and time.monotonic() < deadline:
        time.sleep(0.05)
        paths = sorted(path for path in folder.glob("r/*.assay") if "-GET-fast-" not in path.name)
    out = []
    for path in paths:
        recording = tree.read(assay, path)
        (labels,) = [f["labels"] for f in recording.json["functions"] if f["kind"] == "tag"]
        out.append((labels["method"], labels["route"], labels.get("status") or labels["error"], recording))
    return out


CASES = {
    "flask": (("flask", "waitress"), FLASK, "/items/<int:n>", "/stream/<int:n>", "/bad/<int:n>"),
    "django-wsgi": (("django",), DJANGO_WSGI, "/items/<int:n>", "/stream/<int:n>", "/bad/<int:n>"),
    "django-asgi": (("django", "uvicorn"), DJANGO_ASGI, "/items/<int:n>", "/stream/<int:n>", "/bad/<int:n>"),
    "starlette": (("starlette", "uvicorn"), STARLETTE, "/items/{n:int}", "/stream/{n:int}", "/bad/{n:int}"),
}


@pytest.mark.parametrize("case", CASES)
def test_requests_at_once_each_leave_their_own_work(
    assay: Any, python: Any, libdir: Path, tmp_path: Path, case: str
) -> None:
    packages, source, item, stream, bad = CASES[case]
    items, streams, bads = range(1, 9), range(20, 23), range(30, 32)
    with serving(with_package(python, *packages), source, libdir, tmp_path) as ask:
        assert ask("/fast") == (200, b"fast")
        paths = [f"/items/{n}" for n in items] + [f"/stream/{n}" for n in streams] + [f"/bad/{n}" for n in bads]
        got = ask_all(ask, [*paths, *["/fast"] * 3])
        assert all(got[f"/items/{n}"] == (200, f"item {n}".encode()) for n in items)
        assert all(got[f"/stream/{n}"] == (200, b"x" * n) for n in streams)
        assert all(got[f"/bad/{n}"][0] == 500 for n in bads)
        seen = found(assay, tmp_path, len(paths))
    assert sorted((route, recording.calls("leaf")) for _, route, _, recording in seen) == sorted(
        [(item, n) for n in items] + [(stream, 2 * n) for n in streams] + [(bad, n) for n in bads]
    )
    failed = "KeyError" if case == "starlette" else "500"  # its own middleware stands outside of ours
    for method, route, status, recording in seen:
        assert (method, status) == ("GET", failed if route == bad else "200")
        assert recording.losses() == {}
        assert recording.json["session"]["duration_ns"] >= 50_000_000


def test_work_in_the_threads_of_starlette_is_its_requests(
    assay: Any, python: Any, libdir: Path, tmp_path: Path
) -> None:
    with serving(with_package(python, "starlette", "uvicorn"), STARLETTE, libdir, tmp_path) as ask:
        got = ask_all(ask, [f"/in/threads/{n}" for n in range(1, 7)])
        assert set(got.values()) == {(200, b"threaded")}
        seen = found(assay, tmp_path, 6)
    assert sorted(recording.calls("leaf") for *_, recording in seen) == [1, 2, 3, 4, 5, 6]
    assert {route for _, route, _, _ in seen} == {"/in/threads/{n:int}"}
    assert all(len(recording.json["threads"]) == 2 for *_, recording in seen)


def test_names_of_files_say_the_route(assay: Any, python: Any, libdir: Path, tmp_path: Path) -> None:
    with serving(with_package(python, "flask", "waitress"), FLASK, libdir, tmp_path) as ask:
        ask("/items/7")
        found(assay, tmp_path, 1)
    (path,) = (tmp_path / "r").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}\.\d{6}-GET-items-int-n-\d+ms\.assay", path.name)
    summary = assay("report", "--summary", path).stdout
    assert "route: /items/<int:n>" in summary and "work" in summary
