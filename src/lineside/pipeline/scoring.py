"""Scores a model file the way a device runs it: through `lineside.runtime`, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature, Variant
from lineside.contract.result import Detection
from lineside.pipeline.metrics import score
from lineside.pipeline.step import Context
from lineside.runtime import model as runtime_model

SCORE_THRESHOLD = 0.01  # average precision wants the unsure ones too
_SPLITS = (Split.VAL, Split.TEST)  # the sides a model is scored on
_ROUNDS, _CALLS = 9, 3

Found = dict[str, tuple[Detection, ...]]
"""Detections by image digest."""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A variant with its metrics, and the blob with what it found on the val and test pictures (a JSON `Found`)."""

    variant: Variant
    found: str


def score_file(
    context: Context, name: str, digest: str, signature: Signature, classes: Sequence[str], records: list[ImageRecord]
) -> Scored:
    """Score one model file (a blob) on val and test. A side without pictures has no metrics."""
    sides = {side: [record for record in records if record.split is side] for side in _SPLITS}
    found = find(context, name, digest, signature, [image for images in sides.values() for image in images])
    metrics = {side.value: score(images, classes, found) for side, images in sides.items() if images}
    return Scored(
        variant=Variant(name=name, digest=digest, size=context.blobs.path(digest).stat().st_size, metrics=metrics),
        found=context.blobs.put_value(found),
    )


def find(context: Context, name: str, digest: str, signature: Signature, images: Sequence[ImageRecord]) -> Found:
    """What a model file (a blob) finds on these pictures, down to the unsure; errors: those of the runtime."""
    model = runtime_model.load(context.blobs.path(digest), signature, threads=context.threads)
    found: Found = {}
    for number, image in enumerate(images, 1):
        picture = context.images.path(image.digest).read_bytes()
        found[image.digest] = tuple(model.detect(picture, score_threshold=SCORE_THRESHOLD))
        context.reporter.progress(number / len(images), f"{name}: {number} of {len(images)} pictures")
    return found


def latencies(files: Sequence[tuple[Path, Signature]], image: bytes) -> list[float]:
    """Milliseconds from picture bytes to detections on one thread, by file: the median over rounds in which the files
    take turns, of the best of a few calls. What else the machine does can only add to a call."""
    models = [runtime_model.load(file, signature, threads=1) for file, signature in files]
    rounds = [[_best(model, image) for model in models] for _ in range(_ROUNDS)]
    return [round(median(column), 2) for column in zip(*rounds, strict=True)]


def _best(model: runtime_model.Model, image: bytes) -> float:
    model.detect(image)  # the call after another model's is slower
    return min(model.detect_timed(image).latency_ms for _ in range(_CALLS))
