"""Adds up what was seen and said: of frames on a device, of test images in the pipeline, by the same code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineside.contract.drift import BASELINE_SCHEMA, QUANTITIES, Baseline, Sketch
from lineside.contract.result import Detection
from lineside.runtime.drift.looking import Look, look
from lineside.runtime.drift.sums import Sums
from lineside.runtime.model import Model


class Gathered:
    """Sums over frames. Not for two threads."""

    def __init__(self) -> None:
        self.frames = self.looked = 0
        self.classes: dict[str, int] = {}
        self._sums: dict[str, Sums] = {}

    @classmethod
    def of(cls, sketches: dict[str, Sketch], classes: dict[str, int], frames: int, looked: int) -> Gathered:
        """Goes on from what was gathered before."""
        gathered = cls()
        gathered.frames, gathered.looked, gathered.classes = frames, looked, dict(classes)
        gathered._sums = {name: Sums(name, one) for name, one in sketches.items() if name in QUANTITIES}
        return gathered

    def answered(self, detections: Sequence[Detection], width: int, height: int) -> None:
        """What a model said of a frame of that size."""
        self.frames += 1
        area, across, down = max(1.0, float(width * height)), max(1, width), max(1, height)
        self._add("detections", (len(detections),))
        if detections:
            self._add("confidence", [found.confidence for found in detections])
            self._add("box_area", [found.width * found.height / area for found in detections])
            self._add("place_x", [(found.x + found.width / 2) / across for found in detections])
            self._add("place_y", [(found.y + found.height / 2) / down for found in detections])
        for found in detections:
            self.classes[found.label] = self.classes.get(found.label, 0) + 1

    def took(self, latency_ms: float) -> None:
        """How long a decision took."""
        self._add("latency", (latency_ms,))

    def saw(self, seen: Look) -> None:
        """What a frame looked like."""
        self.looked += 1
        for name, value in zip(seen._fields, seen, strict=True):
            self._add(name, (value,))

    def sketches(self) -> dict[str, Sketch]:
        """One sketch of each quantity that had a value."""
        return {name: self._sums[name].sketch() for name in QUANTITIES if name in self._sums}

    def _add(self, name: str, values: Iterable[float]) -> None:
        if name not in self._sums:
            self._sums[name] = Sums(name)
        self._sums[name].add(values)


def baseline_of(model: Model, images: Iterable[bytes]) -> Baseline:
    """What a model sees on images that stand for what it will meet: usually its own test images. Without latency, which
    is the machine's."""
    gathered = Gathered()
    for data in images:
        inference = model.detect_timed(data)
        picture = inference.picture
        gathered.answered(inference.detections, picture.width, picture.height)
        gathered.saw(look(picture))
    total = max(1, sum(gathered.classes.values()))
    classes = {label: count / total for label, count in sorted(gathered.classes.items())}
    return Baseline(schema=BASELINE_SCHEMA, images=gathered.frames, sketches=gathered.sketches(), classes=classes)
