"""The rollout's state machine: one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lineside.contract.rollout import (
    DeviceProgress,
    GateKind,
    GateRule,
    OfflineAction,
    OfflinePolicy,
    Rate,
    RolloutPlan,
    RolloutState,
    WaveSpec,
    Window,
)
from lineside.server.rollouts import gates, machine, windows
from lineside.server.rollouts.evidence import Measured
from lineside.server.rollouts.gates import Wave
from lineside.server.rollouts.machine import Arrange, Move, OpenWave, SendBack, Tell, View, Wait, next_action
from lineside.server.rollouts.rate import allowance, per_minute, period
from lineside.server.rollouts.waves import waves_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOON = timedelta(seconds=60)


def wave(told: datetime | None = NOW, **by: int) -> Wave:
    return Wave(by={DeviceProgress(name): count for name, count in by.items()}, last_told=told)


def view(*waves: Wave, state=RolloutState.RUNNING, at=0, plan=None, measured=None, **more) -> View:
    plan = plan or RolloutPlan()
    seen = View(state=state, now=NOW, wave=at, waves=waves, plan=plan, group="line", **more)
    waiting = sum(one.count(DeviceProgress.WAITING) for one in seen.begun)
    checks = gates.check_all(plan, waves, at, measured or {})
    return replace(seen, gates=checks, tellable=more.get("tellable", waiting))


def moved(seen: View, state: RolloutState) -> str:
    action = next_action(seen)
    assert isinstance(action, Move), action
    assert action.state is state
    return action.why


def waits(seen: View) -> str:
    action = next_action(seen)
    assert isinstance(action, Wait), action
    assert action.note
    return action.note


def test_one_device_goes_first_and_it_is_always_the_same_one():
    names = [f"station-{n}" for n in range(20)]
    waves = waves_of(names, RolloutPlan(), {})
    assert sorted(waves.values()) == [0] + [1] * 19
    assert waves_of(reversed(names), RolloutPlan(), {}) == waves


def test_waves_by_number_share_and_named_group_count_from_the_first_on():
    names = [f"d{n}" for n in range(100)]
    plan = RolloutPlan(waves=(WaveSpec(count=1), WaveSpec(group="lab"), WaveSpec(percent=10), WaveSpec(percent=50)))
    waves = waves_of(names, plan, {"lab": [*names[:5], "elsewhere"]})
    sizes = [list(waves.values()).count(number) for number in range(5)]
    assert sum(sizes[:3]) == 10
    assert sizes[3:] == [40, 50]
    assert sizes[0] == 1
    assert all(waves[name] in (0, 1) for name in names[:5])


def test_a_rollout_without_devices_waits_for_the_first_to_join():
    assert "line" in waits(view(wave(), wave(), state=RolloutState.PENDING))
    moved(view(wave(waiting=1), wave(), state=RolloutState.PENDING), RolloutState.RUNNING)


def test_it_starts_at_its_time_and_not_before():
    later = RolloutPlan(start_at="2026-11-21T14:00:00+01:00")
    pending = view(wave(waiting=1), wave(), state=RolloutState.PENDING, plan=later)
    assert "13:00" in waits(pending)
    moved(replace(pending, now=NOW + timedelta(hours=1)), RolloutState.RUNNING)


def test_a_wave_opens_when_the_one_before_has_reported_within_its_gates():
    assert next_action(view(wave(waiting=1), wave(waiting=9))) == Tell(1)
    assert "waits for 1 device at work, of 1 in wave 1" in waits(view(wave(installing=1), wave(waiting=9)))
    opened = next_action(view(wave(healthy=1), wave(waiting=9)))
    assert isinstance(opened, OpenWave)
    assert opened.wave == 1
    assert "0.0 %" in opened.why


def test_waves_that_nobody_is_in_are_passed_over():
    three = RolloutPlan(waves=(WaveSpec(count=1), WaveSpec(group="lab")))
    opened = next_action(view(wave(healthy=1), wave(), wave(waiting=5), plan=three))
    assert isinstance(opened, OpenWave)
    assert opened.wave == 2
    moved(view(wave(healthy=1), wave(), plan=RolloutPlan()), RolloutState.SUCCEEDED)


def test_when_the_canary_left_another_goes_first():
    assert next_action(view(wave(), wave(waiting=5))) == Arrange()
    assert "no device is left" in waits(view(wave(), wave()))


def test_a_failed_canary_trips_and_the_sentence_has_the_numbers():
    why = moved(view(wave(failed=1), wave(waiting=9)), RolloutState.ROLLING_BACK)
    assert "'failed in wave 1' is 100.0 %" in why
    assert "limit of 20.0 %" in why


def test_failures_within_the_limit_do_not_keep_it_from_ending():
    why = moved(view(wave(healthy=1), wave(healthy=9, failed=1), at=1), RolloutState.SUCCEEDED)
    assert "10 of 11" in why
    assert "1 failed" in why


def test_a_gate_says_nothing_before_enough_have_reported_unless_nothing_could_save_it():
    plan = RolloutPlan(gates=(GateRule(kind=GateKind.FAILED, limit=0.1, min_reported=20),))
    (gate,) = view(wave(failed=3, healthy=7, notified=90), plan=plan).gates
    assert (gate.passed, gate.reported, gate.needed) == (None, 10, 20)
    (gate,) = view(wave(failed=11, notified=89), plan=plan).gates
    assert gate.passed is False
    (gate,) = view(wave(failed=3, healthy=17, notified=80), plan=plan).gates
    assert gate.passed is False
    (gate,) = view(wave(healthy=4), plan=plan).gates
    assert (gate.passed, gate.needed) == (True, 4)


def test_a_regression_in_an_earlier_wave_trips_its_gate():
    why = moved(view(wave(failed=1), wave(healthy=5, notified=4), at=1), RolloutState.ROLLING_BACK)
    assert "wave 1" in why


def test_restarts_and_results_have_gates_of_their_own():
    rules = (
        GateRule(kind=GateKind.CRASHED, limit=0.1, min_reported=2),
        GateRule(kind=GateKind.LATENCY_P95, limit=80, min_reported=3),
    )
    plan = RolloutPlan(gates=rules)
    crashed = Wave(by={DeviceProgress.HEALTHY: 10}, crashed=2, last_told=NOW)
    assert "crashed in wave 1" in moved(view(crashed, plan=plan), RolloutState.ROLLING_BACK)
    assert "'latency p95 in wave 1'" in waits(view(wave(healthy=10), plan=plan))
    slow = {0: (Measured(kind=GateKind.LATENCY_P95, value=95.0, reported=3),)}
    assert "95 ms" in moved(view(wave(healthy=10), plan=plan, measured=slow), RolloutState.ROLLING_BACK)
    good = {0: (Measured(kind=GateKind.LATENCY_P95, value=60.0, reported=3),)}
    moved(view(wave(healthy=10), plan=plan, measured=good), RolloutState.SUCCEEDED)


def test_a_gate_of_one_wave_is_for_that_wave():
    plan = RolloutPlan(gates=(GateRule(kind=GateKind.FAILED, limit=0.0, wave=1),))
    moved(view(wave(healthy=1), wave(healthy=1, failed=8), at=1, plan=plan), RolloutState.SUCCEEDED)
    moved(view(wave(failed=1), plan=plan), RolloutState.ROLLING_BACK)


@pytest.mark.parametrize("action", list(OfflineAction))
def test_unknown_devices_hold_a_wave_until_its_deadline(action):
    plan = RolloutPlan(deadline_seconds=60, offline=OfflinePolicy(action=action, percent=60))
    seen = view(wave(healthy=7, unknown=3), wave(waiting=5), plan=plan)
    assert "3 unknown" in waits(seen)
    late = replace(seen, now=NOW + SOON)
    if action is OfflineAction.WAIT:
        assert "3 unknown" in waits(late)
    elif action is OfflineAction.STOP:
        assert "3 unknown" in moved(late, RolloutState.ABORTED)
    else:
        opened = next_action(late)
        assert isinstance(opened, OpenWave)
        assert "3 unknown" in opened.why


def test_unknown_devices_do_not_count_for_the_share_that_lets_it_proceed():
    plan = RolloutPlan(deadline_seconds=60, offline=OfflinePolicy(action=OfflineAction.PROCEED, percent=60))
    seen = view(wave(healthy=5, unknown=5), wave(waiting=5), plan=plan)
    assert "60 %" in waits(replace(seen, now=NOW + SOON))


def test_pause_tells_nobody_and_says_what_would_happen():
    assert waits(view(wave(waiting=4), state=RolloutState.PAUSED)) == "a person holds it"
    assert "tripped" in waits(view(wave(failed=1), state=RolloutState.PAUSED))


def test_everybody_who_was_told_goes_back_and_offline_ones_do_not_hold_it_up():
    told = Wave(by={DeviceProgress.HEALTHY: 5, DeviceProgress.WAITING: 2}, again=1)
    back = {"state": RolloutState.ROLLING_BACK}
    assert next_action(view(told, **back)) == SendBack(6)
    sent = replace(told, sent_back=6, back=3, away=2)
    assert "1 of 6" in waits(view(sent, **back))
    why = moved(view(replace(sent, back=4), **back), RolloutState.FAILED)
    assert "2 offline" in why
    moved(view(replace(sent, back=4), ends=RolloutState.ABORTED, **back), RolloutState.ABORTED)


def test_do_nothing_leaves_devices_as_they_are():
    moved(view(wave(failed=1), state=RolloutState.ROLLING_BACK, undo=False), RolloutState.FAILED)


@pytest.mark.parametrize("state", ["succeeded", "failed", "aborted", "superseded"])
def test_a_state_that_ended_asks_for_nothing(state):
    assert next_action(view(wave(failed=1, waiting=1), state=RolloutState(state))) == Wait()


def test_not_more_are_told_than_the_rate_and_one_transaction_let_through():
    seen = view(wave(waiting=9000), wave())
    assert next_action(replace(seen, allowed=10_000)) == Tell(machine.BATCH)
    assert next_action(replace(seen, allowed=7)) == Tell(7)
    plan = RolloutPlan(rate=Rate(per_minute=7))
    assert "7 a minute" in waits(replace(seen, plan=plan, allowed=0))


def test_a_rate_grows_with_what_was_told_up_to_its_most():
    rate = Rate(per_minute=10, factor=2, every=100, most=50)
    assert [per_minute(rate, told, 0) for told in (0, 99, 100, 200, 300, 10**9)] == [10, 10, 20, 40, 50, 50]
    assert (allowance(10, 4), allowance(10, 10), allowance(10, 12)) == (6, 0, 0)
    assert (period(0.5), allowance(0.5, 0), allowance(0.5, 1)) == (120, 1, 0)
    endless = per_minute(Rate(per_minute=10, factor=5, every=1), 10**6, 0)
    assert allowance(endless, 0) > 10**6


NIGHT = (Window(start="22:00", end="05:30", days=("fri",)),)


@pytest.mark.parametrize(
    ("at", "zone", "is_open"),
    [
        ("2026-11-20T21:30:00Z", "Europe/Berlin", True),  # Friday 22:30
        ("2026-11-20T20:30:00Z", "Europe/Berlin", False),
        ("2026-11-21T04:00:00Z", "Europe/Berlin", True),  # Saturday 05:00, the night that began on Friday
        ("2026-11-21T04:30:00Z", "Europe/Berlin", False),
        ("2026-11-21T21:30:00Z", "Europe/Berlin", False),  # Saturday night
        ("2026-11-21T04:30:00Z", "America/New_York", True),  # Friday 23:30
        ("2026-11-20T21:30:00Z", "Nowhere/Land", False),  # nobody knows it: the plan's, UTC
    ],
)
def test_a_window_is_in_the_devices_own_time_zone_and_may_end_the_next_day(at, zone, is_open):
    now = datetime.fromisoformat(at)
    assert windows.is_open(NIGHT, windows.zone_of(zone, "UTC"), now) is is_open


def test_the_next_window_is_found_also_when_the_clocks_change():
    berlin = windows.zone_of("Europe/Berlin", "UTC")
    opens = windows.next_opening(NIGHT, berlin, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert opens == datetime(2026, 10, 30, 21, tzinfo=UTC)  # the week before it would have been 20:00 UTC
    assert "30" in waits(view(wave(waiting=3), plan=RolloutPlan(windows=NIGHT), tellable=0, opens_at=opens))
