"""optimize: an INT8 variant beside the fp32 one, and the choice which of them ships."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature, Variant
from lineside.contract.run import RunRequest
from lineside.pipeline.parameters import limits_of
from lineside.pipeline.quantize import quantize
from lineside.pipeline.scoring import Scored, latencies, score_file
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect, evaluate
from lineside.runtime.decode import decode
from lineside.runtime.preprocess import Preprocessor

_CALIBRATION_PICTURES = 64


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The scored fp32 model, the pictures, and how much mAP50-95 INT8 may lose on val."""

    records: str
    classes: tuple[str, ...]
    signature: Signature
    fp32: Scored
    max_int8_drop: float


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """Both variants, exactly one chosen, each with the reason."""

    variants: tuple[Scored, ...]


def inputs(request: RunRequest, results: Results) -> Inputs:
    """What was evaluated."""
    collected = results.of("collect", collect.Outputs)
    evaluated = results.of("evaluate", evaluate.Outputs)
    return Inputs(
        records=collected.records,
        classes=collected.classes,
        signature=evaluated.signature,
        fp32=evaluated.scored,
        max_int8_drop=limits_of(request).max_int8_drop,
    )


def optimize(context: Context, given: Inputs) -> Outputs:
    """Quantize, score and time; errors: those of `quantize` and of the runtime."""
    records = collect.records_of(context, given.records)
    collect.fetch_images(context, records)
    digest = _quantized(context, given, records)
    int8 = score_file(context, "int8", digest, given.signature, given.classes, records)
    files = [context.blobs.path(given.fp32.variant.digest), context.blobs.path(digest)]
    tested = next(record for record in records if record.split is Split.TEST)
    times = latencies(files, given.signature, context.images.path(tested.digest).read_bytes())
    before, after = (
        msgspec.structs.replace(scored.variant, latency_ms=latency)
        for scored, latency in zip((given.fp32, int8), times, strict=True)
    )
    chosen = choose(before, after, given.max_int8_drop)
    return Outputs(
        variants=tuple(Scored(variant=v, found=s.found) for v, s in zip(chosen, (given.fp32, int8), strict=True))
    )


def choose(fp32: Variant, int8: Variant, max_drop: float) -> tuple[Variant, Variant]:
    """Both with `chosen` and `reason` set: INT8 ships if it is faster and loses at most `max_drop` mAP50-95 on val."""
    sentence, takes_over = _comparison(fp32, int8, max_drop)
    return (
        msgspec.structs.replace(fp32, chosen=not takes_over, reason=sentence),
        msgspec.structs.replace(int8, chosen=takes_over, reason=sentence),
    )


def _comparison(fp32: Variant, int8: Variant, max_drop: float) -> tuple[str, bool]:
    if "val" not in fp32.metrics or "val" not in int8.metrics:
        return "fp32 ships: there are no val pictures to compare INT8 on.", False
    before, after = fp32.metrics["val"].map, int8.metrics["val"].map
    scores = f"mAP50-95 on val goes from {before:.3f} to {after:.3f}"
    times = f"{int8.latency_ms} ms against {fp32.latency_ms} ms"
    if before - after > max_drop:
        return f"fp32 ships: with INT8 {scores}, more than the {max_drop:.3f} allowed ({times}).", False
    if (int8.latency_ms or 0.0) >= (fp32.latency_ms or 0.0):
        return f"fp32 ships: INT8 is no faster, {times} ({scores}).", False
    return f"INT8 ships: {times}, and {scores}; a fall of {max_drop:.3f} is allowed.", True


def _quantized(context: Context, given: Inputs, records: Sequence[ImageRecord]) -> str:
    training = [record for record in records if record.split is Split.TRAIN]
    stride = max(1, len(training) // _CALIBRATION_PICTURES)
    pictures = [
        context.images.path(record.digest).read_bytes() for record in training[::stride][:_CALIBRATION_PICTURES]
    ]
    context.reporter.progress(0.0, f"calibrating INT8 on {len(pictures)} training pictures")
    with tempfile.TemporaryDirectory(dir=context.blobs.folder) as folder:
        target = Path(folder) / "int8.onnx"
        fill = Preprocessor(given.signature)
        fit = (given.signature.input_width, given.signature.input_height)
        tensors = (fill(decode(picture, fit))[0] for picture in pictures)
        quantize(context.blobs.path(given.fp32.variant.digest), target, tensors, given.signature.head)
        return context.blobs.put_file(target)


def _summary(done: Outputs) -> str:
    return next(scored.variant.reason for scored in done.variants if scored.variant.chosen)


STEP = StepDefinition(
    name="optimize",
    inputs=inputs,
    perform=optimize,
    summary=_summary,
    outputs=Outputs,
    code=lambda given: (
        __name__,
        "lineside.pipeline.quantize",
        "lineside.pipeline.scoring",
        "lineside.pipeline.metrics",
        "lineside.runtime",
    ),
)
