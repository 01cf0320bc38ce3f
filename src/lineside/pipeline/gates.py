"""Gates: named rules a model version is judged by, each stored with its numbers.

BLOCK: the model can never be approved. WARN: whoever approves it should know. To add a rule, add a row to `GATES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lineside.contract.model import GateResult, Metrics, Variant
from lineside.pipeline.parameters import Limits

BLOCK, WARN = "BLOCK", "WARN"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules judge: the variants with their metrics, exactly one of them chosen."""

    variants: tuple[Variant, ...]
    limits: Limits

    @property
    def test(self) -> Metrics | None:
        """Metrics of the chosen variant on the test split; None when it was not scored."""
        return next(variant for variant in self.variants if variant.chosen).metrics.get("test")

    def on(self, variant: str, split: str) -> Metrics | None:
        """Metrics of a variant on a split, if both are there."""
        found = next((known for known in self.variants if known.name == variant), None)
        return None if found is None else found.metrics.get(split)


@dataclass(frozen=True)
class Judged:
    """A rule's answer before it has a name."""

    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True)
class Gate:
    """One rule. `judge` answers None when there is nothing to judge."""

    name: str
    level: str
    judge: Callable[[Facts], Judged | None]


def judge(facts: Facts) -> tuple[GateResult, ...]:
    """Every rule that applies, in the table's order."""
    judged = ((gate, gate.judge(facts)) for gate in GATES)
    return tuple(
        GateResult(
            name=gate.name,
            level=gate.level,
            passed=found.passed,
            value=found.value,
            limit=found.limit,
            sentence=found.sentence,
        )
        for gate, found in judged
        if found is not None
    )


def blocked(gates: tuple[GateResult, ...]) -> bool:
    """Whether a BLOCK gate said no."""
    return any(gate.level == BLOCK and not gate.passed for gate in gates)


def _minimum_map(facts: Facts) -> Judged | None:
    if facts.test is None:
        return None
    value, limit = facts.test.map, facts.limits.min_map
    passed = value >= limit
    word = "reaches" if passed else "is below"
    return Judged(passed, value, limit, f"mAP50-95 of {value:.3f} on the test split {word} the {limit:.3f} asked for.")


def _minimum_test_images(facts: Facts) -> Judged | None:
    if facts.test is None:
        return None
    value, limit = facts.test.images, facts.limits.min_test_images
    passed = value >= limit
    word = "enough" if passed else "too few"
    return Judged(passed, value, limit, f"{value} test images are {word} to judge by (at least {limit}).")


def _int8_drop(facts: Facts) -> Judged | None:
    fp32, int8 = facts.on("fp32", "val"), facts.on("int8", "val")
    if fp32 is None or int8 is None:
        return None
    drop, limit = fp32.map - int8.map, facts.limits.max_int8_drop
    sentence = f"INT8 loses {drop:.3f} mAP50-95 on the val split; {limit:.3f} is allowed."
    return Judged(drop <= limit, drop, limit, sentence)


def _scored(facts: Facts) -> Judged:
    passed = facts.test is not None
    sentence = "The model was scored on test images." if passed else "No dataset was given: it runs, but has no score."
    return Judged(passed, float(passed), 1.0, sentence)


GATES = (
    Gate("minimum_map", BLOCK, _minimum_map),
    Gate("minimum_test_images", BLOCK, _minimum_test_images),
    Gate("int8_drop", WARN, _int8_drop),
    Gate("scored", WARN, _scored),
)
