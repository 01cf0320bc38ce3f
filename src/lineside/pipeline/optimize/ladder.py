"""INT8, rung by rung: all layers; then all but the most sensitive; until it is good enough, or no quicker than fp32.

Each rung is scored on the val pictures through the runtime. What a rung came to is said in its variant's reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature, Variant
from lineside.pipeline.files import digest_of_file
from lineside.pipeline.metrics import score
from lineside.pipeline.optimize.building import Made, quicker
from lineside.pipeline.optimize.choice import Rules, in_doubt, objection, with_timing
from lineside.pipeline.optimize.sensitivity import rungs
from lineside.pipeline.quantize import Quantizer
from lineside.pipeline.scoring import find
from lineside.pipeline.step import Context
from lineside.pipeline.timing import timed


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """What every rung is held against: fp32 with its file and signature, the pictures, and the one to time with; rungs
    are written to `folder`."""

    name: str  # int8, int8-openvino
    fp32: Variant
    file: Path
    signature: Signature  # of this variant, its engine named
    fed: Signature  # of fp32
    classes: tuple[str, ...]
    records: list[ImageRecord]
    picture: bytes
    rules: Rules
    folder: Path


class Rung(NamedTuple):
    """A file, and what it came to: fp32 and itself, both timed anew, itself scored on val."""

    made: Made
    fp32: Variant
    variant: Variant


def attempt(context: Context, ladder: Ladder, data: bytes) -> Rung:
    """Time and score a rung's file."""
    made = quicker(ladder.name, data, ladder.signature, ladder.picture, ladder.folder)
    slow, quick = timed(
        [(ladder.file, ladder.fed), (made.file, made.signature)],
        ladder.picture,
        doubtful=lambda timings: in_doubt(made.name, timings[1]),
    )
    val = [record for record in ladder.records if record.split is Split.VAL]
    metrics = {}
    if val:
        found = find(context, made.name, made.file, made.signature, val)
        metrics = {Split.VAL.value: score(val, ladder.classes, found)}
    size, digest = made.file.stat().st_size, digest_of_file(made.file)
    rung = with_timing(Variant(name=made.name, digest=digest, size=size, metrics=metrics), quick)
    return Rung(made, with_timing(ladder.fp32, slow), rung)


def climb(context: Context, quantizer: Quantizer, ladder: Ladder, attempt: Attempt = attempt) -> Made:
    """The first rung that passes; else the last that was tried, which the choice will then refuse with its numbers."""
    tried: list[str] = []
    made: Made | None = None
    for but in _rungs(quantizer):
        count = f"{len(but)} of {len(quantizer.layers)} layers in float" if but else "all layers in INT8"
        context.reporter.progress(0.0, f"{ladder.name}: {count}")
        rung = attempt(context, ladder, quantizer.quantized(but=but))
        made = msgspec.structs.replace(rung.made, words=" ".join([*tried, f"With {count}: {rung.made.words}"]))
        why = objection(rung.fp32, rung.variant, ladder.rules)
        if not why or not _worth_more(rung, ladder.rules):
            break
        tried.append(f"With {count}: {why}.")
    assert made is not None  # the first rung is always tried
    return made


def _rungs(quantizer: Quantizer) -> Iterator[Sequence[str]]:
    yield ()
    yield from rungs(quantizer)


def _worth_more(rung: Rung, rules: Rules) -> bool:
    """Whether layers in float could help: only accuracy is amiss, and there is time left to give."""
    as_good = msgspec.structs.replace(rung.variant, metrics=rung.fp32.metrics)
    return bool(rung.variant.metrics) and not objection(rung.fp32, as_good, rules)


Attempt = Callable[[Context, Ladder, bytes], Rung]
