"""The rollout's state machine: what to do next, from how many devices of each wave stand where. Pure.

    PENDING ─► RUNNING ◄─► PAUSED
                  ├─► SUCCEEDED ◄──► (failed devices tried again)
                  └─► ROLLING_BACK ─► FAILED, or ABORTED where a person wanted it

`next_action` names one action; the caller carries it out in one transaction and asks again until it says `Wait`, which
says what for. It is a function of stored state and time alone, so a kill between two actions is another round.
Silence is unknown: it holds a wave back until its deadline, and then the plan's policy decides; it is never success.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lineside.contract.counted import counted
from lineside.contract.rollout import (
    DeviceProgress,
    GateCheck,
    GateRule,
    OfflineAction,
    RolloutPlan,
    RolloutState,
    WaveSpec,
)
from lineside.contract.rollout import GateKind as Kind
from lineside.server.clock import parse_rfc3339
from lineside.server.rollouts.gates import Wave, words

BATCH = 2000
"""Devices told in one transaction at most, so that check-ins get their turn."""

TWINS = RolloutPlan(waves=(WaveSpec(percent=100.0),), gates=(GateRule(kind=Kind.FAILED, limit=0.0),))
"""How twins are told where their deployment has no plan: all at once, and none may fail."""

_WORKING = (DeviceProgress.NOTIFIED, DeviceProgress.INSTALLING, DeviceProgress.SOAKING)


@dataclass(frozen=True, kw_only=True)
class View:
    """What is known about a rollout. `undo` is false when the failure policy is DO_NOTHING."""

    state: RolloutState
    now: datetime
    wave: int = 0
    waves: tuple[Wave, ...] = ()
    plan: RolloutPlan = field(default_factory=RolloutPlan)
    gates: tuple[GateCheck, ...] = ()
    group: str = ""
    tellable: int = 0  # waiting devices of the waves that have begun, whose maintenance window is open
    opens_at: datetime | None = None  # when the next window opens for one that waits
    allowed: int = BATCH  # how many more the rate lets through now
    undo: bool = True
    ends: RolloutState = RolloutState.FAILED  # what it is when everything is back

    @property
    def devices(self) -> int:
        return sum(wave.devices for wave in self.waves)

    @property
    def begun(self) -> tuple[Wave, ...]:
        return self.waves[: self.wave + 1]

    def count(self, *progress: DeviceProgress) -> int:
        """Devices of all waves at one of these."""
        return sum(wave.count(*progress) for wave in self.waves)


@dataclass(frozen=True)
class Wait:
    """Nothing to do until a device reports or joins, a person acts, or time passes."""

    note: str = ""


@dataclass(frozen=True)
class Arrange:
    """Assign the waves anew: in those that have begun no device is left, and nobody else was told."""


@dataclass(frozen=True)
class Tell:
    """Give so many waiting devices, those whose window is open, the deployment's document."""

    count: int


@dataclass(frozen=True)
class SendBack:
    """Give so many devices that were told the document of the deployment that worked before."""

    count: int


@dataclass(frozen=True)
class OpenWave:
    """Begin this wave."""

    wave: int
    why: str


@dataclass(frozen=True)
class Move:
    """Go to this state."""

    state: RolloutState
    why: str


@dataclass(frozen=True)
class _Done:
    """A wave may be left behind; `but` says what it was left with."""

    but: str = ""


Action = Wait | Arrange | Tell | SendBack | OpenWave | Move


def next_action(view: View) -> Action:
    """The one thing to do now. States that have ended wait."""
    match view.state:
        case RolloutState.PENDING:
            return _pending(view)
        case RolloutState.RUNNING:
            return _running(view)
        case RolloutState.PAUSED:
            return _paused(view)
        case RolloutState.ROLLING_BACK:
            return _rolling_back(view)
        case _:
            return Wait()


def starts_at(view: View) -> datetime | None:
    """When it may start, as long as that has not come."""
    start = parse_rfc3339(view.plan.start_at) if view.plan.start_at else None
    return start if start is not None and start > view.now else None


def _pending(view: View) -> Action:
    start = starts_at(view)
    if start is not None:
        return Wait(f"starts at {_moment(start)}")
    if not view.devices:
        return Wait(f"waits for the first device to join the group {view.group}")
    waves = sum(wave.devices > 0 for wave in view.waves)
    return Move(RolloutState.RUNNING, f"{counted(view.devices, 'device')} in {counted(waves, 'wave')}")


def _tripped(view: View) -> GateCheck | None:
    return next((gate for gate in view.gates if gate.passed is False), None)


def _running(view: View) -> Action:
    tripped = _tripped(view)
    if tripped is not None:
        return Move(RolloutState.ROLLING_BACK, f"a gate tripped: {words(tripped)}")
    if not any(wave.devices for wave in view.begun):
        return Arrange() if view.devices else Wait(f"no device is left in the group {view.group}")
    waiting = sum(wave.count(DeviceProgress.WAITING) for wave in view.begun)
    if waiting:
        count = min(view.tellable, view.allowed, BATCH)
        return Tell(count) if count > 0 else Wait(_why_untold(view, waiting))
    verdicts = [_judge(view, number) for number in range(len(view.begun))]
    unfinished = next((one for one in verdicts if not isinstance(one, _Done)), None)
    if unfinished is not None:
        return unfinished
    return _onward(view, next(one.but for one in reversed(verdicts) if isinstance(one, _Done)))


def _why_untold(view: View, waiting: int) -> str:
    if not view.tellable and view.opens_at is not None:
        windows = f"{counted(waiting, 'device waits', 'devices wait')} for a maintenance window"
        return f"{windows}; the next one opens at {_moment(view.opens_at)}"
    rate = view.plan.rate
    grows = f", times {rate.factor:g} after every {rate.every}" if rate is not None and rate.factor > 1 else ""
    speed = f"{rate.per_minute:g} a minute{grows}" if rate is not None else "no rate"
    return f"{counted(waiting, 'device')} of wave {view.wave + 1} still to be told, at the rate of {speed}"


def _judge(view: View, number: int) -> Action | _Done:
    """Whether one wave that was told is done; else what it waits for, or that it stops the rollout."""
    wave = view.waves[number]
    missing = _missing(wave)
    unsure = [words(gate) for gate in view.gates if gate.wave == number and gate.passed is None]
    if not missing and not unsure:
        return _Done()
    what = "; ".join([f"{missing}, of {wave.devices} in wave {number + 1}"] * bool(missing) + unsure)
    deadline = _deadline(view, wave)
    if deadline is None or view.now < deadline:
        until = f", until {_moment(deadline)}" if deadline is not None else ""
        return Wait(f"waits for {what}{until}")
    match view.plan.offline.action:
        case OfflineAction.STOP:
            return Move(
                RolloutState.ABORTED, f"the deadline of wave {number + 1} passed, and the plan says stop: {what}"
            )
        case OfflineAction.PROCEED if wave.reported * 100 >= view.plan.offline.percent * wave.devices:
            return _Done(f"the deadline of wave {number + 1} passed with {what}")
        case OfflineAction.PROCEED:
            share = f"{view.plan.offline.percent:g} % of its devices must have reported"
            return Wait(f"the deadline of wave {number + 1} passed, and {share}: waits for {what}")
        case _:
            return Wait(f"the deadline of wave {number + 1} passed, and the plan says wait: waits for {what}")


def _missing(wave: Wave) -> str:
    """Who has not come to an end, in words."""
    working, unknown = wave.count(*_WORKING), wave.count(DeviceProgress.UNKNOWN)
    parts = (
        (working, "device at work", "devices at work"),
        (unknown, "unknown (offline) device", "unknown (offline) devices"),
    )
    return " and ".join(counted(*part) for part in parts if part[0])


def _deadline(view: View, wave: Wave) -> datetime | None:
    if view.plan.deadline_seconds is None or wave.last_told is None:
        return None
    return wave.last_told + timedelta(seconds=view.plan.deadline_seconds)


def _onward(view: View, but: str) -> Action:
    """All waves that have begun are done: the next one that has devices, or the end."""
    held = [words(gate) for gate in view.gates if gate.wave == view.wave and gate.passed]
    why = "; ".join([*held, *([but] if but else [])]) or "the wave before is done"
    following = (number for number in range(view.wave + 1, len(view.waves)) if view.waves[number].devices)
    number = next(following, None)
    if number is not None:
        return OpenWave(number, why)
    return Move(RolloutState.SUCCEEDED, _success(view) + (f"; {but}" if but else ""))


def _success(view: View) -> str:
    healthy, failed = view.count(DeviceProgress.HEALTHY), view.count(DeviceProgress.FAILED)
    if healthy == view.devices:
        return "the device is healthy" if healthy == 1 else f"all {healthy} devices are healthy"
    within = f", {failed} failed within the limit" if failed else ""
    return f"{healthy} of {counted(view.devices, 'device')} healthy{within}"


def _paused(view: View) -> Action:
    tripped = _tripped(view)
    if tripped is not None:
        return Wait(f"a person holds it; a gate tripped, so it is rolled back when it goes on: {words(tripped)}")
    return Wait("a person holds it")


def _rolling_back(view: View) -> Action:
    if not view.undo:
        return Move(view.ends, "the failure policy leaves the devices as they are")
    told = sum(wave.devices - wave.count(DeviceProgress.WAITING) + wave.again for wave in view.waves)
    sent, back = sum(wave.sent_back for wave in view.waves), sum(wave.back for wave in view.waves)
    away = sum(wave.away for wave in view.waves)
    if sent < told:
        return SendBack(min(told - sent, BATCH))
    if back + away < sent:
        return Wait(f"waits for {sent - back - away} of {counted(sent, 'device')} to report going back")
    return Move(view.ends, "; ".join(_back(back, away)))


def _back(back: int, away: int) -> Iterator[str]:
    if back or not away:
        yield f"{counted(back, 'device is', 'devices are')} back on what worked before"
    if away:
        yield counted(away, "offline device goes back when it returns", "offline devices go back when they return")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
