"""One recording for each slow request: what assay.web's two middlewares share.

A request runs inside a tag and has a profile of that tag alone, so requests at once do not see each other's work. The
tag says which slot the request has: slots are used again, so the call tree does not grow with the requests.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import profile, tag

log = logging.getLogger("assay.web")

SLOTS = 64  # requests that are measured at once
OFF = {"0", "off", "no", "false"}
NAME = re.compile(r"\d{8}-\d{6}\.\d{6}-[\w.-]*-\d+ms(\.\d+)?\.assay")
STALE_S = 600  # a part of a file that old was left by a process that was killed

Route = Callable[[Mapping[str, Any]], "str | None"]


def switched_off(enabled: bool) -> bool:
    return not enabled or os.environ.get("ASSAY_WEB", "").strip().lower() in OFF


# ---- files ----


def slug(text: str) -> str:
    """What of a text can stand in a file's name: at most 80 characters."""
    return re.sub(r"[^\w.]+", "-", text, flags=re.ASCII).strip("-.")[:80]


@dataclass(frozen=True)
class Shelf:
    """A directory that holds at most so many recordings of requests; other files in it are left alone."""

    directory: Path
    keep: int

    def put(self, recording: bytes, began: float, request: str, seconds: float) -> Path:
        """Write a recording, whole or not at all, and take the oldest away. Raises: OSError."""
        moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(began)) + f".{int(began % 1 * 1e6):06}"
        name = f"{moment}-{slug(request)}-{int(seconds * 1000)}ms"
        self.directory.mkdir(parents=True, exist_ok=True)
        part = self.directory / f".{name}.{os.getpid()}.{threading.get_ident()}.part"
        try:
            part.write_bytes(recording)
            path = self.name(part, name)
        finally:
            part.unlink(missing_ok=True)
        self.tidy()
        return path

    def name(self, part: Path, name: str) -> Path:
        """Give it its name; two requests may have begun in the same microsecond."""
        for extra in ("", *(f".{n}" for n in range(2, 1000))):
            path = self.directory / f"{name}{extra}.assay"
            try:
                os.link(part, path)
            except FileExistsError:
                continue
            except OSError:  # a file system without links
                os.replace(part, path)
            return path
        raise FileExistsError(f"{self.directory / name}.assay")

    def tidy(self) -> None:
        """Other processes may do the same at once."""
        names = os.listdir(self.directory)
        ours = sorted(name for name in names if NAME.fullmatch(name))
        for name in ours[: max(0, len(ours) - self.keep)]:
            (self.directory / name).unlink(missing_ok=True)
        for name in names:
            if name.startswith(".") and name.endswith(".part") and self.stale(name):
                (self.directory / name).unlink(missing_ok=True)

    def stale(self, name: str) -> bool:
        try:
            return time.time() - (self.directory / name).stat().st_mtime > STALE_S
        except OSError:
            return False


# ---- slots ----


class Slots:
    """Which requests run now, by number. A thread gets the one that it had before, if that is free."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nothing runs: at first, and in a child of a fork."""
        # New in a child: another thread may have held it at the fork. One that a thread may take again: a collection of
        # garbage in the middle may end a request.
        self.lock = threading.RLock()
        self.free: set[int] = set()
        self.next = 1
        self.lingering: list[tuple[int, tag]] = []  # something that they began still runs
        self.last = threading.local()
        self.hold: profile | None = None  # keeps events on between requests: switching costs more than they do
        self.refused = False

    def take(self) -> int | None:
        with self.lock:
            if self.lingering:
                self.look_again()
            last: int = getattr(self.last, "slot", 0)
            if last in self.free:
                slot = last
            elif self.free:
                slot = min(self.free)
            elif self.next <= SLOTS:
                slot, self.next = self.next, self.next + 1
            else:
                return None
            self.free.discard(slot)
        self.last.slot = slot
        return slot

    def give(self, slot: int, label: tag) -> None:
        with self.lock:
            if label.release():
                self.free.add(slot)
            else:
                self.lingering.append((slot, label))

    def look_again(self) -> None:
        lingering, self.lingering = self.lingering, []
        for slot, label in lingering:
            if label.release():
                self.free.add(slot)
            else:
                self.lingering.append((slot, label))


SLOTS_OF_PROCESS = Slots()
os.register_at_fork(after_in_child=SLOTS_OF_PROCESS.begin)


def begin_measuring(slots: Slots) -> bool:
    """Events are on from the first request of a process. False: this process cannot be measured, which was said."""
    with slots.lock:
        if slots.refused:
            return False
        if slots.hold is None:
            try:
                hold = profile(only=tag(request="none"))
                hold.__enter__()
            except Exception as problem:
                slots.refused = True
                log.warning("requests are not recorded in process %d: %s", os.getpid(), problem)
                return False
            slots.hold = hold
    return True


# ---- requests ----


@dataclass
class Request:
    """One request that is measured. `stop` ends the measurement, `finish` files it if it was slow."""

    recorder: Recorder
    slot: int
    tag: tag
    profile: profile
    began: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.perf_counter)
    seconds: float = -1.0  # it runs
    lost: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        if self.seconds < 0:
            self.seconds = time.perf_counter() - self.clock
            try:
                if self.seconds >= self.recorder.threshold:
                    self.profile.__exit__(None, None, None)
                else:
                    self.profile.drop()
            except RuntimeError as problem:  # this thread is in the middle of another one's beginning or end
                self.lost = True
                log.warning("a request is not recorded: %s", problem)

    def failed(self, error: BaseException) -> None:
        self.labels["error"] = type(error).__name__

    def finish(self) -> bool:
        """True: it was slow, `file` writes it."""
        self.stop()
        SLOTS_OF_PROCESS.give(self.slot, self.tag)
        return self.seconds >= self.recorder.threshold and not self.lost

    def file(self, method: str, route: Callable[[], str]) -> None:
        """Write it. Whatever goes wrong is logged: the application has answered."""
        name = method
        try:
            self.labels.update(method=method, route=route())
            name = f"{method} {self.labels['route']}"
            self.profile.show_as(tag(**self.labels))
            path = self.recorder.shelf.put(self.profile.bytes(), self.began, name, self.seconds)
        except Exception as problem:
            log.warning("the recording of %s is lost: %s", name, problem)
        else:
            log.info("%s took %.3f s: %s", name, self.seconds, path)


@dataclass(frozen=True)
class Recorder:
    """What a middleware was told."""

    threshold: float
    shelf: Shelf
    route: Route | None

    def begin(self) -> Request | None:
        """None: this request is not measured."""
        if not begin_measuring(SLOTS_OF_PROCESS):
            return None
        slot = SLOTS_OF_PROCESS.take()
        if slot is None:
            return None
        label = tag(request=f"slot {slot}")
        try:
            measured = profile(only=label)
            measured.__enter__()
        except Exception as problem:
            SLOTS_OF_PROCESS.give(slot, label)
            log.warning("a request is not recorded: %s", problem)
            return None
        return Request(self, slot, label, measured)

    def asked(self, about: Mapping[str, Any]) -> str | None:
        """The route by the function that the middleware was given."""
        if self.route is None:
            return None
        try:
            return self.route(about)
        except Exception:
            log.exception("route=%r failed", self.route)
            return None


def recorder(threshold: float, directory: str | os.PathLike[str], route: Route | None, keep: int) -> Recorder:
    if keep < 1:
        raise ValueError(f"keep is how many recordings stay, not {keep}")
    return Recorder(threshold, Shelf(Path(directory), keep), route)
