"""split: which pictures train, choose and score; refuses a split whose score would mean nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.run import RunRequest
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The blob with the image records; `choosing`: a threshold is to be chosen, which needs val pictures."""

    dataset: str
    records: str
    choosing: bool = False


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split in numbers; pictures without a group count as groups of their own."""

    images: int
    boxes: int
    groups: int


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The sides by name: train, val, test."""

    sides: dict[str, Side]


def inputs(request: RunRequest, results: Results) -> Inputs:
    """The records that were collected."""
    collected = results.of("collect", collect.Outputs)
    return Inputs(dataset=collected.dataset, records=collected.records, choosing=request.cost is not None)


def split(context: Context, given: Inputs) -> Outputs:
    """Count the sides; errors: split.leak, split.empty."""
    records = collect.records_of(context, given.records)
    refuse_leaks(records)
    sides = {side.value: _side([record for record in records if record.split is side]) for side in Split}
    for needed in (Split.TRAIN, Split.TEST, *([Split.VAL] if given.choosing else [])):
        if not sides[needed.value].images:
            raise LinesideError("split.empty", dataset=given.dataset, split=needed.value)
    return Outputs(sides=sides)


def refuse_leaks(records: Sequence[ImageRecord]) -> None:
    """One group, and one picture, lies on one side only; error: split.leak."""
    sides: dict[str, set[str]] = defaultdict(set)
    for record in records:
        sides[record.digest].add(record.split.value)
        if record.group is not None:
            sides[f"group {record.group}"].add(record.split.value)
    leaks = {name: found for name, found in sorted(sides.items()) if len(found) > 1}
    if leaks:
        name, found = next(iter(leaks.items()))
        name = name.removeprefix("group ")
        raise LinesideError("split.leak", group=name, splits=" and ".join(sorted(found)), count=len(leaks))


def _side(records: Sequence[ImageRecord]) -> Side:
    return Side(
        images=len(records),
        boxes=sum(len(record.boxes) for record in records),
        groups=len({record.group or record.digest for record in records}),
    )


STEP = StepDefinition(
    name="split",
    inputs=inputs,
    perform=split,
    summary=lambda done: ", ".join(f"{side.images} {name}" for name, side in done.sides.items()),
    outputs=Outputs,
    code=lambda given: (__name__,),
)
