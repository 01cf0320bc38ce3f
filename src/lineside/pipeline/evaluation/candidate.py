"""What a run made, before it has a version: the threshold it ships with, and its evaluation beside the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.evaluation import Evaluation
from lineside.contract.gate import CostRule
from lineside.contract.model import Metrics, Signature, Variant
from lineside.pipeline.classes import HEAD, whole_pictures
from lineside.pipeline.evaluation.champion import Champion, found_by
from lineside.pipeline.evaluation.report import Pictures, Scorer, evaluate
from lineside.pipeline.evaluation.threshold import choose_threshold
from lineside.pipeline.metrics import score
from lineside.pipeline.scoring import Found
from lineside.pipeline.step import Context
from lineside.pipeline.steps import collect

TEST, FIELD = "test", "field"


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate is evaluated on: its dataset version's id and classes, the blob with its pictures, the blob with
    what was found on val and test, a field set if the run names one, and the champion if there is one."""

    dataset: str
    classes: tuple[str, ...]
    records: str
    found: str
    field: str | None = None
    cost: CostRule | None = None
    champion: Champion | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What ships: the signature with the threshold that was chosen, and how good it is."""

    signature: Signature
    evaluation: Evaluation
    metrics: dict[str, Metrics]  # of the chosen variant, by split; the field set among them
    found: Found  # on val, test and the field set
    tested: Sequence[ImageRecord]
    recent: Sequence[ImageRecord] = ()  # of the field set


def examine(context: Context, material: Material, chosen: Variant, signature: Signature) -> Candidate:
    """Choose the threshold, score every side, look at the champion; errors: those of the runtime, request.not_found."""
    records = collect.records_of(context, material.records)
    found = context.blobs.value(material.found, Found)
    val = [record for record in records if record.split is Split.VAL]
    threshold = choose_threshold(val, material.classes, found, material.cost, signature.score_threshold)
    no_threshold = ""
    if threshold is not None:
        signature = msgspec.structs.replace(signature, score_threshold=threshold.value)
    elif material.cost is not None:
        no_threshold = _not_chosen(material.cost, val, signature)
    tested = [record for record in records if record.split is Split.TEST]
    collect.fetch_images(context, tested)
    sides = [Pictures(name=TEST, dataset=material.dataset, classes=material.classes, images=tested)]
    metrics = dict(chosen.metrics)
    recent: Sequence[ImageRecord] = ()
    if material.field is not None:
        field = field_set(context, material.field, records, whole=signature.head == HEAD)
        sides.append(field)
        recent = field.images
        found |= found_by(context, f"{FIELD} set", chosen.digest, signature, field.images)
        metrics[FIELD] = score(field.images, field.classes, found)
    evaluation = evaluate(
        context,
        Scorer(label="", digest=chosen.digest, signature=signature, found=found),
        sides,
        threshold=threshold,
        no_threshold=no_threshold,
        champion=None if material.champion is None else _scorer(context, material.champion, sides),
    )
    return Candidate(
        signature=signature, evaluation=evaluation, metrics=metrics, found=found, tested=tested, recent=recent
    )


def field_set(context: Context, dataset: str, seen: Sequence[ImageRecord], *, whole: bool) -> Pictures:
    """The pictures of a field set that were not among those trained or chosen on; `whole`: for a classifier.

    Errors: request.not_found.
    """
    version = context.control.dataset(dataset)
    trained = {record.digest for record in seen if record.split is not Split.TEST}
    records = [one for one in collect.read_records(context.control, dataset) if one.split is Split.TEST]
    records = whole_pictures(records) if whole else records
    images = [record for record in records if record.digest not in trained]
    collect.fetch_images(context, images)
    return Pictures(
        name=FIELD,
        dataset=version.id,
        classes=version.classes,
        images=images,
        left_out=len(records) - len(images),
    )


def _not_chosen(cost: CostRule, val: Sequence[ImageRecord], signature: Signature) -> str:
    """Silence would look like a choice."""
    why = "no val picture has an object on it" if val else "there are no val pictures"
    return (
        f"A missed object is said to cost as much as {cost.missed:g} false alarms, but {why} to choose a threshold by: "
        f"{signature.score_threshold:.2f} ships, the model's own."
    )


def _scorer(context: Context, champion: Champion, sides: Sequence[Pictures]) -> Scorer:
    found: Found = {}
    for side in sides:
        name = f"{champion.label} on {side.name}"
        found |= found_by(context, name, champion.digest, champion.signature, side.images)
    return Scorer(label=champion.label, digest=champion.digest, signature=champion.signature, found=found)
