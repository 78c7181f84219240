#!/usr/bin/env python3
"""Record the events that an interpreter raises for small programs, for tests/c/core/replay_trace_test.c.

    python3.13 tools/record_trace.py [PROGRAM ...]

runs each tests/c/core/traces/PROGRAM.py (all, without an argument) under the Python that runs this script,
and writes tests/c/core/traces/VERSION-PROGRAM.trace: the events in the words of replay.h, then the tree that
they should make. Times are made up: event n comes 1 + n % 9 ticks after the one before. The tree is computed
here, by code that shares nothing with the C.

3.11 is recorded with PyEval_SetProfile, which tells an exception from a return; later ones with
sys.monitoring. The standard library's functions that a program runs are a part of its trace.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import dis
import gc
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRACES = Path(__file__).resolve().parent.parent / "tests" / "c" / "core" / "traces"
# CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR
SUSPENDS = 0x20 | 0x80 | 0x100 | 0x200
NAME_MAX = 90


@dataclass(frozen=True)
class Event:
    """What happened; `frame` is 0 for a frame that cannot be suspended."""

    kind: str
    code: types.CodeType
    frame: int = 0
    callee: str = ""

    def words(self, name: Callable[[types.CodeType], str]) -> str:
        place = name(self.code) + (f"@{self.frame}" if self.frame else "")
        return f"{self.kind} {place}" + (f" {self.callee}" if self.callee else "")


def is_python_function(callee: object) -> bool:
    if isinstance(callee, types.MethodType):
        return is_python_function(callee.__func__)
    return isinstance(callee, types.FunctionType)


def callee_name(callee: object) -> str:
    """The name by which replay.h knows a callable that is not a Python function."""
    if isinstance(callee, types.MethodType):
        callee = callee.__func__
    if isinstance(callee, type):
        return f"class:{callee.__qualname__}"
    name = getattr(callee, "__qualname__", None)
    is_c = type(callee).__name__ in (
        "builtin_function_or_method",
        "method_descriptor",
        "wrapper_descriptor",
        "method-wrapper",
        "classmethod_descriptor",
    )
    return name if is_c and name else f"object:{type(callee).__qualname__}"


class Frames:
    """Small numbers for the frames that can be suspended; a new one for each that starts."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {}
        self.last = 0

    def of(self, frame: types.FrameType, start: bool = False) -> int:
        if not frame.f_code.co_flags & SUSPENDS:
            return 0
        if start or id(frame) not in self.number:
            self.last += 1
            self.number[id(frame)] = self.last
        return self.number[id(frame)]


class Log:
    """Events as they are raised, and those that no interpreter raises, of frames that delegate: what is thrown
    into them goes straight to the innermost. They go on with it and are suspended with it; what an interpreter
    raises when they go on themselves is left out. 3.11 does not always raise that: `ran` tells of a frame that runs.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.frames = Frames()
        self.suspended: set[int] = set()
        self.delegating: set[int] = set()

    def add(self, kind: str, frame: types.FrameType) -> None:
        number = self.frames.of(frame, kind == "START")
        if kind == "THROW":
            if number in self.delegating:
                self.delegating.remove(number)
                return
            self.throw_past(frame)
        self.put(kind, frame.f_code, number)
        if kind == "YIELD":
            self.yield_past(frame)

    def put(self, kind: str, code: types.CodeType, number: int) -> None:
        self.events.append(Event(kind, code, number))
        self.delegating.discard(number)
        (self.suspended.add if kind == "YIELD" else self.suspended.discard)(number)

    def throw_past(self, frame: types.FrameType) -> None:
        outer = []
        while (back := frame.f_back) is not None and self.frames.of(back) in self.suspended:
            outer.append(back)
            frame = back
        for back in reversed(outer):
            self.put("THROW", back.f_code, self.frames.of(back))
            self.delegating.add(self.frames.of(back))

    def yield_past(self, frame: types.FrameType) -> None:
        while (back := frame.f_back) is not None and self.frames.of(back) in self.delegating:
            self.put("YIELD", back.f_code, self.frames.of(back))
            frame = back

    def ran(self, frame: types.FrameType | None) -> None:
        number = self.frames.of(frame) if frame is not None else 0
        self.delegating.discard(number)
        if frame is not None and number in self.suspended:
            self.put("RESUME", frame.f_code, number)


def record_monitoring(run: Callable[[], object]) -> list[Event]:
    """All events while `run` runs, by sys.monitoring."""
    mon: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    events = mon.events
    log = Log()

    def python(kind: str) -> Callable[..., None]:
        return lambda *_: log.add(kind, sys._getframe(1))

    def native(kind: str) -> Callable[..., None]:
        def callback(code: types.CodeType, offset: int, callee: object, _: object) -> None:
            if not is_python_function(callee):
                log.events.append(Event(kind, code, 0, callee_name(callee) if kind == "CALL" else ""))

        return callback

    callbacks = {
        events.PY_START: python("START"),
        events.PY_RESUME: python("RESUME"),
        events.PY_THROW: python("THROW"),
        events.PY_YIELD: python("YIELD"),
        events.PY_RETURN: python("RETURN"),
        events.PY_UNWIND: python("UNWIND"),
        events.CALL: native("CALL"),
        events.C_RETURN: native("C_RETURN"),
        events.C_RAISE: native("C_RAISE"),
    }
    mon.use_tool_id(4, "record_trace")
    mask = 0
    for event, callback in callbacks.items():
        mon.register_callback(4, event, callback)
        mask |= event
    mon.set_events(4, mask)
    run()
    mon.set_events(4, 0)
    mon.free_tool_id(4)
    return log.events


def entry_kind(frame: types.FrameType) -> str:
    """3.11: START, RESUME or THROW, by the instruction at which a frame is entered."""
    code = frame.f_code.co_code
    if frame.f_lasti < 0 or dis.opname[code[frame.f_lasti]] != "RESUME":
        return "THROW"
    return "START" if code[frame.f_lasti + 1] == 0 else "RESUME"


def exit_kind(frame: types.FrameType, value: int | None) -> str:
    """3.11: UNWIND (there is no value), YIELD or RETURN, by the instruction at which a frame is left."""
    if value is None:
        return "UNWIND"
    return "YIELD" if dis.opname[frame.f_code.co_code[frame.f_lasti]] == "YIELD_VALUE" else "RETURN"


def record_setprofile(run: Callable[[], object]) -> list[Event]:
    """All events while `run` runs, by PyEval_SetProfile."""
    log = Log()
    objects = [ctypes.py_object, ctypes.py_object]
    signature = ctypes.PYFUNCTYPE(ctypes.c_int, *objects, ctypes.c_int, ctypes.c_void_p)

    def callback(_: object, frame: types.FrameType, what: int, value: Any) -> int:
        code = frame.f_code
        if what == 0:
            kind = entry_kind(frame)
            if kind != "THROW":
                log.ran(frame.f_back)
            log.add(kind, frame)
            return 0
        log.ran(frame)
        if what == 3:
            log.add(exit_kind(frame, value), frame)
        elif what == 4:
            log.events.append(Event("CALL", code, 0, callee_name(ctypes.cast(value, ctypes.py_object).value)))
        elif what in (5, 6):
            log.events.append(Event("C_RAISE" if what == 5 else "C_RETURN", code))
        return 0

    hook = signature(callback)
    ctypes.pythonapi.PyEval_SetProfile.argtypes = [ctypes.c_void_p, ctypes.py_object]
    ctypes.pythonapi.PyEval_SetProfile.restype = None
    ctypes.pythonapi.PyEval_SetProfile(ctypes.cast(hook, ctypes.c_void_p), None)
    run()
    ctypes.pythonapi.PyEval_SetProfile(None, None)
    return log.events


def record(path: Path) -> list[Event]:
    """The events of one program, from its module's start to its end. It is run once before, unseen."""
    recorder = record_monitoring if hasattr(sys, "monitoring") else record_setprofile
    code = compile(path.read_text(), str(path), "exec")
    exec(code, {"__name__": "warm"})
    gc.collect()
    gc.disable()
    log = recorder(lambda: exec(code, {"__name__": path.stem}))
    gc.enable()
    first = next(i for i, e in enumerate(log) if e.code is code and e.kind == "START")
    ends = ("RETURN", "UNWIND")
    last = next(i for i in reversed(range(len(log))) if log[i].code is code and log[i].kind in ends)
    return log[first : last + 1]


class Names:
    """A name for each code object: its qualified name, with a number where several share it."""

    def __init__(self, log: list[Event]) -> None:
        self.name: dict[types.CodeType, str] = {}
        seen: collections.Counter[str] = collections.Counter()
        codes: dict[int, types.CodeType] = {id(e.code): e.code for e in log}
        self.by_id: dict[int, str] = {}
        for key, code in codes.items():
            name = code.co_qualname[-NAME_MAX:]
            seen[name] += 1
            self.by_id[key] = name if seen[name] == 1 else f"{name}%{seen[name]}"

    def __call__(self, code: types.CodeType) -> str:
        return self.by_id[id(code)]


@dataclass
class Node:
    """A call path. Times in ticks."""

    label: str
    calls: int = 0
    resumes: int = 0
    self: int = 0
    wait: int = 0
    suspended: int = 0
    unwinds: int = 0
    open: int = 0
    children: dict[str, Node] = field(default_factory=dict)

    def child(self, label: str) -> Node:
        return self.children.setdefault(label, Node(label))

    def lines(self, indent: int = 0) -> list[str]:
        counts = "".join(
            f" {word}={getattr(self, word)}"
            for word in ("calls", "resumes", "self", "wait", "suspended", "unwinds", "open")
            if getattr(self, word)
        )
        own = "  " * indent + self.label + counts
        return [own] + [line for child in self.children.values() for line in child.lines(indent + 1)]


def tree_of(log: list[Event], name: Callable[[types.CodeType], str]) -> list[str]:
    """The tree that the events should make, in the form of replay_text."""
    root = Node("root")
    stack: list[tuple[tuple[bool, int], Node]] = []
    suspended: dict[int, int] = {}
    losses: collections.Counter[str] = collections.Counter()
    now = 0
    for n, event in enumerate(log):
        top = stack[-1][1] if stack else root
        now += 1 + n % 9
        top.self += 1 + n % 9
        native = event.kind in ("CALL", "C_RETURN", "C_RAISE")
        token = (native, id(event.code))
        if event.kind == "CALL":
            plain = ":" not in event.callee
            stack.append((token, top.child(event.callee + (" (c)" if plain else ""))))
            stack[-1][1].calls += 1
        elif event.kind == "START":
            stack.append((token, top.child(name(event.code))))
            stack[-1][1].calls += 1
        elif event.kind in ("RESUME", "THROW"):
            node = top.child(name(event.code))
            node.resumes += 1
            node.suspended += now - suspended.pop(event.frame, now)
            stack.append((token, node))
        else:
            if event.kind == "YIELD":
                suspended[event.frame] = now
            at = max((i for i, (t, _) in enumerate(stack) if t == token), default=-1)
            if at < 0:
                losses["unmatched"] += 1
                continue
            losses["resyncs"] += len(stack) - 1 - at
            stack[at][1].unwinds += event.kind in ("UNWIND", "C_RAISE")
            del stack[at:]
    for _, node in stack:
        node.open += 1
    lost = " ".join(f"{word}={losses[word]}" for word in ("resyncs", "unmatched") if losses[word])
    return root.lines() + ([f"losses: {lost}"] if lost else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("program", nargs="*")
    parser.add_argument("--into", type=Path, default=TRACES, help="the directory of the traces")
    args = parser.parse_args()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for path in sorted(TRACES.glob("*.py")):
        if args.program and path.stem not in args.program:
            continue
        log = record(path)
        name = Names(log)
        head = [f"# {path.name} under CPython {'.'.join(map(str, sys.version_info[:3]))}"]
        body = [f"+{1 + n % 9} {event.words(name)}" for n, event in enumerate(log)]
        text = "\n".join([*head, *body, "=== tree", *tree_of(log, name)]) + "\n"
        (args.into / f"{version}-{path.stem}.trace").write_text(text)


if __name__ == "__main__":
    main()
