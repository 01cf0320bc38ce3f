"""Golden sets: written when a model is made, reproduced on a device before the model counts as running there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.golden import GoldenCase, GoldenSet
from lineside.contract.rectangles import iou
from lineside.contract.result import Detection
from lineside.runtime.files import write_atomic
from lineside.runtime.model import Model

_DESCRIPTION = "golden.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes, whenever it is written


@dataclass(frozen=True, slots=True)
class GoldenOutcome:
    """Whether a model gave the answers it should; if not, on which image of the set, and how its answer differs."""

    matched: bool
    cases: int
    image: str = ""
    difference: str = ""


class Tolerance(NamedTuple):
    """What `GoldenSet` says of it."""

    min_iou: float = 0.9
    max_confidence_gap: float = 0.05


USUAL = Tolerance()


def write_golden(path: Path, model: Model, images: Mapping[str, bytes], tolerance: Tolerance = USUAL) -> GoldenSet:
    """Runs `model` on `images` (name to bytes) and writes the golden set's ZIP. The same input gives the same bytes."""
    named = sorted(images.items())
    cases = tuple(GoldenCase(image=name, detections=tuple(model.detect(data))) for name, data in named)
    golden = GoldenSet(cases=cases, **tolerance._asdict())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in ((_DESCRIPTION, msgspec.json.encode(golden)), *named):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    write_atomic(path, buffer.getvalue())
    return golden


def check_golden(path: Path, model: Model) -> GoldenOutcome:
    """Runs `model` on every case until one differs. Raises `golden.unreadable` for a file that is no golden set."""
    golden, images = _read(path)
    for case in golden.cases:
        difference = _difference(case, model.detect(images[case.image]), golden, model.signature.score_threshold)
        if difference:
            return GoldenOutcome(False, len(golden.cases), case.image, difference)
    return GoldenOutcome(True, len(golden.cases))


def golden_images(path: Path) -> list[bytes]:
    """The images of a golden set. Raises `golden.unreadable`, also when it has none."""
    _, images = _read(path)
    if not images:
        raise LinesideError("golden.unreadable", path=path, why="it has no images")
    return list(images.values())


def _read(path: Path) -> tuple[GoldenSet, dict[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            golden = msgspec.json.decode(archive.read(_DESCRIPTION), type=GoldenSet)
            return golden, {case.image: archive.read(case.image) for case in golden.cases}
    except Exception as error:  # zipfile raises nearly any type on damaged bytes; all of them mean this
        raise LinesideError("golden.unreadable", path=path, why=error) from error


def _difference(case: GoldenCase, found: list[Detection], golden: GoldenSet, threshold: float) -> str:
    """One sentence on the first difference that the tolerances do not cover, or nothing."""
    left = list(found)
    sure = threshold + golden.max_confidence_gap
    for expected in case.detections:
        same = [each for each in left if each.class_index == expected.class_index]
        nearest = max(same, key=lambda each: iou(each, expected), default=None)
        overlap = iou(nearest, expected) if nearest else 0.0
        if nearest is None or overlap < golden.min_iou:
            if expected.confidence < sure:
                continue
            return f"{_words(expected)} is missing; the best box overlaps it by {overlap:.2f}, not {golden.min_iou:.2f}"
        gap = abs(nearest.confidence - expected.confidence)
        if gap > golden.max_confidence_gap:
            return f"{_words(expected)} now has confidence {nearest.confidence:.2f}, {gap:.2f} away"
        left.remove(nearest)
    extra = next((each for each in left if each.confidence >= sure), None)
    return f"{_words(extra)} was not there before" if extra else ""


def _words(found: Detection) -> str:
    return f"{found.label} ({found.confidence:.2f}) at x {found.x:.0f}, y {found.y:.0f}"
