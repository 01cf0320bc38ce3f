"""Rules about the scores of what ships."""

from __future__ import annotations

from lineside.contract.gate import GateSpec
from lineside.contract.model import Metrics
from lineside.pipeline.gates.facts import Facts, Judged


def minimum_map(facts: Facts, gate: GateSpec) -> list[Judged]:
    """mAP50-95 is at least the limit."""
    split, limit = _asked(gate)
    metrics = facts.chosen.metrics.get(split)
    if metrics is None:
        return _unscored(split, limit)
    value, passed = metrics.map, metrics.map >= limit
    word = "reaches" if passed else "is below"
    sentence = f"mAP50-95 of {value:.3f} on the {split} split {word} the {limit:.3f} asked for."
    return [Judged(passed, value, limit, sentence)]


def minimum_test_images(facts: Facts, gate: GateSpec) -> list[Judged]:
    """There were enough pictures."""
    split, limit = _asked(gate)
    metrics = facts.chosen.metrics.get(split)
    if metrics is None:
        return _unscored(split, limit)
    value, passed = metrics.images, metrics.images >= limit
    word = "enough" if passed else "too few"
    return [Judged(passed, value, limit, f"{value} {split} images are {word} to judge by (at least {limit:g}).")]


def class_floor(facts: Facts, gate: GateSpec) -> list[Judged]:
    """Each class is at least at the limit: a result for each that is not, else one for the lowest."""
    split, limit = _asked(gate)
    metrics = facts.chosen.metrics.get(split)
    if metrics is None:
        return _unscored(split, limit)
    wanted = list(gate.parameters["classes"])
    judged = [_class(metrics, label, split, limit) for label in wanted or metrics.per_class]
    low = [one for one in judged if not one.passed]
    return low or sorted(judged, key=lambda one: one.value)[:1]


def int8_drop(facts: Facts, gate: GateSpec) -> list[Judged]:
    """INT8 loses little on the val side."""
    fp32, int8 = facts.on("fp32", "val"), facts.on("int8", "val")
    if fp32 is None or int8 is None:
        return []
    drop, limit = fp32.map - int8.map, gate.limit or 0.0
    sentence = f"INT8 loses {drop:.3f} mAP50-95 on the val split; {limit:.3f} is allowed."
    return [Judged(drop <= limit, drop, limit, sentence)]


def scored(facts: Facts, gate: GateSpec) -> list[Judged]:
    """There was something to score it on."""
    passed = "test" in facts.chosen.metrics
    sentence = "The model was scored on test images." if passed else "No dataset was given: it runs, but has no score."
    return [Judged(passed, float(passed), 1.0, sentence)]


def _asked(gate: GateSpec) -> tuple[str, float]:
    return str(gate.parameters["split"]), gate.limit or 0.0


def _unscored(split: str, limit: float) -> list[Judged]:
    """Without test pictures the rule `scored` speaks; a split that was asked for by name must be there."""
    if split == "test":
        return []
    return [Judged(False, 0.0, limit, f"There is no score on the {split} split to judge by.")]


def _class(metrics: Metrics, label: str, split: str, limit: float) -> Judged:
    value = metrics.per_class.get(label)
    if value is None:
        return Judged(False, 0.0, limit, f"The {split} split has no {label} to judge by.", about=label)
    word = "reaches" if value >= limit else "is below"
    sentence = f"mAP50-95 of {value:.3f} for {label} on the {split} split {word} the {limit:.3f} asked for."
    return Judged(value >= limit, value, limit, sentence, about=label)
