"""Two model versions laid beside one another: pure functions of the versions and their evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from lineside.contract.compared import (
    ClassPair,
    CurvePair,
    Differing,
    GatePair,
    PicturePair,
    ScorePair,
    VariantPair,
)
from lineside.contract.evaluation import Comparison, Estimate, Evaluation, Mistake
from lineside.contract.model import ModelVersion, Prediction
from lineside.contract.run import CurvePoint

TEST = "test"
_MOST_PICTURES = 24

T = TypeVar("T")


class Side(NamedTuple):
    """One of the two with all that is known about it."""

    model: ModelVersion
    evaluation: Evaluation | None
    predictions: Sequence[Prediction]
    curves: Sequence[CurvePoint]


def same_test(a: Side, b: Side) -> bool:
    """Whether both were scored on the test pictures of one dataset version."""
    return _scored_on(a) is not None and _scored_on(a) == _scored_on(b)


def scores(a: Side, b: Side) -> tuple[ScorePair, ...]:
    """Each score that at least one of them has; the test side first."""
    sides = dict.fromkeys([*_sides(a), *_sides(b)])
    return tuple(
        _score(a, b, side, metric)
        for side in sorted(sides, key=lambda name: (name != TEST, name))
        for metric in ("map", "map50")
    )


def classes(a: Side, b: Side) -> tuple[ClassPair, ...]:
    """Every class that at least one of them was scored on, those that differ most first."""
    ours, theirs = _classes(a), _classes(b)
    measured = _deltas(a, b)
    comparable = same_test(a, b)
    pairs = [
        ClassPair(
            label=label,
            a=ours.get(label),
            b=theirs.get(label),
            difference=measured.get(label) or (_minus(theirs.get(label), ours.get(label)) if comparable else None),
        )
        for label in dict.fromkeys([*ours, *theirs])
    ]
    return tuple(sorted(pairs, key=lambda pair: (-abs(pair.difference.value) if pair.difference else 1.0, pair.label)))


def gates(a: ModelVersion, b: ModelVersion) -> tuple[GatePair, ...]:
    """Every gate that judged at least one of them."""
    ours, theirs = ({gate.name: gate for gate in one.gates} for one in (a, b))
    return tuple(GatePair(name=name, a=x, b=y) for name, x, y in _paired(ours, theirs))


def variants(a: ModelVersion, b: ModelVersion) -> tuple[VariantPair, ...]:
    """Every variant that at least one of them has."""
    ours, theirs = ({variant.name: variant for variant in one.variants} for one in (a, b))
    return tuple(VariantPair(name=name, a=x, b=y) for name, x, y in _paired(ours, theirs))


def differing(a: ModelVersion, b: ModelVersion) -> tuple[Differing, ...]:
    """Origin, parameters and signature, as far as they are not the same."""
    pairs = _paired(_made_with(a), _made_with(b))
    return tuple(Differing(name=name, a=x, b=y) for name, x, y in pairs if x != y)


def curves(a: Side, b: Side) -> tuple[CurvePair, ...]:
    """Training curves by series, over one another."""
    return tuple(
        CurvePair(series=name, a=tuple(x or ()), b=tuple(y or ()))
        for name, x, y in _paired(_series(a.curves), _series(b.curves))
    )


def pictures(a: Side, b: Side) -> tuple[PicturePair, ...]:
    """Test pictures of which both answers are kept: where one is right and the other is not, then the others, those
    with the most different answers first."""
    found = {one.image: one for one in (*_disagreements(a, b, swap=True), *_disagreements(b, a, swap=False))}
    ours, theirs = _answers(a), _answers(b)
    rest = [
        PicturePair(
            image=image,
            file_name=one.file_name,
            width=one.width,
            height=one.height,
            truth=one.truth,
            a=one.detections,
            b=theirs[image].detections,
        )
        for image, one in ours.items()
        if image in theirs and image not in found
    ]
    rest.sort(key=lambda pair: -abs(len(pair.a) - len(pair.b)))
    return (*found.values(), *rest)[:_MOST_PICTURES]


# --- inside -----------------------------------------------------------------------------------------------------------


def _scored_on(one: Side) -> str | None:
    tested = one.evaluation.side(TEST) if one.evaluation else None
    if tested is not None:
        return tested.dataset
    return one.model.lineage.dataset if TEST in one.model.metrics else None


def _sides(one: Side) -> list[str]:
    return [*(side.name for side in (one.evaluation.sides if one.evaluation else ())), *one.model.metrics]


def _score(a: Side, b: Side, side: str, metric: str) -> ScorePair:
    ours, theirs = _value(a, side, metric), _value(b, side, metric)
    between = _between(a, b, side)
    measured = getattr(between[0], metric) if between else None
    if measured is not None and between is not None and between[1]:
        measured = _negated(measured)
    comparable = side == TEST and same_test(a, b)
    plain = _minus(theirs, ours) if comparable or _same_dataset(a, b, side) else None
    return ScorePair(side=side, metric=metric, a=ours, b=theirs, difference=measured or plain)


def _same_dataset(a: Side, b: Side, side: str) -> bool:
    """Whether a side's scores are of one dataset version: the evaluations', or their own where neither has any."""
    ours, theirs = (one.evaluation.side(side) if one.evaluation else None for one in (a, b))
    if ours is not None or theirs is not None:
        return ours is not None and theirs is not None and ours.dataset == theirs.dataset
    return a.model.lineage.dataset is not None and a.model.lineage.dataset == b.model.lineage.dataset


def _value(one: Side, side: str, metric: str) -> Estimate | None:
    scored = one.evaluation.side(side) if one.evaluation else None
    if scored is not None:
        return scored.map if metric == "map" else scored.map50
    metrics = one.model.metrics.get(side)
    return None if metrics is None else Estimate(value=metrics.map if metric == "map" else metrics.map50)


def _classes(one: Side) -> dict[str, Estimate]:
    scored = one.evaluation.side(TEST) if one.evaluation else None
    if scored is not None:
        return {each.label: each.map for each in scored.classes}
    metrics = one.model.metrics.get(TEST)
    return {} if metrics is None else {label: Estimate(value=value) for label, value in metrics.per_class.items()}


def _between(a: Side, b: Side, side: str) -> tuple[Comparison, bool] | None:
    """What one evaluation says of both on the same pictures; True when `a` was the candidate there."""
    for candidate, champion, swapped in ((b, a, False), (a, b, True)):
        found = candidate.evaluation.compared(side) if candidate.evaluation else None
        if found is not None and found.digest == champion.model.digest:
            return found, swapped
    return None


def _deltas(a: Side, b: Side) -> dict[str, Estimate]:
    between = _between(a, b, TEST)
    if between is None:
        return {}
    found, swapped = between
    return {each.label: _negated(each.difference) if swapped else each.difference for each in found.classes}


def _negated(one: Estimate) -> Estimate:
    low = None if one.high is None else -one.high
    high = None if one.low is None else -one.low
    return Estimate(value=-one.value, low=low, high=high)


def _minus(one: Estimate | None, other: Estimate | None) -> Estimate | None:
    return None if one is None or other is None else Estimate(value=one.value - other.value)


def _paired(ours: Mapping[str, T], theirs: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in dict.fromkeys([*ours, *theirs]):
        yield name, ours.get(name), theirs.get(name)


def _made_with(model: ModelVersion) -> dict[str, Any]:
    lineage, signature = model.lineage, model.signature
    known: dict[str, Any] = {
        "dataset": lineage.dataset,
        "split by": lineage.split_by,
        "trainer": lineage.trainer,
        "started from": lineage.init,
        "seed": lineage.seed,
        "code": lineage.code_version,
        "ships": model.variant,
    }
    known |= lineage.parameters
    return known | {f"signature: {name}": value for name, value in msgspec.to_builtins(signature).items()}


def _series(points: Iterable[CurvePoint]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for point in sorted(points, key=lambda one: one.epoch):
        found.setdefault(point.series, []).append((point.epoch, point.value))
    return found


def _disagreements(candidate: Side, champion: Side, *, swap: bool) -> Iterator[PicturePair]:
    """Those of the candidate's evaluation; with `swap` the candidate is `a`."""
    found = candidate.evaluation.compared(TEST) if candidate.evaluation else None
    if found is None or found.digest != champion.model.digest:
        return
    for one in found.disagreements:
        yield PicturePair(
            image=one.image,
            file_name=one.file_name,
            width=one.width,
            height=one.height,
            truth=one.truth,
            a=one.candidate if swap else one.champion,
            b=one.champion if swap else one.candidate,
            reason=one.reason,
        )


def _answers(one: Side) -> dict[str, Prediction | Mistake]:
    found: dict[str, Prediction | Mistake] = {each.image: each for each in one.predictions}
    if one.evaluation is not None:
        for each in (*one.evaluation.missed, *one.evaluation.false_alarms):
            found.setdefault(each.image, each)
    return found
