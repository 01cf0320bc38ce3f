"""What travels down the line: a frame, and what brings frames."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result

if TYPE_CHECKING:
    from lineside.runtime.decode import Picture
    from lineside.runtime.spool import InputKey

Reply = Callable[[Result | LinesideError], None]


@dataclass(slots=True)
class Frame:
    """One image of a source on its way to a decision."""

    source: str  # its name in the configuration
    name: str  # what results call the image: a file name, "cam-1/000123"
    data: bytes | Picture  # an image file's bytes, or pixels (video)
    captured_at: float  # seconds since 1970
    arrived: float  # time.monotonic() when it came in: the deadline counts from here
    key: InputKey | None = None  # of a file: remembered with its result, so that it is never decided twice
    reply: Reply | None = None  # a request waits for it: called once, when its result is on disk or it is refused


class SourceState(enum.Enum):
    """How a source is."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"  # a video file that was played to its end
    AWAY = "away"  # a camera that does not answer or sends nothing, a folder that is not there; tried again
    FROZEN = "frozen"  # a camera that sends the same picture again and again
    FAILED = "failed"  # it cannot run as it is configured, or its code broke; the others go on


UNWELL = frozenset({SourceState.AWAY, SourceState.FROZEN, SourceState.FAILED})
"""States that are an alarm."""


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of itself."""

    state: SourceState = SourceState.STARTING
    code: str = ""  # of the error behind it
    why: str = ""  # one sentence; empty when it is well
    next: str = ""  # what to do about it
    since: float = 0.0  # seconds since 1970 when this state began
    frames: int = 0  # that it brought since the start
    reconnects: int = 0


class Intake(Protocol):
    """Where a source hands in what it has. Usable from any thread."""

    def offer(self, frame: Frame) -> bool:
        """A frame to decide on. Live: takes the place of the one that waits, which counts as skipped. Else: waits for
        room. False when the line stops: the frame was not taken."""

    def refuse(self, frame: Frame, error: LinesideError) -> None:
        """A frame that is none: it counts as skipped or failed, its key is remembered, who asked is told."""

    def skip(self, why: str) -> None:
        """A frame that is left out, without a word more."""

    def remember(self, key: InputKey) -> None:
        """An input of which nothing more will come, behind all that was handed over before."""


class Source(Protocol):
    """Brings frames from a thread of its own. One file a kind in `sources/`."""

    name: str
    live: bool  # only the newest frame matters; else every frame counts

    def start(self, intake: Intake) -> None:
        """Begins. What it cannot do is in its health: it raises nothing."""

    def finished(self, frame: Frame) -> None:
        """Its result, or its refusal, was handed to delivery. From the deciding thread; does not block."""

    def comes_again(self, frame: Frame, error: LinesideError) -> bool:
        """Asked about a frame that cannot be decided: whether it may only have been half there, or too large for the
        memory of the moment, and will be offered again."""

    def stop(self) -> None:
        """Ends its thread, and waits for it a moment."""

    def health(self) -> SourceHealth:
        """How it is now."""
