"""Scores a model file the way a device runs it: through `lineside.runtime`, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature, Variant
from lineside.contract.result import Detection
from lineside.pipeline.files import digest_of_file
from lineside.pipeline.metrics import score
from lineside.pipeline.step import Context
from lineside.runtime import model as runtime_model

SCORE_THRESHOLD = 0.01  # average precision wants the unsure ones too
_SPLITS = (Split.VAL, Split.TEST)  # the sides a model is scored on

Found = dict[str, tuple[Detection, ...]]
"""Detections by image digest."""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A variant with its metrics, and the blob with what it found on the val and test pictures (a JSON `Found`)."""

    variant: Variant
    found: str


def score_file(
    context: Context, name: str, file: Path, signature: Signature, classes: Sequence[str], records: list[ImageRecord]
) -> Scored:
    """Score one model file on val and test. A side without pictures has no metrics."""
    sides = {side: [record for record in records if record.split is side] for side in _SPLITS}
    found = find(context, name, file, signature, [image for images in sides.values() for image in images])
    metrics = {side.value: score(images, classes, found) for side, images in sides.items() if images}
    return Scored(
        variant=Variant(name=name, digest=digest_of_file(file), size=file.stat().st_size, metrics=metrics),
        found=context.blobs.put_value(found),
    )


def find(context: Context, name: str, file: Path, signature: Signature, images: Sequence[ImageRecord]) -> Found:
    """What a model file finds on these pictures, down to the unsure; errors: those of the runtime."""
    model = runtime_model.load(file, signature, threads=context.threads)
    found: Found = {}
    for number, image in enumerate(images, 1):
        picture = context.images.path(image.digest).read_bytes()
        found[image.digest] = tuple(model.detect(picture, score_threshold=SCORE_THRESHOLD))
        context.reporter.progress(number / len(images), f"{name}: {number} of {len(images)} pictures")
    return found
