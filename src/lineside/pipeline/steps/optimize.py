"""optimize: smaller and quicker variants beside the fp32 one, and the choice which of them ships.

What is tried lies on this disk alone; files that belong to the version are sent when all of them are known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.contract.run import RunRequest
from lineside.contract.twin import PROFILES
from lineside.pipeline.optimize import building
from lineside.pipeline.optimize.building import Made
from lineside.pipeline.optimize.choice import Rules, choose, in_doubt, with_timing
from lineside.pipeline.optimize.ladder import Ladder, climb
from lineside.pipeline.parameters import limits_of
from lineside.pipeline.quantize import Quantizer
from lineside.pipeline.scoring import Scored, score_file
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect, evaluate
from lineside.pipeline.timing import timed

_REFUSALS = ("quantize.failed", "quantize.no_tensors", "model.unreadable", "model.shape_unknown", "model.run_failed")
"""What a network that nothing else can be made of leads to."""


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


def inputs(request: RunRequest, results: Results) -> Inputs | None:
    """What was evaluated; nothing for a model that came without a dataset to quantize and choose by."""
    if not results.has("evaluate"):
        return None
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
    """Build, score and time each; errors: model.engine_missing, those of the runtime.

    A variant that cannot be built is left out, and fp32's reason says why.
    """
    records = collect.records_of(context, given.records)
    collect.fetch_images(context, records)
    tested = next(record for record in records if record.split is Split.TEST)
    picture = context.images.path(tested.digest).read_bytes()
    with tempfile.TemporaryDirectory(dir=context.blobs.folder) as folder:
        work = Work(context, given, records, picture, Path(folder))
        fp32 = msgspec.structs.replace(given.fp32.variant, reason="")
        made, scored, refused = [], [msgspec.structs.replace(given.fp32, variant=fp32)], []
        for one in _made(work):
            if isinstance(one, LinesideError):
                refused.append(one.message)
            else:
                made.append(one)
                scored.append(_scored(work, one))
        chosen = _chosen(work, scored, made, " ".join(refused))
        for one in made:
            context.blobs.put_file(one.file)
    return Outputs(variants=chosen)


class Work(NamedTuple):
    """One optimization: the pictures' records, the picture to time with, and a folder for what is tried."""

    context: Context
    given: Inputs
    records: list[ImageRecord]
    picture: bytes
    folder: Path

    @property
    def fp32(self) -> Path:
        """The file that was evaluated."""
        return self.context.blobs.path(self.given.fp32.variant.digest)

    @property
    def calibration(self) -> list[ImageRecord]:
        """The pictures that ranges are measured on."""
        return building.calibration([record for record in self.records if record.split is Split.TRAIN])


def _scored(work: Work, made: Made) -> Scored:
    one = score_file(work.context, made.name, made.file, made.signature, work.given.classes, work.records)
    named = tuple(known.digest for known in work.calibration) if made.name.startswith("int8") else ()
    about = msgspec.structs.replace(one.variant, signature=made.signature, calibration=named, reason=made.words)
    return msgspec.structs.replace(one, variant=about)


def _chosen(work: Work, scored: list[Scored], made: list[Made], refused: str) -> tuple[Scored, ...]:
    """All timed anew in one go, and one of them chosen; `refused` says what could not be made."""
    names = [one.variant.name for one in scored]
    timings = timed(
        [(work.fp32, work.given.signature), *((one.file, one.signature) for one in made)],
        work.picture,
        doubtful=lambda timings: any(map(in_doubt, names, timings)),
    )
    variants = [with_timing(one.variant, timing) for one, timing in zip(scored, timings, strict=True)]
    variants[0] = msgspec.structs.replace(variants[0], reason=refused)
    told = choose(variants, work.given.rules)
    return tuple(msgspec.structs.replace(one, variant=variant) for one, variant in zip(scored, told, strict=True))


def _made(work: Work) -> Iterator[Made | LinesideError]:
    """Each variant's file, or why it could not be made."""
    signature = work.given.signature
    try:
        yield building.half(work.fp32, signature, work.picture, work.folder)
    except LinesideError as refusal:
        yield _told(refusal)
    try:
        pictures = work.calibration
        work.context.reporter.progress(0.0, f"calibrating INT8 on {len(pictures)} training pictures")
        quantizer = Quantizer(work.fp32, building.tensors(work.context, signature, pictures), work.folder)
        for name, engine in _int8(work.given):
            ladder = Ladder(
                name=name,
                fp32=work.given.fp32.variant,
                file=work.fp32,
                signature=msgspec.structs.replace(signature, engine=engine),
                fed=signature,
                classes=work.given.classes,
                records=work.records,
                picture=work.picture,
                rules=work.given.rules,
                folder=work.folder,
            )
            yield climb(work.context, quantizer, ladder)
    except LinesideError as refusal:
        yield _told(refusal)


def _told(refusal: LinesideError) -> LinesideError:
    """A refusal that is about this file; others are raised again."""
    if refusal.code not in _REFUSALS:
        raise refusal
    return refusal


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
        "lineside.pipeline.timing",
        "lineside.runtime",
    ),
)
