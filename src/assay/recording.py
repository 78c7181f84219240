"""Recordings as typed values: what `assay.open(path)` and `profile.recording` return.

All times are integer nanoseconds, as measured: what counting itself cost is inside, and `Process.call_costs_ps` says
how much a call that is. (`assay report` takes it off.) Values are immutable and hashable.
Source: docs/format.md, docs/semantics.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from errno import EISDIR
from functools import cached_property
from os import PathLike, fsdecode, strerror
from os.path import isdir
from types import MappingProxyType
from typing import Any

from ._agent import Loaded, RecordingError

__all__ = ["Function", "Kind", "Node", "Process", "Recording", "RecordingError", "Session", "Thread", "load", "write"]

LOSSES = (
    "memory_refused",
    "events",
    "folded_calls",
    "too_deep_calls",
    "resynced_calls",
    "unmatched_ends",
    "suspensions",
    "symbols",
    "forks",
    "execs",
    "subinterpreters",
    "hook_replaced",
    "greenlet_switches",
    "tag_changes",
)


class Kind(IntEnum):
    """What a node of the call tree is."""

    ROOT = 0  # outside of any call
    PYTHON = 1
    C = 2
    CLASS = 3
    OBJECT = 4  # another callable
    TAG = 5
    PHASE = 6  # start-up and shutdown of the interpreter


INHERITED, FOLDED = 0x100, 0x200
MAIN, DAEMON = 1, 2


@dataclass(frozen=True, slots=True)
class Session:
    """The recording as a whole."""

    start_unix_ns: int
    duration_ns: int
    command: str  # as given to assay; "" for one that the process made itself
    directory: str
    script: str
    assay_version: str
    complete: bool  # it has its end; else it was cut or damaged, and what was readable is here
    cut_at: int  # byte offset where reading ended, 0: nowhere
    losses: Mapping[str, int] = field(hash=False)
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function, C callable, class, other callable, tag or phase."""

    id: int
    kind: Kind
    name: str  # qualified: "Cursor.execute"; of a tag "customer=acme, day=3"
    file: str  # as compiled; "" where there is none
    line: int  # 0 where there is none
    module: str  # of what is not Python; "" where it is not known
    labels: Mapping[str, str] = field(hash=False)  # of a tag
    flags: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process image that was measured. Moments are ns since the session began."""

    id: int
    pid: int
    parent_pid: int  # 0 = not known, or assay itself
    image: int  # execs before this one
    processes: int  # more than 1: so many short ones are counted in this row together
    start_ns: int
    end_ns: int
    python_version: int  # as sys.hexversion
    flags: int
    executable: str
    command: str
    cwd: str
    main_thread: int | None  # index into Recording.threads
    program_node: int  # in the main thread's nodes; 0: all is the program
    program_ns: int
    program_end_ns: int
    exit_status: int | None
    killed_by: int | None  # signal
    call_costs_ps: tuple[int, int, int, int]  # ours: a Python call, inside it and in its caller; a C call, likewise
    resident_bytes: int  # our own memory in it
    losses: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Node:
    """A function on one call path of one thread."""

    id: int  # index in its thread; 0 is the root
    parent: int | None
    function: Function | None  # None: the root
    kind: Kind
    inherited: bool  # was open before measuring began: no call of its own
    folded: bool  # a cap was reached: calls of other paths are counted here too
    open: int  # activations on the stack at the end
    calls: int
    resumes: int  # of a generator or coroutine
    unwinds: int  # calls and resumes that an exception ended
    self_ns: int
    wait_ns: int  # the part of self_ns in which the thread did not run
    suspended_ns: int  # between a yield and the resume that followed
    total_ns: int  # self_ns and that of all nodes below

    @property
    def cpu_ns(self) -> int:
        """The part of self_ns in which the thread ran."""
        return self.self_ns - self.wait_ns


@dataclass(frozen=True)
class Thread:
    """A thread and its call tree, as columns: read-only memoryviews without a copy, one entry a node.

    Shapes are (nodes,); a parent's index is lower than its child's, and the root, index 0, is its own parent.
    """

    id: int  # index into Recording.threads
    process: int  # index into Recording.processes
    serial: int
    native_id: int
    name: str  # "" where it is not known
    start_ns: int
    end_ns: int
    cpu_ns: int
    main: bool
    daemon: bool
    threads: int  # more than 1: so many short threads are counted in this row
    ended: bool  # by itself; else killed with its process, or running when the recording ended
    overhead_ns: int
    overhead_events: int
    parent: memoryview = field(repr=False, hash=False)  # uint32
    function: memoryview = field(
        repr=False, hash=False
    )  # uint32, index into Recording.functions; the root's is 0xFFFFFFFF
    kind: memoryview = field(repr=False, hash=False)  # uint32, a Kind in the low byte
    open: memoryview = field(repr=False, hash=False)  # uint32
    calls: memoryview = field(repr=False, hash=False)  # uint64, as all that follow
    resumes: memoryview = field(repr=False, hash=False)
    unwinds: memoryview = field(repr=False, hash=False)
    self_ns: memoryview = field(repr=False, hash=False)
    wait_ns: memoryview = field(repr=False, hash=False)
    suspended_ns: memoryview = field(repr=False, hash=False)
    _functions: tuple[Function, ...] = field(repr=False, compare=False)

    def __len__(self) -> int:
        """How many nodes."""
        return len(self.parent)

    @cached_property
    def total_ns(self) -> memoryview:
        """Self time of each node and all below it. Returns: uint64, shape (nodes,), made at first use."""
        total = array("Q", self.self_ns)
        parent = self.parent
        for node in range(len(total) - 1, 0, -1):
            total[parent[node]] += total[node]
        return memoryview(total).toreadonly()

    def node(self, id: int) -> Node:
        """One node. Raises: IndexError, also of what is below 0."""
        if not 0 <= id < len(self):
            raise IndexError(f"no node {id}")
        kind, function = self.kind[id], self.function[id]
        return Node(
            id=id,
            parent=self.parent[id] if id else None,
            function=self._functions[function] if id else None,
            kind=Kind(kind & 0xFF),
            inherited=bool(kind & INHERITED),
            folded=bool(kind & FOLDED),
            open=self.open[id],
            calls=self.calls[id],
            resumes=self.resumes[id],
            unwinds=self.unwinds[id],
            self_ns=self.self_ns[id],
            wait_ns=self.wait_ns[id],
            suspended_ns=self.suspended_ns[id],
            total_ns=self.total_ns[id],
        )

    def __iter__(self) -> Iterator[Node]:
        """All nodes, parents before their children."""
        return map(self.node, range(len(self)))


@dataclass(frozen=True, slots=True)
class Recording:
    """What was measured. `recording.threads[0].calls` is a column, `for node in recording.threads[0]` are rows."""

    session: Session
    processes: tuple[Process, ...]
    threads: tuple[Thread, ...]
    functions: tuple[Function, ...]

    def find(self, name: str) -> list[Node]:
        """Nodes, of all threads, whose function has this name, qualified or the last part of it."""
        return [
            node
            for thread in self.threads
            for node in thread
            if node.function is not None and name in (node.function.name, node.function.name.rpartition(".")[2])
        ]


def losses_of(counts: list[int]) -> Mapping[str, int]:
    return MappingProxyType({name: n for name, n in zip(LOSSES, counts, strict=False) if n})


def function_of(id: int, row: tuple[Any, ...]) -> Function:
    kind, flags, line, name, file, module, labels = row
    pairs = MappingProxyType(dict(zip(labels[::2], labels[1::2], strict=True)))
    return Function(id, Kind(kind), name, file, line, module, pairs, flags)


def process_of(id: int, row: tuple[Any, ...]) -> Process:
    pid, parent_pid, image, merged, start_ns, end_ns, version, flags, executable, command, cwd = row[:11]
    main, node, begun, ended, exited, status, *costs, resident_bytes, losses = row[11:]
    return Process(
        id=id,
        pid=pid,
        parent_pid=parent_pid,
        image=image,
        processes=max(merged, 1),
        start_ns=start_ns,
        end_ns=end_ns,
        python_version=version,
        flags=flags,
        executable=executable,
        command=command,
        cwd=cwd,
        main_thread=main if main >= 0 else None,
        program_node=node,
        program_ns=begun,
        program_end_ns=ended,
        exit_status=status if exited == 1 else None,
        killed_by=status if exited == 2 else None,
        call_costs_ps=tuple(costs),
        resident_bytes=resident_bytes,
        losses=losses_of(losses),
    )


def thread_of(
    id: int, row: tuple[Any, ...], columns: tuple[memoryview, ...], functions: tuple[Function, ...]
) -> Thread:
    (
        process,
        serial,
        native_id,
        name,
        start_ns,
        end_ns,
        cpu_ns,
        flags,
        merged,
        ended,
        overhead_ns,
        overhead_events,
        _,
    ) = row
    parent, function, kind, open, calls, resumes, unwinds, self_ns, wait_ns, suspended_ns = columns
    return Thread(
        id=id,
        process=process,
        serial=serial,
        native_id=native_id,
        name=name,
        start_ns=start_ns,
        end_ns=end_ns,
        cpu_ns=cpu_ns,
        main=bool(flags & MAIN),
        daemon=bool(flags & DAEMON),
        threads=merged,
        ended=ended,
        overhead_ns=overhead_ns,
        overhead_events=overhead_events,
        parent=parent,
        function=function,
        kind=kind,
        open=open,
        calls=calls,
        resumes=resumes,
        unwinds=unwinds,
        self_ns=self_ns,
        wait_ns=wait_ns,
        suspended_ns=suspended_ns,
        _functions=functions,
    )


def load(source: bytes | str | PathLike[str]) -> Recording:
    """Read a recording, from its bytes or a file.

    One that was cut, or has a damaged block, is read up to there: `session.complete` is False, `session.cut_at` the
    byte offset.
    Raises: RecordingError, naming the byte offset, if it is no recording or contradicts itself; OSError.
    """
    loaded = Loaded(source if isinstance(source, bytes) else fsdecode(source))
    start, duration, command, directory, script, version, complete, cut_at, losses, notes = loaded.session()
    functions = tuple(function_of(i, row) for i, row in enumerate(loaded.functions()))
    return Recording(
        session=Session(
            start, duration, command, directory, script, version, complete, cut_at, losses_of(losses), tuple(notes)
        ),
        processes=tuple(process_of(i, row) for i, row in enumerate(loaded.processes())),
        threads=tuple(thread_of(i, row, loaded.columns(i), functions) for i, row in enumerate(loaded.threads())),
        functions=functions,
    )


def load_file(path: str | bytes | PathLike[str] | PathLike[bytes]) -> Recording:
    """As `load`, of a file only: bytes are its name."""
    name = fsdecode(path)
    if isdir(name):
        raise IsADirectoryError(EISDIR, strerror(EISDIR), name)
    return load(name)


def write(data: bytes, path: str | PathLike[str]) -> None:
    """Put the bytes of a recording into a file."""
    with open(path, "wb") as file:
        file.write(data)
