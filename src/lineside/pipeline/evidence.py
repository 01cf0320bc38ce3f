"""What a model version brings beside its file: golden set, drift baseline, and pictures of what it found."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lineside.contract.dataset import ImageRecord
from lineside.contract.drift import Baseline
from lineside.contract.model import Prediction, Predictions
from lineside.pipeline.pictures import sample_pictures
from lineside.pipeline.scoring import Found
from lineside.pipeline.step import Context
from lineside.runtime.drift.gathering import baseline_of
from lineside.runtime.golden import USUAL, Tolerance, write_golden
from lineside.runtime.model import Model

_GOLDEN_BUSY = 3  # pictures with something on them, and one without where there is one
_INT8 = Tolerance(min_iou=0.65, max_confidence_gap=0.15)
"""Processors with other kernels round INT8 at other places: on 30 pictures with 749 detections, the same file computed
in another way was off by 0.11 in confidence and by a quarter in overlap at most. fp32 and fp16 were not off at all."""
_PREDICTIONS = 12  # pictures on the model's page


def confident(found: Found, threshold: float) -> Found:
    """What a device would publish of this."""
    return {digest: tuple(one for one in all_ if one.confidence >= threshold) for digest, all_ in found.items()}


def golden(context: Context, model: Model, tested: Sequence[ImageRecord], answers: Found, variant: str = "fp32") -> str:
    """The blob with the golden set: test pictures, or made-up ones for a model that came without any."""
    telling = _telling(tested, answers)
    named = {f"{n}{Path(record.file_name).suffix}": _picture(context, record) for n, record in enumerate(telling, 1)}
    if not named:
        made_up = sample_pictures(model.signature.input_width, model.signature.input_height)
        named = {f"{n}.png": picture for n, picture in enumerate(made_up, 1)}
    with tempfile.TemporaryDirectory(dir=context.blobs.folder) as folder:
        target = Path(folder) / "golden.zip"
        write_golden(target, model, named, _INT8 if variant.startswith("int8") else USUAL)
        return context.blobs.put_file(target)


def predictions(context: Context, tested: Sequence[ImageRecord], answers: Found) -> str:
    """The blob with a few test pictures, spread over all of them, and what was found there."""
    stride = max(1, len(tested) // _PREDICTIONS)
    shown = [
        Prediction(
            image=record.digest,
            file_name=record.file_name,
            width=record.width,
            height=record.height,
            truth=record.boxes,
            detections=answers[record.digest],
        )
        for record in tested[::stride][:_PREDICTIONS]
    ]
    return context.blobs.put_value(Predictions(images=tuple(shown)))


def baseline(context: Context, model: Model, shown: Sequence[ImageRecord]) -> Baseline:
    """What devices are compared with: quantities of pictures that it never learned from, and of what it finds on them.
    Those of the field set are what devices see now: without them a model that was trained for another light would be
    told apart from the light before."""
    return baseline_of(model, (_picture(context, record) for record in {one.digest: one for one in shown}.values()))


def _picture(context: Context, record: ImageRecord) -> bytes:
    return context.images.path(record.digest).read_bytes()


def _telling(tested: Sequence[ImageRecord], answers: Found) -> list[ImageRecord]:
    """The pictures with the most confident answers, each of another group if that is possible, and one without any."""
    busy = [record for record in tested if answers[record.digest]]
    busy.sort(key=lambda record: -max(one.confidence for one in answers[record.digest]))
    first_of_group = {record.group or record.digest: record for record in reversed(busy)}
    leading = [record for record in busy if first_of_group[record.group or record.digest] is record]
    ordered = leading + [record for record in busy if record not in leading]
    quiet = [record for record in tested if not answers[record.digest]]
    return ordered[:_GOLDEN_BUSY] + quiet[: 1 if ordered else _GOLDEN_BUSY]
