"""Middleware that leaves one recording for each slow request.

    app.wsgi_app = assay.web.WSGI(app.wsgi_app)                  # Flask
    application = assay.web.WSGI(get_wsgi_application())         # Django
    app.add_middleware(assay.web.ASGI, threshold=0.2)            # Starlette, FastAPI
    application = assay.web.ASGI(get_asgi_application())

threshold:  seconds from which on a request is slow
directory:  where recordings go; made when the first one comes
keep:       how many stay there; the oldest goes
route:      what a request is called, a function of the environ or scope; None, or without it: the framework's
            template, else the path
enabled:    False, or ASSAY_WEB=0 in the environment: the application itself is returned, and nothing is measured

A recording holds what ran for its request: in its thread, and in the tasks and threads that inherited its context. It
has the labels `method`, `route` and `status`, or `error`.
Source: docs/integrations.md.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from os import PathLike
from threading import Thread
from typing import Any

from ._requests import Recorder, Request, Route, recorder, switched_off

__all__ = ["ASGI", "WSGI"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]


def WSGI(
    app: WSGIApplication,
    *,
    threshold: float = 0.5,
    directory: str | PathLike[str] = "assay-requests",
    keep: int = 20,
    route: Route | None = None,
    enabled: bool = True,
) -> WSGIApplication:
    """A WSGI application around `app`. Requests last until what they return is closed."""
    if switched_off(enabled):
        return app
    return MeasuredWSGI(app, recorder(threshold, directory, route, keep))


def ASGI(
    app: ASGIApplication,
    *,
    threshold: float = 0.5,
    directory: str | PathLike[str] = "assay-requests",
    keep: int = 20,
    route: Route | None = None,
    enabled: bool = True,
) -> ASGIApplication:
    """An ASGI application around `app`. HTTP requests last until the end of the response is sent."""
    if switched_off(enabled):
        return app
    return MeasuredASGI(app, recorder(threshold, directory, route, keep))


# ---- routes ----


def flask_route(environ: Mapping[str, Any]) -> str | None:
    """The rule that Werkzeug's request of this environ matched. Known while the response is started."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return None if rule is None else str(rule.rule)


def django_route(path: str) -> str | None:
    """The route of Django that this path resolves to."""
    if "django.core.handlers.base" not in sys.modules:
        return None
    try:
        return "/" + str(sys.modules["django.urls"].resolve(path).route)
    except Exception:  # no settings, no such path
        return None


def starlette_route(scope: Mapping[str, Any], root: str) -> str | None:
    """The path of the route that Starlette, or what is built on it, took; below the mounts that led there."""
    mounts = str(scope.get("root_path", "")).removeprefix(root)
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return mounts + str(path)
    endpoint = scope.get("endpoint")
    todo = [("", getattr(scope.get("router"), "routes", ()))]  # versions that do not tell
    while todo:
        prefix, routes = todo.pop()
        for route in routes:
            here = prefix + getattr(route, "path", "")
            if endpoint is not None and getattr(route, "endpoint", None) is endpoint:
                return here
            todo.append((here, getattr(route, "routes", None) or ()))
    return None


# ---- WSGI ----


class MeasuredWSGI:
    def __init__(self, app: WSGIApplication, to: Recorder) -> None:
        self.app, self.to = app, to

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = self.to.begin()
        if request is None:
            return self.app(environ, start_response)
        call = Call(request, environ)

        def start(status: str, *rest: Any, **named: Any) -> Any:
            request.labels["status"] = str(status)[:3]
            call.rule = flask_route(environ)
            return start_response(status, *rest, **named)

        try:
            with request.tag:
                result = self.app(environ, start)
        except BaseException as error:
            request.failed(error)
            call.end()
            raise
        if is_whole(result, environ):
            call.end()
            return result
        return Response(result, call)


def is_whole(result: Iterable[bytes], environ: Environ) -> bool:
    """Nothing of the application runs any more; servers look at the length of a list, and send files by themselves."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(result, (list, tuple, bytes)) or (isinstance(wrapper, type) and isinstance(result, wrapper))


class Call:
    """A request, what it was asked, and what came of it."""

    def __init__(self, request: Request, environ: Environ) -> None:
        self.request, self.environ = request, environ
        self.rule: str | None = None

    def end(self) -> None:
        if self.request.finish():
            self.request.file(str(self.environ.get("REQUEST_METHOD", "")), self.route)

    def route(self) -> str:
        path = str(self.environ.get("PATH_INFO") or "/")
        return self.request.recorder.asked(self.environ) or self.rule or django_route(path) or path


class Response:
    """What the application returned; each of its steps runs inside the request's tag."""

    def __init__(self, result: Iterable[bytes], call: Call) -> None:
        self.result, self.call = result, call
        self.items: Iterator[bytes] | None = None

    def __iter__(self) -> Response:
        return self

    def __next__(self) -> bytes:
        request = self.call.request
        if request.seconds >= 0:  # closed, and asked again
            self.items = iter(self.result) if self.items is None else self.items
            return next(self.items)
        try:
            with request.tag:
                if self.items is None:
                    self.items = iter(self.result)
                return next(self.items)
        except StopIteration:
            raise
        except BaseException as error:
            request.failed(error)
            raise

    def close(self) -> None:
        close = getattr(self.result, "close", None)
        request = self.call.request
        if request.seconds >= 0:
            if close is not None:
                close()
            return
        try:
            if close is not None:
                with request.tag:
                    close()
        except BaseException as error:
            request.failed(error)
            raise
        finally:
            self.call.end()

    def __del__(self) -> None:
        try:
            if self.call.request.seconds < 0:  # a server that does not close
                self.call.end()
        except Exception:  # at the interpreter's end, without modules
            pass


# ---- ASGI ----


class MeasuredASGI:
    def __init__(self, app: ASGIApplication, to: Recorder) -> None:
        self.app, self.to = app, to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self.to.begin() if scope["type"] == "http" else None
        if request is None:
            await self.app(scope, receive, send)
            return
        root = str(scope.get("root_path", ""))

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.labels["status"] = str(message["status"])
            try:
                await send(message)
            finally:
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    request.stop()  # what runs on is not what the client waited for

        try:
            with request.tag:
                await self.app(scope, receive, sent)
        except BaseException as error:
            request.failed(error)
            raise
        finally:
            if request.finish():
                self.file(request, scope, root)

    def file(self, request: Request, scope: Scope, root: str) -> None:
        def route() -> str:
            path = str(scope.get("path", "/"))
            known = self.to.asked(scope) or starlette_route(scope, root)
            return known or django_route(path.removeprefix(root)) or path

        writer = Thread(target=request.file, args=(str(scope.get("method", "")), route), name="assay.web")
        try:
            writer.start()  # the loop goes on
        except RuntimeError:  # the interpreter ends
            writer.run()
