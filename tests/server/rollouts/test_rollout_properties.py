"""Everything that may happen to a rollout, in any order, held against what must always be true (hypothesis, stateful).

The fleet is a model of devices; the machine, gates, rate and waves are the real ones. What the service does in a
transaction is done here without a database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from lineside.contract.rollout import (
    ROLLOUT_MOVES,
    DeviceProgress,
    GateKind,
    GateRule,
    OfflineAction,
    OfflinePolicy,
    Rate,
    RolloutPlan,
    RolloutState,
    WaveSpec,
)
from lineside.contract.rollout_rules import check_plan, wave_count
from lineside.server.rollouts import gates, machine, rate
from lineside.server.rollouts.gates import Wave
from lineside.server.rollouts.machine import View, next_action
from lineside.server.rollouts.waves import waves_of

WAITING, HEALTHY, FAILED, UNKNOWN = (
    DeviceProgress.WAITING,
    DeviceProgress.HEALTHY,
    DeviceProgress.FAILED,
    DeviceProgress.UNKNOWN,
)
OPEN = {RolloutState.PENDING, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ROLLING_BACK}
_NUMBER = st.integers(min_value=0, max_value=29)
_WAVES = st.sampled_from(
    [
        (),
        (WaveSpec(percent=100),),
        (WaveSpec(count=2), WaveSpec(percent=30)),
        (WaveSpec(group="lab"), WaveSpec(percent=50), WaveSpec(percent=80)),
    ]
)


@dataclass
class Device:
    wave: int
    progress: DeviceProgress = WAITING
    told_at: datetime | None = None
    revision: int = 0
    back: bool | None = None


def plans() -> st.SearchStrategy[RolloutPlan]:
    """Plans of every kind, all of which can be followed."""
    return st.builds(
        RolloutPlan,
        waves=_WAVES,
        rate=st.sampled_from([None, Rate(per_minute=3), Rate(per_minute=2, factor=2, every=4, most=10)]),
        gates=st.sampled_from([(), (GateRule(kind=GateKind.FAILED, limit=0.3, min_reported=3),)]),
        offline=st.builds(
            OfflinePolicy, action=st.sampled_from(OfflineAction), percent=st.sampled_from([10.0, 60.0, 100.0])
        ),
        deadline_seconds=st.just(300.0),
    )


class Rollouts(RuleBasedStateMachine):
    """One rollout and its devices."""

    known = Bundle("known")

    @initialize(plan=plans(), count=st.integers(min_value=0, max_value=30), undo=st.booleans())
    def begin(self, plan: RolloutPlan, count: int, undo: bool) -> None:
        check_plan(plan)
        self.plan, self.undo, self.ends = plan, undo, RolloutState.FAILED
        self.state, self.wave, self.now = RolloutState.PENDING, 0, datetime(2026, 1, 1, tzinfo=UTC)
        self.devices: dict[str, Device] = {}
        self.count, self.history = count, list[tuple[RolloutState, str]]()
        self.gather({f"d{number}" for number in range(count)})
        self.advance()

    # --- what happens

    @rule(number=_NUMBER, progress=st.sampled_from([HEALTHY, HEALTHY, FAILED, UNKNOWN, DeviceProgress.INSTALLING]))
    def reports(self, number: int, progress: DeviceProgress) -> None:
        told = [device for device in self.devices.values() if device.told_at]
        if told and self.state in (RolloutState.RUNNING, RolloutState.PAUSED):
            told[number % len(told)].progress = progress
            self.advance()

    @rule(but=_NUMBER, progress=st.sampled_from([HEALTHY, FAILED, UNKNOWN]))
    def all_are_done_but_one(self, but: int, progress: DeviceProgress) -> None:
        told = [device for device in self.devices.values() if device.told_at]
        if told and self.state in (RolloutState.RUNNING, RolloutState.PAUSED):
            for device in told:
                device.progress = HEALTHY
            told[but % len(told)].progress = progress
            self.advance()

    @rule(number=_NUMBER)
    def comes_back(self, number: int) -> None:
        sent = [device for device in self.devices.values() if device.back is False]
        if sent:
            sent[number % len(sent)].back = True
            self.advance()

    @rule(number=_NUMBER)
    def leaves(self, number: int) -> None:
        self.devices.pop(f"d{number}", None)
        self.advance()

    @rule(number=_NUMBER)
    def joins(self, number: int) -> None:
        name = f"d{number}"
        if name not in self.devices and self.state in (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.PAUSED):
            if self.state is RolloutState.PENDING:
                self.gather({*self.devices, name})
            else:
                self.devices[name] = Device(wave_count(self.plan) - 1)
            self.advance()

    @rule(seconds=st.sampled_from([1, 30, 61, 301]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.advance()

    @rule()
    @precondition(lambda self: self.state is RolloutState.RUNNING)
    def pause(self) -> None:
        self.move(RolloutState.PAUSED)
        told = {name for name, device in self.devices.items() if device.told_at}
        self.now += timedelta(hours=1)
        self.advance()
        assert {name for name, device in self.devices.items() if device.told_at} == told

    @rule()
    @precondition(lambda self: self.state is RolloutState.PAUSED)
    def resume(self) -> None:
        self.move(RolloutState.RUNNING)
        self.advance()

    @rule()
    @precondition(lambda self: self.state in (RolloutState.RUNNING, RolloutState.SUCCEEDED))
    def retry(self) -> None:
        failed = [device for device in self.devices.values() if device.progress is FAILED]
        for device in failed:
            device.progress, device.told_at = WAITING, None
        if failed and self.state is RolloutState.SUCCEEDED:
            self.move(RolloutState.RUNNING)
        self.advance()

    @rule()
    @precondition(lambda self: RolloutState.ROLLING_BACK in ROLLOUT_MOVES[self.state])
    def roll_back(self) -> None:
        self.undo, self.ends = True, RolloutState.ABORTED
        for device in self.devices.values():
            device.back = None
        self.move(RolloutState.ROLLING_BACK)
        self.advance()

    # --- what must always be true

    @invariant()
    def abort_and_a_newer_deployment_are_in_reach(self) -> None:
        if self.state in OPEN:
            assert {RolloutState.ABORTED, RolloutState.SUPERSEDED} <= ROLLOUT_MOVES[self.state]

    @invariant()
    def nobody_is_told_before_the_wave_has_begun(self) -> None:
        assert all(device.wave <= self.wave for device in self.devices.values() if device.told_at)

    @invariant()
    def never_more_are_told_within_a_minute_than_the_rate_allows(self) -> None:
        if self.plan.rate is None:
            return
        most = self.plan.rate.most or self.plan.rate.per_minute
        recent = self.now - timedelta(seconds=60)
        first = [one for one in self.devices.values() if one.told_at and one.told_at > recent and one.revision == 1]
        assert len(first) <= most

    @invariant()
    def what_it_waits_for_is_said(self) -> None:
        action = next_action(self.view())
        if self.state in OPEN:
            assert isinstance(action, machine.Wait)
            assert action.note

    @invariant()
    def one_silent_device_holds_its_wave_until_the_deadline(self) -> None:
        view = self.view()
        begun = [wave.devices for wave in view.begun]
        if self.state is not RolloutState.RUNNING or not sum(begun):
            return
        silent = next(number for number, devices in enumerate(begun) if devices)
        waves = [
            Wave(by={HEALTHY: devices - (number == silent), UNKNOWN: int(number == silent)}, last_told=self.now)
            for number, devices in enumerate(begun)
        ]
        seen = replace(view, waves=(*waves, *view.waves[len(begun) :]), gates=())
        assert isinstance(next_action(seen), machine.Wait)

    def teardown(self) -> None:
        """With devices that answer well, and time that passes, every rollout ends."""
        if not hasattr(self, "devices"):
            return
        if self.state is RolloutState.PAUSED:
            self.move(RolloutState.RUNNING)
        for _ in range(200):
            self.now += timedelta(seconds=400)
            self.advance()
            for device in self.devices.values():
                if device.told_at and device.progress not in (WAITING, HEALTHY, FAILED):
                    device.progress = HEALTHY
                device.back = True if device.back is False else device.back
            self.advance()
        assert self.state not in OPEN or not self.devices

    # --- what the service does

    def gather(self, names: set[str]) -> None:
        waves = waves_of(names, self.plan, {"lab": {"d1", "d2"}})
        self.devices = {name: Device(wave) for name, wave in waves.items()}
        self.wave = min(waves.values(), default=0)

    def move(self, wanted: RolloutState) -> None:
        assert wanted in ROLLOUT_MOVES[self.state]
        self.state = wanted

    def view(self) -> View:
        members = list(self.devices.values())
        waves = []
        for number in range(wave_count(self.plan)):
            mine = [one for one in members if one.wave == number]
            by = {progress: sum(one.progress is progress for one in mine) for progress in DeviceProgress}
            told = max((one.told_at for one in mine if one.told_at), default=None)
            sent, back = sum(one.back is not None for one in mine), sum(one.back is True for one in mine)
            again = sum(one.progress is WAITING and one.revision > 0 for one in mine)
            waves.append(Wave(by=by, last_told=told, again=again, sent_back=sent, back=back))
        view = View(
            state=self.state,
            now=self.now,
            wave=self.wave,
            waves=tuple(waves),
            plan=self.plan,
            group="line",
            undo=self.undo,
            ends=self.ends,
        )
        checks = gates.check_all(self.plan, waves, self.wave, {})
        waiting = sum(one.progress is WAITING and one.wave <= self.wave for one in members)
        return replace(view, gates=checks, tellable=waiting, allowed=self.allowed(members))

    def allowed(self, members: list[Device]) -> int:
        if self.plan.rate is None:
            return machine.BATCH
        told, healthy = (
            sum(one.progress is not WAITING for one in members),
            sum(one.progress is HEALTHY for one in members),
        )
        speed = rate.per_minute(self.plan.rate, told, healthy)
        after = self.now - timedelta(seconds=rate.period(speed))
        return rate.allowance(speed, sum(one.told_at is not None and one.told_at > after for one in members))

    def advance(self) -> None:
        """Act until there is nothing to do; it must come to rest."""
        for _ in range(100):
            seen = self.view()
            action = next_action(seen)
            if isinstance(action, machine.Wait):
                return
            self.act(seen, action)
        raise AssertionError(f"the machine never comes to rest: {action}")

    def act(self, seen: View, action: machine.Action) -> None:
        match action:
            case machine.Move(state, why):
                self.move(state)
                self.history.append((state, why))
                if state is RolloutState.SUCCEEDED:
                    self.check_success(seen)
            case machine.OpenWave(wave):
                assert self.wave < wave < len(seen.waves)
                self.check_left(seen)
                self.wave = wave
            case machine.Tell(count):
                assert self.state is RolloutState.RUNNING
                assert 0 < count <= seen.allowed
                ready = [one for one in self.devices.values() if one.wave <= self.wave and one.progress is WAITING]
                for device in ready[:count]:
                    device.progress, device.told_at = DeviceProgress.NOTIFIED, self.now
                    device.revision += 1
            case machine.SendBack(count):
                sent = [one for one in self.devices.values() if one.revision and one.back is None]
                assert len(sent) >= count > 0
                for device in sent[:count]:
                    device.back = False
                    device.revision += 1
            case machine.Arrange():
                assert not any(one.revision for one in self.devices.values())
                self.gather(set(self.devices))
            case _:
                raise AssertionError(action)

    def check_left(self, seen: View) -> None:
        """A wave is left behind only on reports, or after its deadline on as many of them as the plan wants."""
        for wave in seen.begun:
            silent = wave.devices - wave.reported
            if not silent:
                continue
            policy = self.plan.offline
            assert policy.action is OfflineAction.PROCEED
            assert wave.reported * 100 >= policy.percent * wave.devices
            assert wave.last_told is not None
            assert self.now - wave.last_told >= timedelta(seconds=self.plan.deadline_seconds or 0)
        assert all(gate.passed is not False for gate in seen.gates)

    def check_success(self, seen: View) -> None:
        assert seen.count(WAITING) == 0
        self.check_left(seen)


Rollouts.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRollouts = Rollouts.TestCase
