"""Strategies: each says of an image why it should be kept, in one sentence with its numbers, or nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from lineside.contract.result import Detection
from lineside.runtime.captures.settings import (
    ClassSettings,
    DriftSettings,
    IntervalSettings,
    NothingSettings,
    RandomSettings,
    UncertainSettings,
)

_STREAM = 200  # images of a source that say what is usual
_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """A decided image. `detections` reach down to `Chooser.lowest_score`, `published` to the model's threshold;
    `picture` may be smaller than the original."""

    digest: str
    source: str
    detections: Sequence[Detection]
    published: Sequence[Detection]
    picture: Image.Image | None = None


class Strategy(Protocol):
    """`saw` is told every image, `judge` only those that no strategy before wanted; both in the frames' order."""

    def saw(self, seen: Seen) -> None:
        """An image of the stream."""

    def judge(self, seen: Seen) -> str:
        """Why this image; empty when it is not wanted."""

    def sureness(self, seen: Seen) -> float | None:
        """How sure it is of an image that it wants, 0 to 1; none where all are alike to it."""


class _AllAlike:
    """Prefers no image to another."""

    def sureness(self, seen: Seen) -> float | None:
        return None


class _Plain(_AllAlike):
    """Learns nothing from the stream either."""

    def saw(self, seen: Seen) -> None:
        pass


class Random(_Plain):
    """Of an image's content alone, so that the same image gives the same answer everywhere."""

    def __init__(self, settings: RandomSettings) -> None:
        self._share = settings.share

    def judge(self, seen: Seen) -> str:
        draw = int(seen.digest.removeprefix("sha256:")[:16], 16) / 2**64
        return f"In the random sample of {self._share:.1%} of all images." if draw < self._share else ""


class Uncertain(_Plain):
    """A confidence within a band."""

    def __init__(self, settings: UncertainSettings) -> None:
        self._band, self._classes = settings.band, settings.classes

    def judge(self, seen: Seen) -> str:
        low, high = self._band
        for one in seen.detections:
            if low <= one.confidence <= high and one.label in (self._classes or (one.label,)):
                return f"{one.label} with confidence {one.confidence:.2f}, between {low:.2f} and {high:.2f}."
        return ""


class OfClass(_Plain):
    """A class of interest."""

    def __init__(self, settings: ClassSettings) -> None:
        self._classes, self._above = settings.classes, settings.above

    def judge(self, seen: Seen) -> str:
        surest = self._surest(seen)
        if surest is None:
            return ""
        return f"{surest.label} with confidence {surest.confidence:.2f}: one of {', '.join(self._classes)}."

    def sureness(self, seen: Seen) -> float | None:
        surest = self._surest(seen)
        return surest.confidence if surest else None

    def _surest(self, seen: Seen) -> Detection | None:
        found = seen.published if self._above is None else seen.detections
        ours = [one for one in found if one.label in self._classes and one.confidence >= (self._above or 0.0)]
        return max(ours, key=lambda one: one.confidence, default=None)


class Nothing(_AllAlike):
    """Nothing found where something is usual, which each source's own stream tells."""

    def __init__(self, settings: NothingSettings) -> None:
        self._classes, self._usual = settings.classes, settings.usual
        self._streams: dict[str, deque[bool]] = {}

    def saw(self, seen: Seen) -> None:
        if not self._classes:
            self._streams.setdefault(seen.source, deque(maxlen=_STREAM)).append(bool(seen.published))

    def judge(self, seen: Seen) -> str:
        if self._classes:
            found = any(one.label in self._classes for one in seen.published)
            return "" if found else f"None of {', '.join(self._classes)} found, where one is expected."
        stream = self._streams.get(seen.source, ())
        before = len(stream) - 1  # this image is the last of it
        if seen.published or before < _ENOUGH:
            return ""
        share = sum(stream) / before
        if share < self._usual:
            return ""
        return f"Nothing found, where {share:.1%} of the {before} images before had something."


class Drifting(_Plain):
    """While the device's last window is far from the model's baseline, as `drifting` says of a source."""

    def __init__(self, settings: DriftSettings, drifting: Callable[[str], str]) -> None:
        self._drifting = drifting

    def judge(self, seen: Seen) -> str:
        return self._drifting(seen.source)


class Interval(_Plain):
    """One image of each source after so many seconds."""

    def __init__(self, settings: IntervalSettings, passed: Callable[[], float]) -> None:
        self._seconds, self._passed = settings.seconds, passed
        self._last: dict[str, float] = {}

    def judge(self, seen: Seen) -> str:
        now = self._passed()
        if now - self._last.get(seen.source, -self._seconds) < self._seconds:
            return ""
        self._last[seen.source] = now
        return f"One image after {self._seconds:g} seconds."
