"""The previous model, run on a sample beside the one that decides, and whether both find the same.

It comes as `previous.onnx` with `previous.json` in the model's component. Every Nth image is looked at, after it was
decided and before its result goes out; and never so many that the previous model takes more than an Nth of the time
that decisions take, however slow it is. While both are loaded, memory holds two networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import PREVIOUS_ABOUT, PREVIOUS_FILE, PreviousModel
from lineside.contract.reading import UNREADABLE
from lineside.contract.rectangles import iou
from lineside.contract.result import Compared, Detection
from lineside.runtime.announce import announce
from lineside.runtime.decode import Picture, decode
from lineside.runtime.model import Inference, Model, load

MIN_IOU = 0.5
"""Overlap from which two boxes of one class are the same object."""

NEAR = 0.05
"""How far above its model's threshold a detection must be to count when only one model has it."""


class Agreement(msgspec.Struct, frozen=True):
    """How two models' answers on one image go together."""

    matched: int
    only_new: int
    only_previous: int

    @property
    def agrees(self) -> bool:
        return not (self.only_new or self.only_previous)


def agreement(
    new: Sequence[Detection], previous: Sequence[Detection], thresholds: tuple[float, float] = (0.0, 0.0)
) -> Agreement:
    """Match boxes greedily: from the new model's most confident on, each takes the free box of its class that overlaps
    it most, if by `MIN_IOU`. What is left over counts from `NEAR` above its threshold on (the new model's first)."""
    free, only_new, matched = list(previous), 0, 0
    for one in sorted(new, key=lambda found: -found.confidence):
        same = [other for other in free if other.label == one.label]
        best = max(same, key=lambda other: iou(one, other), default=None)
        if best is not None and iou(one, best) >= MIN_IOU:
            free.remove(best)
            matched += 1
        else:
            only_new += one.confidence >= thresholds[0] + NEAR
    only_previous = sum(one.confidence >= thresholds[1] + NEAR for one in free)
    return Agreement(matched, only_new, only_previous)


class Comparer:
    """Asks the previous model on a sample. Not for two threads."""

    def __init__(self, previous: Model, every: int) -> None:
        """`every`: at most one image of so many, 1 or more."""
        self._previous, self._every = previous, every
        self._waited = 0
        self._decided_ms = self._spent_ms = 0.0
        self._off = False

    def look(
        self, data: bytes, inference: Inference, detections: Sequence[Detection], threshold: float
    ) -> Compared | None:
        """The previous model's word on an image that was decided; None when it is not this image's turn."""
        self._waited += 1
        self._decided_ms += inference.latency_ms
        too_much = self._spent_ms * self._every > self._decided_ms
        if self._off or self._waited < self._every or too_much:
            return None
        self._waited = 0
        try:
            previous = self._previous.detect_timed(self._picture(data, inference))
        except LinesideError as error:
            announce("previous.failed", code=error.code, why=error.message)
            self._off = True
            return None
        self._spent_ms += previous.latency_ms
        found = agreement(detections, previous.detections, (threshold, self._previous.signature.score_threshold))
        return Compared(
            digest=self._previous.digest,
            agrees=found.agrees,
            matched=found.matched,
            only_new=found.only_new,
            only_previous=found.only_previous,
            latency_ms=round(previous.latency_ms, 3),
        )

    def _picture(self, data: bytes, inference: Inference) -> Picture:
        """The decoded image; anew when the model that decides needs fewer pixels of it."""
        wanted, picture = self._previous.signature, inference.picture
        whole = picture.image.size == (picture.width, picture.height)
        if whole or (picture.image.width >= wanted.input_width and picture.image.height >= wanted.input_height):
            return picture
        return decode(data, (wanted.input_width, wanted.input_height))


def comparer_of(folder: Path, model: Model, every: int) -> Comparer | None:
    """The comparer of a model's folder; None without a previous model, when it is off (`every` 0), or when what is
    there cannot be run: a model decides without its predecessor, too."""
    about = folder / PREVIOUS_ABOUT
    if every < 1 or not about.exists():
        return None
    try:
        known = msgspec.json.decode(about.read_bytes(), type=PreviousModel)
        previous = load(folder / PREVIOUS_FILE, known.signature, threads=model.threads)
    except (LinesideError, OSError, MemoryError, *UNREADABLE) as error:
        announce("previous.unfit", why=str(error))
        return None
    if previous.digest != known.digest or known.signature.labels != model.signature.labels:
        announce("previous.unfit", why="it is not the file that previous.json names, or has other classes")
        return None
    announce("previous.loaded", model=known.name, version=known.version, digest=previous.digest, every=every)
    return Comparer(previous, every)
