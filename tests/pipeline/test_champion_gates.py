"""Gates against the champion, class floors, targets: each with its numbers, and what is in doubt."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.evaluation import ClassDelta, Comparison, Estimate, Evaluation
from lineside.contract.gate import RULES, CostRule, GateSpec, Level, check_gates, resolve
from lineside.contract.model import GateResult, Metrics, Variant
from lineside.contract.twin import PROFILES
from lineside.pipeline.gates import JUDGES, Facts, blocked, judge
from lineside.pipeline.parameters import Limits


def difference(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high)


def judged(
    *gates: GateSpec,
    overall: Estimate | None = None,
    classes: dict[str, Estimate] | None = None,
    targets: tuple[str, ...] = (),
    champion: str | None = None,
    **variant: Any,
) -> dict[str, GateResult]:
    """The gates of a model that is otherwise good, by name."""
    metrics = Metrics(map50=0.8, map=0.6, per_class={"scratch": 0.7, "dent": 0.3}, images=40, boxes=100)
    chosen = {"name": "fp32", "digest": "d", "size": 4 << 20, "chosen": True, "metrics": {"test": metrics}} | variant
    facts = Facts(
        variants=(Variant(**chosen),),
        limits=Limits(),
        gates=gates,
        targets=tuple(PROFILES[name] for name in targets),
        evaluation=None if overall is None else against(overall, classes or {}),
        champion=champion,
    )
    results = judge(facts)
    assert len({one.name for one in results}) == len(results)
    return {one.name: one for one in results}


def against(overall: Estimate, classes: dict[str, Estimate]) -> Evaluation:
    compared = Comparison(
        champion="tags:3",
        digest="c",
        side="test",
        images=40,
        candidate_map=0.6,
        champion_map=0.6 - overall.value,
        map=overall,
        map50=overall,
        classes=tuple(
            ClassDelta(label=label, candidate=0.5, champion=0.5 - told.value, difference=told, images=9)
            for label, told in classes.items()
        ),
    )
    compared = msgspec.structs.replace(compared, only_champion=("lost",), only_candidate=("new",))
    return Evaluation(model="d", labels=("scratch", "dent"), sides=(), comparisons=(compared,), resamples=1000)


def test_a_model_surely_worse_than_the_champion_is_blocked_with_both_scores() -> None:
    gate = judged(overall=difference(-0.05, -0.09, -0.01))["not_worse_than_champion"]
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, -0.05, -0.02)
    assert "0.600 against 0.650 of tags:3" in gate.sentence
    assert "-0.090 to -0.010" in gate.sentence


def test_a_fall_that_may_be_chance_is_a_warning() -> None:
    results = judged(overall=difference(-0.05, -0.15, 0.04))
    gate = results["not_worse_than_champion"]
    assert (gate.level, gate.passed) == ("WARN", False)
    assert "chance" in gate.sentence
    assert not blocked(tuple(results.values()))


def test_doubt_may_block_when_a_run_says_so() -> None:
    asked = GateSpec(rule="not_worse_than_champion", parameters={"doubt": "BLOCK"})
    assert judged(asked, overall=difference(-0.05, -0.15, 0.04))["not_worse_than_champion"].level == "BLOCK"
    assert judged(asked, overall=difference(-0.05))["not_worse_than_champion"].level == "BLOCK"


@pytest.mark.parametrize("told", [difference(0.1, 0.05, 0.2), difference(-0.02, -0.03, -0.01), difference(0.0)])
def test_what_is_worse_by_no_more_than_the_limit_passes(told: Estimate) -> None:
    assert judged(overall=told)["not_worse_than_champion"].passed


@pytest.mark.parametrize(
    ("told", "passed"),
    [
        (difference(0.01, -0.01, 0.03), True),
        (difference(0.01, -0.05, 0.07), False),  # it may be worse by 0.05
        (difference(0.30), False),  # nothing is shown
    ],
)
def test_a_run_may_ask_for_proof_that_it_is_not_worse(told: Estimate, passed: bool) -> None:
    asked = GateSpec(rule="not_worse_than_champion", parameters={"proof": "not worse"})
    gate = judged(asked, overall=told)["not_worse_than_champion"]
    assert (gate.level, gate.passed) == ("BLOCK", passed)


def test_a_model_worse_on_one_class_is_stopped_by_name() -> None:
    classes = {"scratch": difference(0.1, 0.05, 0.2), "dent": difference(-0.2, -0.3, -0.1)}
    results = judged(overall=difference(0.02, 0.0, 0.05), classes=classes)
    assert results["not_worse_than_champion"].passed
    gate = results["per_class_not_worse/dent"]
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, -0.2, -0.05)
    assert gate.sentence.startswith("mAP50-95 of dent on the test split is 0.500 against 0.700 of tags:3")
    assert "per_class_not_worse/scratch" not in results
    assert blocked(tuple(results.values()))


def test_every_class_that_is_worse_has_its_own_numbers() -> None:
    classes = {"scratch": difference(-0.1, -0.2, -0.06), "dent": difference(-0.3), "rust": difference(0.0)}
    results = judged(overall=difference(0.0), classes=classes)
    assert results["per_class_not_worse/scratch"].level == "BLOCK"
    assert results["per_class_not_worse/dent"].level == "WARN"  # too few pictures for an interval
    assert "per_class_not_worse/rust" not in results


def test_when_no_class_is_worse_the_one_that_lost_most_is_told() -> None:
    classes = {"scratch": difference(0.1), "dent": difference(-0.01)}
    gate = judged(overall=difference(0.0), classes=classes)["per_class_not_worse/dent"]
    assert (gate.passed, gate.value) == (True, -0.01)


def test_without_a_champion_nothing_is_said_about_one() -> None:
    assert not [name for name in judged() if "worse" in name]


@pytest.mark.parametrize("rule", ["not_worse_than_champion", "per_class_not_worse"])
def test_a_champion_that_nothing_can_be_compared_with_is_no_success(rule: str) -> None:
    gate = judged(champion="tags:3")[rule]
    assert (gate.level, gate.passed) == ("WARN", False)
    assert gate.sentence == "On the test split nothing can be compared with tags:3."
    for stricter in ({"doubt": "BLOCK"}, {"proof": "not worse"}):
        assert judged(GateSpec(rule=rule, parameters=stricter), champion="tags:3")[rule].level == "BLOCK"
    field = GateSpec(rule=rule, parameters={"split": "field"})
    results = judged(field, overall=difference(0.0), classes={"dent": difference(0.0)}, champion="tags:3")
    assert not results[rule].passed


@pytest.mark.parametrize(
    ("label", "level", "why"),
    [
        ("rust", "WARN", "The test split has no rust"),
        ("new", "WARN", "tags:3 does not know new"),
        ("lost", "BLOCK", "tags:3 knows lost"),
    ],
)
def test_a_class_that_was_named_and_is_not_compared_does_not_pass(label: str, level: str, why: str) -> None:
    asked = GateSpec(rule="per_class_not_worse", parameters={"classes": ["dent", label]})
    results = judged(asked, overall=difference(0.0), classes={"dent": difference(0.0)}, champion="tags:3")
    gate = results[f"per_class_not_worse/{label}"]
    assert (gate.level, gate.passed) == (level, False)
    assert gate.sentence.startswith(why)


def test_a_class_below_its_floor_is_named() -> None:
    results = judged(GateSpec(rule="class_floor", limit=0.4))
    gate = results["class_floor/dent"]
    assert (gate.level, gate.passed, gate.value, gate.limit) == ("BLOCK", False, 0.3, 0.4)
    assert "class_floor/scratch" not in results
    assert judged(GateSpec(rule="class_floor", limit=0.2))["class_floor/dent"].passed
    only = judged(GateSpec(rule="class_floor", limit=0.4, parameters={"classes": ["scratch", "rust"]}))
    assert only["class_floor/rust"].sentence == "The test split has no rust to judge by."
    assert "class_floor/dent" not in only


def test_each_target_judges_latency_and_size() -> None:
    results = judged(targets=("raspberry-pi-4", "generic-x86"), latency_ms=600.0)
    slow, fast = results["latency/generic-x86"], results["latency/raspberry-pi-4"]
    assert (slow.level, slow.passed, slow.value, slow.limit) == ("WARN", False, 600.0, 500.0)
    assert (fast.passed, fast.limit) == (True, 1000.0)
    assert (results["size/raspberry-pi-4"].value, results["size/raspberry-pi-4"].limit) == (4.0, 256.0)
    assert results["size/raspberry-pi-4"].passed


def test_a_limit_of_a_run_s_own_counts_for_every_target_and_without_one() -> None:
    gates = (GateSpec(rule="latency", limit=20.0, level=Level.BLOCK), GateSpec(rule="size", limit=3.5))
    results = judged(*gates, latency_ms=25.0)
    assert (results["latency"].level, results["latency"].passed, results["latency"].limit) == ("BLOCK", False, 20.0)
    assert (results["size"].passed, results["size"].limit) == (False, 3.5)
    assert judged(*gates, targets=("generic-x86",), latency_ms=15.0)["latency/generic-x86"].passed


def test_a_latency_that_was_not_measured_does_not_pass() -> None:
    assert not judged(targets=("generic-x86",))["latency/generic-x86"].passed


def test_a_gate_of_a_run_takes_the_place_of_the_built_in_one() -> None:
    gate = judged(GateSpec(rule="minimum_map", limit=0.7, level=Level.WARN))["minimum_map"]
    assert (gate.level, gate.passed, gate.limit) == ("WARN", False, 0.7)


def test_a_score_on_the_field_set_that_is_not_there_does_not_pass() -> None:
    gate = judged(GateSpec(rule="minimum_map", limit=0.1, parameters={"split": "field"}))["minimum_map"]
    assert (gate.passed, gate.sentence) == (False, "There is no score on the field split to judge by.")


def test_every_rule_is_judged_and_has_its_words() -> None:
    assert list(JUDGES) == list(RULES)
    assert all(rule.words for rule in RULES.values())
    assert {gate.rule for gate in resolve(())} == set(RULES) - {"class_floor"}


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        (GateSpec(rule="nicer"), "gate.rule_unknown"),
        (GateSpec(rule="minimum_map", limit=float("nan")), "gate.parameter_invalid"),
        (GateSpec(rule="minimum_map", parameters={"classes": []}), "gate.parameter_invalid"),
        (GateSpec(rule="minimum_map", parameters={"split": "train"}), "gate.parameter_invalid"),
        (GateSpec(rule="class_floor", parameters={"classes": "dent"}), "gate.parameter_invalid"),
        (GateSpec(rule="per_class_not_worse", parameters={"doubt": "maybe"}), "gate.parameter_invalid"),
        (GateSpec(rule="per_class_not_worse", parameters={"split": "val"}), "gate.parameter_invalid"),
        (GateSpec(rule="not_worse_than_champion", parameters={"split": "val"}), "gate.parameter_invalid"),
        (GateSpec(rule="not_worse_than_champion", parameters={"split": "field"}), "gate.parameter_invalid"),
        (GateSpec(rule="minimum_map", parameters={"split": "field"}), "gate.parameter_invalid"),
    ],
)
def test_a_gate_nobody_could_judge_is_refused(gate: GateSpec, code: str) -> None:
    with pytest.raises(LinesideError) as refused:
        check_gates([gate], (), PROFILES, None)
    assert refused.value.code == code


def test_the_field_set_and_the_val_side_are_judged_where_they_may_be() -> None:
    check_gates([GateSpec(rule="not_worse_than_champion", parameters={"split": "field"})], (), (), None, field=True)
    check_gates([GateSpec(rule="minimum_map", parameters={"split": "val"})], (), (), None)


def test_targets_and_costs_are_checked_too() -> None:
    check_gates([GateSpec(rule="latency")], ["generic-x86"], PROFILES, CostRule(missed=5))
    with pytest.raises(LinesideError, match="generic-x86"):
        check_gates([], ["pdp-11"], PROFILES, None)
    for missed in (0.0, -1.0, float("inf")):
        with pytest.raises(LinesideError) as refused:
            check_gates([], [], PROFILES, CostRule(missed=missed))
        assert refused.value.code == "gate.cost_invalid"
