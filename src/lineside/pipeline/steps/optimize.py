"""optimize: smaller and quicker variants beside the fp32 one, and the choice which of them ships."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.contract.run import RunRequest
from lineside.contract.twin import PROFILES
from lineside.pipeline.optimize import building
from lineside.pipeline.optimize.building import Made
from lineside.pipeline.optimize.choice import Rules, choose
from lineside.pipeline.optimize.ladder import Ladder, climb
from lineside.pipeline.parameters import limits_of
from lineside.pipeline.quantize import Quantizer
from lineside.pipeline.scoring import Scored, latencies, score_file
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect, evaluate


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The scored fp32 model, the pictures, what a variant must meet, and whether devices have OpenVINO."""

    records: str
    classes: tuple[str, ...]
    signature: Signature
    fp32: Scored
    rules: Rules
    openvino: bool = False


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The variants, exactly one chosen, each with the reason."""

    variants: tuple[Scored, ...]


def inputs(request: RunRequest, results: Results) -> Inputs:
    """What was evaluated."""
    collected = results.of("collect", collect.Outputs)
    evaluated = results.of("evaluate", evaluate.Outputs)
    limits = limits_of(request)
    targets = {name: PROFILES[name].latency_p95_ms for name in request.targets}
    return Inputs(
        records=collected.records,
        classes=collected.classes,
        signature=evaluated.signature,
        fp32=evaluated.scored,
        rules=Rules(max_drop=limits.max_int8_drop, latency_ms=targets),
        openvino=limits.openvino,
    )


def optimize(context: Context, given: Inputs) -> Outputs:
    """Build, score and time each; errors: model.engine_missing, quantize.no_tensors, those of the runtime.

    A variant that cannot be built is left out, and fp32's reason says why.
    """
    records = collect.records_of(context, given.records)
    collect.fetch_images(context, records)
    tested = next(record for record in records if record.split is Split.TEST)
    picture = context.images.path(tested.digest).read_bytes()
    pictures = building.calibration([record for record in records if record.split is Split.TRAIN])
    scored, refused = [given.fp32], []
    for made in _made(context, given, records, pictures, picture):
        if isinstance(made, LinesideError):
            refused.append(made.message)
            continue
        one = score_file(context, made.name, made.digest, made.signature, given.classes, records)
        named = tuple(known.digest for known in pictures) if made.name.startswith("int8") else ()
        about = msgspec.structs.replace(one.variant, signature=made.signature, calibration=named, reason=made.words)
        scored.append(msgspec.structs.replace(one, variant=about))
    return Outputs(variants=_chosen(context, given, scored, picture, refused))


def _chosen(
    context: Context, given: Inputs, scored: list[Scored], picture: bytes, refused: list[str]
) -> tuple[Scored, ...]:
    """All timed anew in one go, and one of them chosen."""
    files = [(context.blobs.path(one.variant.digest), one.variant.signature or given.signature) for one in scored]
    timed = [
        msgspec.structs.replace(one.variant, latency_ms=latency)
        for one, latency in zip(scored, latencies(files, picture), strict=True)
    ]
    timed[0] = msgspec.structs.replace(timed[0], reason=" ".join(refused))
    told = choose(timed, given.rules)
    return tuple(msgspec.structs.replace(one, variant=variant) for one, variant in zip(scored, told, strict=True))


def _made(
    context: Context, given: Inputs, records: list[ImageRecord], pictures: list[ImageRecord], picture: bytes
) -> Iterator[Made | LinesideError]:
    """Each variant's file, or why it could not be made."""
    fp32 = context.blobs.path(given.fp32.variant.digest)
    try:
        yield building.half(context, fp32, given.signature, picture)
        with tempfile.TemporaryDirectory(dir=context.blobs.folder) as folder:
            context.reporter.progress(0.0, f"calibrating INT8 on {len(pictures)} training pictures")
            shown = building.tensors(context, given.signature, pictures)
            quantizer = Quantizer(fp32, shown, Path(folder))
            for name, engine in _int8(given):
                ladder = Ladder(
                    name=name,
                    fp32=given.fp32.variant,
                    file=fp32,
                    signature=msgspec.structs.replace(given.signature, engine=engine),
                    fed=given.signature,
                    classes=given.classes,
                    records=records,
                    picture=picture,
                    rules=given.rules,
                )
                yield climb(context, quantizer, ladder)
    except LinesideError as refusal:
        if refusal.code != "quantize.failed":
            raise
        yield refusal


def _int8(given: Inputs) -> Iterator[tuple[str, str | msgspec.UnsetType]]:
    """INT8 variants and the engines that run them."""
    yield "int8", given.signature.engine
    if given.openvino:
        yield "int8-openvino", "openvino"


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
        "lineside.pipeline.optimize",
        "lineside.pipeline.quantize",
        "lineside.pipeline.scoring",
        "lineside.pipeline.metrics",
        "lineside.runtime",
    ),
)
