"""Requests: so many images until then, for somebody who asked.

They lie in the work folder: `capture-requests.json`, which the agent writes for the control plane's collections, and
`capture-requests.local.json`, which an operator may write by hand. Both are lists of `Request`, replaced whole. A file
that cannot be read changes nothing: what was read last goes on.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.runtime.announce import announce
from lineside.runtime.captures.counts import RequestStatus
from lineside.runtime.captures.memory import Memory
from lineside.runtime.captures.strategies import Seen

FILES = ("capture-requests.json", "capture-requests.local.json")
_LOOK_SECONDS = 1.0
_IN_TIME = 0.8  # of a random request's time, in which its images are spread
_MOST = 100  # requests that are read


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`count` images of a component (all, when it is empty) before `until` (RFC 3339; empty: no end). `requested`: the
    next that come, of `classes` if any are named. `random`: spread evenly over the time, whatever is on them."""

    id: str
    count: int
    component: str = ""
    until: str = ""
    strategy: str = "requested"
    classes: tuple[str, ...] = ()


class Requests:
    """What is asked for now. Not for several threads at once."""

    def __init__(
        self,
        work: Path | None,
        component: str,
        memory: Memory,
        *,
        passed: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._files = [work / name for name in FILES] if work else []
        self._component, self._memory = component, memory
        self._passed, self._wall = passed, wall
        self._looked = float("-inf")
        self._seen: dict[Path, tuple[int, int, int] | None] = {}
        self._read: dict[Path, tuple[Request, ...]] = {}
        self._progress: dict[str, tuple[int, float]] = {}
        self._refused: dict[str, dict[str, int]] = {}
        self._look()

    def match(self, seen: Seen, strategy: str) -> tuple[Request, str] | None:
        """The first request of a strategy (`requested`, `random`) that wants this image, and why."""
        self._look()
        for request in self._open(strategy):
            if request.classes and not any(one.label in request.classes for one in seen.detections):
                continue
            kept, began = self._progress_of(request)
            if kept < min(request.count, self._due(request, began)):
                of = f" with {' or '.join(request.classes)}" if request.classes else ""
                return request, f"Request {request.id}: image {kept + 1} of {request.count}{of}."
        return None

    def status(self) -> dict[str, RequestStatus]:
        """How far each is."""
        return {request.id: self._status(request) for request in self._all()}

    def _status(self, request: Request) -> RequestStatus:
        kept, _ = self._progress_of(request)
        over = self._over(request)
        state = "done" if kept >= request.count else "over" if over else "open"
        return RequestStatus(asked=request.count, kept=kept, state=state, why=over if state == "over" else "")

    def count(self, name: str, number: int) -> None:
        """One image more is on its way to the store, or one less."""
        kept, began = self._progress.get(name, (0, self._passed()))
        self._progress[name] = (kept + number, began)

    def refuse(self, name: str, reason: str) -> None:
        """An image that would have answered a request is not kept."""
        counts = self._refused.setdefault(name, {})
        counts[reason] = counts.get(reason, 0) + 1

    def refused(self, name: str) -> dict[str, int]:
        """How many images were not kept for a request since the start, by reason."""
        return dict(self._refused.get(name, {}))

    def _progress_of(self, request: Request) -> tuple[int, float]:
        if request.id not in self._progress:
            self._progress[request.id] = self._memory.request(request.id, self._passed())
        return self._progress[request.id]

    def _all(self) -> Iterable[Request]:
        for file in self._files:
            for request in self._read.get(file, ()):
                if request.component in ("", self._component):
                    yield request

    def _open(self, strategy: str) -> Iterable[Request]:
        for request in self._all():
            if request.strategy == strategy and not self._over(request):
                yield request

    def _over(self, request: Request) -> str:
        end = _seconds(request.until)
        if request.until and end is None:
            return f"{request.until!r} is no time."
        return f"Its time was up at {request.until}." if end is not None and self._wall() >= end else ""

    def _due(self, request: Request, began: float) -> float:
        """How many it may have by now: a random request is spread over its time."""
        end = _seconds(request.until)
        if request.strategy != "random" or end is None:
            return request.count
        gone = self._passed() - began
        whole = max(1.0, (gone + end - self._wall()) * _IN_TIME)
        return math.floor(request.count * gone / whole) + 1

    def _look(self) -> None:
        now = self._passed()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        for file in self._files:
            state = _state_of(file)
            if file in self._seen and state == self._seen[file]:
                continue
            self._seen[file] = state
            try:
                found = msgspec.json.decode(file.read_bytes(), type=tuple[Request, ...]) if state else ()
            except (OSError, *UNREADABLE) as error:
                announce("captures.requests_unreadable", file=file.name, why=str(error))
                if isinstance(error, OSError):
                    del self._seen[file]  # it is looked at again, as it is
                continue
            self._read[file] = found[:_MOST]


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        known = file.stat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns


def _seconds(until: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None for none."""
    try:
        at = datetime.datetime.fromisoformat(until)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
