"""The line: sources hand frames in, queues hold them, a model decides on those of its sources, delivery takes them on.

Each model has threads of its own, so that a slow one never holds up the sources of another. A frame that cannot be
decided is counted and passed over with a reason; it never stops the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Protocol

from lineside.contract.errors import LinesideError
from lineside.runtime.accounting import SUPERSEDED, Ledger
from lineside.runtime.announce import announce
from lineside.runtime.decider import Decider, Verdict
from lineside.runtime.delivery import Delivery
from lineside.runtime.frames import Frame, Source
from lineside.runtime.lanes import Lanes
from lineside.runtime.queues import Queues
from lineside.runtime.spool import InputKey

STOPPED = "stopped"
"""The reason of a live frame that still waited when the line stopped."""

_ANNOUNCED_AT_MOST = 20  # passed-over files; the status goes on counting
_DAMAGED = frozenset({"image.unreadable", "model.run_failed"})
_REASONS = {
    "image.unsupported": "no image",
    "image.too_large": "too large",
    "image.file_too_large": "too large",
    "image.file_no_memory": "too large",
    "image.missing": "missing",
}


class Measuring(Protocol):
    """Hears of every decision."""

    def decided(self, source: str, latency_ms: float, queue_ms: float) -> None:
        """How long it took, and how long its frame had waited before."""


class Watching(Protocol):
    """Sees every decision."""

    def saw(self, frame: Frame, verdict: Verdict) -> None:
        """What was decided on a frame. Does not block."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One model with the sources it decides for."""

    decider: Decider
    sources: Sequence[Source]
    lanes: int = 1  # how many of its frames may be worked on at once


class _Door:
    """Where one source hands in: the `Intake` it is given."""

    def __init__(self, line: Line, source: Source, queues: Queues) -> None:
        self._line, self._source, self._queues = line, source, queues

    def offer(self, frame: Frame) -> bool:
        ledger = self._line.ledger
        ledger.arrived(frame.source)
        taken, old = self._queues.put(frame)
        if not taken:
            ledger.withdrawn(frame.source)
        if old is not None:
            ledger.skipped(old.source, SUPERSEDED)
        return taken

    def refuse(self, frame: Frame, error: LinesideError) -> None:
        self._line.ledger.arrived(frame.source)
        self._line.pass_over(self._source, frame, error)

    def skip(self, why: str) -> None:
        self._line.ledger.arrived(self._source.name)
        self._line.ledger.skipped(self._source.name, why)

    def remember(self, key: InputKey) -> None:
        self._line.remember(key)


class Line:
    """Everything between sources and delivery, running."""

    def __init__(
        self,
        desks: Sequence[Desk],
        delivery: Delivery,
        ledger: Ledger,
        meter: Measuring | None = None,
        watching: Sequence[Watching] = (),
    ) -> None:
        self.ledger, self.meter, self.watching = ledger, meter, watching
        self.deciders = tuple(desk.decider for desk in desks)
        self._delivery = delivery
        self._sources: Mapping[str, Source] = {one.name: one for desk in desks for one in desk.sources}
        self._queues: list[Queues] = []
        self._doors: list[tuple[Source, _Door]] = []
        self._lanes: list[Lanes[Frame, Verdict | LinesideError]] = []
        self._announced = 0
        for desk in desks:
            queues = Queues({one.name: one.live for one in desk.sources})
            self._queues.append(queues)
            self._doors += [(one, _Door(self, one, queues)) for one in desk.sources]
            give = _Giver(self, desk.decider, self._sources, delivery)
            self._lanes.append(Lanes(desk.lanes, queues.take, _worker(desk, queues), give))

    @property
    def failure(self) -> BaseException | None:
        """What a deciding thread broke with: the process must end with it."""
        return next((lanes.failure for lanes in self._lanes if lanes.failure is not None), None)

    def start(self) -> None:
        for lanes in self._lanes:
            lanes.start()
        for source, door in self._doors:
            source.start(door)

    def stop(self, timeout: float = 10.0) -> None:
        """Decides on what is being decided, lets the rest be: files come again, who asked is told."""
        left = [frame for queues in self._queues for frame in queues.close()]
        for lanes in self._lanes:
            lanes.join(timeout)
        stopping = [Thread(target=source.stop, name=f"stop-{name}") for name, source in self._sources.items()]
        for thread in stopping:  # side by side: a camera may take its time
            thread.start()
        for thread in stopping:
            thread.join()
        for frame in left:
            if frame.reply is not None:
                frame.reply(LinesideError("runtime.stopping"))
            if frame.key is not None:
                self.ledger.withdrawn(frame.source)
            else:
                self.ledger.skipped(frame.source, STOPPED)

    def remember(self, key: InputKey) -> None:
        """An input that is done with."""
        self._delivery.passed_over(key)

    def pass_over(self, source: Source, frame: Frame, error: LinesideError) -> None:
        """A frame that cannot be decided. It is remembered, so that it is never tried again."""
        self._delivery.passed_over(frame.key)
        source.finished(frame)
        if error.code in _DAMAGED:
            self.ledger.failed(frame.source)
        else:
            self.ledger.skipped(frame.source, _REASONS.get(error.code, error.code))
        if frame.reply is not None:
            frame.reply(error)
        elif self._announced < _ANNOUNCED_AT_MOST:
            self._announced += 1
            announce("image.passed_over", source=source.name, image=frame.name, code=error.code, why=error.message)


def _worker(desk: Desk, queues: Queues) -> Callable[[Frame], Verdict | LinesideError]:
    """Decides on a frame; with more of them waiting, on one core: the others are for those."""

    def work(frame: Frame) -> Verdict | LinesideError:
        return desk.decider.decide(frame, aside=desk.lanes > 1 and queues.waiting)

    return work


@dataclass(frozen=True, slots=True)
class _Giver:
    """Hands over what one model decided, in the order of the frames."""

    line: Line
    decider: Decider
    sources: Mapping[str, Source]
    delivery: Delivery

    def __call__(self, frame: Frame, verdict: Verdict | LinesideError) -> None:
        source = self.sources[frame.source]
        if isinstance(verdict, LinesideError):
            if source.comes_again(frame, verdict):
                self.line.ledger.withdrawn(frame.source)
            else:
                self.line.pass_over(source, frame, verdict)
            return
        self.decider.hand_over(frame, verdict, self.delivery)
        source.finished(frame)
        self.line.ledger.decided(frame.source, late=verdict.late)
        if self.line.meter is not None:
            self.line.meter.decided(frame.source, verdict.answer.inference.latency_ms, verdict.waited_ms)
        for watcher in self.line.watching:
            watcher.saw(frame, verdict)
