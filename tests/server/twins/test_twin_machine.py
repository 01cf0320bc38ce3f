"""The twin test's machine, and what judges its numbers: pure, so all of it is tried."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from lineside.contract.approval import TwinOutcome, check_words, twin_shortfalls
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent, Usage
from lineside.contract.rollout import RolloutState
from lineside.contract.twin import ENDED, PROFILES, TWIN_MOVES, TestResult, TwinAnswer, TwinState
from lineside.server.twins.judging import checks_of, digests_check, last_object, newest
from lineside.server.twins.model import Ask, Move, View, Wait, advance

GOOD = View(state=TwinState.PREPARING, twins=("t",), rollout=RolloutState.SUCCEEDED)


def test_when_all_is_well_it_goes_through_every_stage_once() -> None:
    states, view = [TwinState.PREPARING], GOOD
    while view.state not in ENDED:
        action = advance(view)
        assert isinstance(action, Move)
        states.append(action.wanted)
        view = replace(view, state=action.wanted)
    assert states == [state for state in TwinState if state is not TwinState.FAILED]


def test_whatever_is_seen_only_allowed_moves_are_made() -> None:
    seen = itertools.product(
        TwinState, (None, *RolloutState), ((), ("t",)), (0.0, 3.0), ((), ("t",)), ((), ("t",)), ((), ("wrong",)), (0, 9)
    )
    for state, rollout, twins, soak, unasked, unanswered, wrong, overdue in seen:
        view = View(
            state=state,
            twins=twins,
            rollout=rollout,
            soak_left=soak,
            unasked=unasked,
            unanswered=unanswered,
            wrong=wrong,
            overdue=overdue,
        )
        action = advance(view)
        assert state not in ENDED or action == Wait()
        if isinstance(action, Move):
            assert action.wanted in TWIN_MOVES[state]
            forward = action.wanted is not TwinState.FAILED
            assert not (
                forward
                and (
                    not twins
                    or (
                        rollout in (RolloutState.FAILED, RolloutState.SUPERSEDED)
                        and state not in (TwinState.SOAKING, TwinState.MEASURING)
                    )
                )
            )


@pytest.mark.parametrize("state", [RolloutState.PENDING, RolloutState.RUNNING, RolloutState.ROLLING_BACK])
def test_it_waits_for_a_rollout_and_not_for_ever(state: RolloutState) -> None:
    view = replace(GOOD, state=TwinState.INSTALLING, rollout=state)
    assert advance(view) == Wait()
    late = advance(replace(view, overdue=60.0))
    assert late == Move(TwinState.FAILED, "the twins did not come to an end within 60 s")


def test_a_twin_that_does_not_answer_is_named() -> None:
    view = replace(GOOD, state=TwinState.MEASURING, unasked=("t",), unanswered=("t",))
    assert advance(view) == Ask(("t",))
    view = replace(view, unasked=())
    assert advance(view) == Wait()
    assert advance(replace(view, overdue=60.0)) == Move(TwinState.FAILED, "t did not answer within 60 s")


# --- numbers ----------------------------------------------------------------------------------------------------------


def answer(*, golden: str = "matched", peak: int = 100, restarts: int = 0, profile: bool = True) -> TwinAnswer:
    one = ReportedComponent(
        name="tags.inference",
        version="1.0.0",
        recipe_digest="sha256:1",
        state=ComponentState.RUNNING,
        probe={"golden": golden},
        restarts=restarts,
        usage=Usage(cpu_percent=1.0, memory_bytes=1, peak_bytes=peak << 20),
    )
    values = {name: getattr(PROFILES["raspberry-pi-4"], name) for name in PROFILES["raspberry-pi-4"].__struct_fields__}
    return TwinAnswer(running=(one,), facts={"profile_values": values} if profile else {})


def bench(output: str, code: int | None = 0) -> TestResult:
    return TestResult(component="tags.inference", name="latency", code=code, seconds=1.0, output=output)


FAST = bench('loading\n{"latency_ms": {"p50": 80, "p95": 120.5}}\n')


def wrong(said: TwinAnswer, *tests: TestResult) -> list[str]:
    checks = checks_of(said, tests, "tags.inference", 1)
    needed = ("golden inputs", "peak memory", "latency p50", "latency p95", "restarts")
    return list(twin_shortfalls(TwinOutcome(device="t", progress="healthy", checks=checks), needed))


def test_numbers_within_the_limits_of_the_profile_are_right_and_told() -> None:
    assert wrong(answer(restarts=1), FAST) == []
    told = [check_words(check) for check in checks_of(answer(restarts=1), [FAST], "tags.inference", 1)]
    assert told == [
        "golden inputs 1 (tags.inference says matched)",
        "peak memory of tags.inference 100 MiB, the limit is 1024 MiB",
        "latency p50 of tags.inference 80 ms",
        "latency p95 of tags.inference 120.5 ms, the limit is 1000 ms",
        "restarts 0, the limit is 0",
    ]


@pytest.mark.parametrize(
    ("said", "test", "why"),
    [
        (answer(golden="mismatched"), FAST, "t: golden inputs 0 (tags.inference says mismatched)"),
        (answer(golden=""), FAST, "t: golden inputs 0 (tags.inference says nothing)"),
        (answer(peak=2000), FAST, "t: peak memory of tags.inference 2000 MiB, the limit is 1024 MiB"),
        (answer(restarts=3), FAST, "t: restarts 2, the limit is 0"),
        (answer(), bench('{"latency_ms": {"p50": 80, "p95": 1200}}'), "t: latency p95 of tags.inference 1200 ms, the"),
        (answer(), bench('{"latency_ms": {"p50": 80, "p95": "fast"}}'), "t: latency p95 was not measured"),
        (answer(), bench("no numbers"), "t: latency p50 was not measured"),
        (answer(), bench('{"latency_ms": {"p50": 1, "p95": 1}}', code=1), "t: latency p50 was not measured"),
    ],
)
def test_a_number_over_its_limit_or_missing_is_named(said: TwinAnswer, test: TestResult, why: str) -> None:
    assert wrong(said, test)[0].startswith(why)


def test_without_a_profile_numbers_are_told_and_nothing_is_too_much() -> None:
    assert wrong(answer(peak=90_000, profile=False), bench('{"latency_ms": {"p50": 1, "p95": 9e9}}')) == []


def test_not_a_number_is_over_every_limit() -> None:
    slow = bench('{"latency_ms": {"p50": 1, "p95": 1e999}}')
    assert wrong(answer(), slow)


def test_a_test_that_ran_again_counts_as_it_ran_last() -> None:
    assert newest([bench("first", 1), FAST]) == [FAST]
    assert last_object("[1]") == {}


def test_going_back_is_held_against_digests_and_what_must_be_gone() -> None:
    running = answer().running
    report = Report(device="t", sequence=1, at="", revision=1, phase=Phase.HEALTHY, running=running)
    same = digests_check("rolled back", {"tags.inference": "sha256:1"}, (), report)
    assert (same.passed, same.value) == (True, 0.0)
    other = digests_check("rolled back", {"tags.inference": "sha256:2"}, (), report)
    assert (other.passed, other.note) == (False, "tags.inference")
    assert not digests_check("rolled back", {}, ("tags.inference",), report).passed
    assert not digests_check("rolled back", {"tags.inference": "sha256:1"}, (), None).passed
