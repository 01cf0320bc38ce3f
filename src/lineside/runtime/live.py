"""The live picture: what was decided on last, for somebody who looks just now.

Nothing is kept while nobody looks: frames are remembered from a first question on, for a few seconds after each.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from threading import Lock

from PIL import Image

from lineside.contract.inquiry import MAX_PICTURE, LivePicture
from lineside.runtime.announce import rfc3339
from lineside.runtime.decider import Verdict
from lineside.runtime.decode import decode
from lineside.runtime.frames import Frame

LOOKS_FOR = 10.0
"""Seconds that a question keeps frames remembered."""
SIDE = 960
"""Pixels of the longer side of a live picture, at most."""

_QUALITIES = (75, 50, 25)


class Live:
    """The newest decision while somebody looks. From any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._until = 0.0
        self._newest: tuple[Frame, Verdict] | None = None

    def saw(self, frame: Frame, verdict: Verdict) -> None:
        """A decision; remembered if somebody looks."""
        if self._until == 0.0:
            return
        with self._lock:
            if self._monotonic() < self._until:
                self._newest = (frame, verdict)
            else:
                self._until, self._newest = 0.0, None

    def picture(self) -> LivePicture | None:
        """The decision since the question before; None when there is none yet. Raises `image.unreadable`."""
        with self._lock:
            self._until = self._monotonic() + LOOKS_FOR
            newest, self._newest = self._newest, None
        return None if newest is None else _picture(*newest)


def _picture(frame: Frame, verdict: Verdict) -> LivePicture:
    inference, identity = verdict.answer.inference, verdict.answer.model.identity
    seen = decode(frame.data, (SIDE, SIDE)) if isinstance(frame.data, bytes) else frame.data
    left, top, right, bottom = (round(edge) for edge in seen.region)
    small = seen.image.crop((left, top, right, bottom))
    small.thumbnail((SIDE, SIDE))
    return LivePicture(
        jpeg=_jpeg(small),
        source=frame.source,
        image=frame.name,
        captured_at=rfc3339(frame.captured_at),
        width=inference.picture.width,
        height=inference.picture.height,
        model=identity.name,
        version=identity.version,
        latency_ms=round(inference.latency_ms, 3),
        detections=verdict.published,
    )


def _jpeg(image: Image.Image) -> bytes:
    """At most `MAX_PICTURE` bytes: of less quality, then smaller, until it fits."""
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= MAX_PICTURE:
                return buffer.getvalue()
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
