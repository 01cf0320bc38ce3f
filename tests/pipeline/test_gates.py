"""Gates: each rule with its numbers and its sentence."""

from __future__ import annotations

from lineside.contract.model import GateResult, Metrics, Variant
from lineside.pipeline.gates import Facts, blocked, judge
from lineside.pipeline.parameters import Limits


def metrics(value: float, images: int = 42) -> Metrics:
    return Metrics(map50=0.8, map=value, images=images, boxes=100)


def variant(name: str, *, chosen: bool, val: float = 0.5, test: float = 0.5, images: int = 42) -> Variant:
    scores = {"val": metrics(val), "test": metrics(test, images)}
    return Variant(name=name, digest="sha256:0", size=1, chosen=chosen, metrics=scores)


def gates(*variants: Variant, **limits: float) -> dict[str, GateResult]:
    return {gate.name: gate for gate in judge(Facts(variants=variants, limits=Limits(**limits)))}  # type: ignore[arg-type]


def test_the_score_is_judged_on_the_test_split_of_what_ships() -> None:
    judged = gates(variant("fp32", chosen=True, test=0.39), variant("int8", chosen=False, test=0.6))
    gate = judged["minimum_map"]
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, 0.39, 0.40)
    assert gate.sentence == "mAP50-95 of 0.390 on the test split is below the 0.400 asked for."


def test_the_limit_itself_is_enough() -> None:
    assert gates(variant("fp32", chosen=True, test=0.40))["minimum_map"].passed


def test_too_few_test_pictures_block() -> None:
    gate = gates(variant("fp32", chosen=True, images=4))["minimum_test_images"]
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, 4, 5)


def test_a_fall_of_int8_is_a_warning() -> None:
    judged = judge(
        Facts(
            variants=(variant("fp32", chosen=True, val=0.50), variant("int8", chosen=False, val=0.45)), limits=Limits()
        )
    )
    gate = next(gate for gate in judged if gate.name == "int8_drop")
    assert (gate.level, gate.passed, round(gate.value, 3), gate.limit) == ("WARN", False, 0.05, 0.02)
    assert not blocked(judged)


def test_a_model_that_was_not_scored_says_so_and_is_not_blocked() -> None:
    judged = judge(Facts(variants=(Variant(name="fp32", digest="sha256:0", size=1, chosen=True),), limits=Limits()))
    assert [(gate.name, gate.level, gate.passed) for gate in judged] == [("scored", "WARN", False)]
    assert not blocked(judged)


def test_the_limits_are_the_run_s() -> None:
    assert not gates(variant("fp32", chosen=True, test=0.5), min_map=0.6)["minimum_map"].passed
