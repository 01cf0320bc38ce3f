"""The rollout's state machine: what to do next, from what is stored and what devices reported. Pure.

    PENDING ─► RUNNING ─► SUCCEEDED          every device healthy
                  └─► ROLLING_BACK ─► FAILED  a gate tripped; the devices are back

`next_action` names one action; the caller carries it out in one transaction and asks again until it says `Wait`. It is
a function of stored state alone, so a kill between two actions is another round. Silence counts as unknown: it holds a
rollout where it is, and never lets it succeed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from lineside.contract.rollout import DeviceProgress, GateCheck, RolloutState

_SALT = "lineside.rollout/1"  # changing it changes who is the canary
_REPORTED = frozenset({DeviceProgress.HEALTHY, DeviceProgress.FAILED})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How many devices go first, and which share of the reported devices of a wave may have failed."""

    canary: int = 1  # 0: all at once
    canary_limit: float = 0.0
    limit: float = 0.2
    min_sample: int = 1  # devices that must have reported before a gate says anything

    def limit_of(self, wave: int) -> float:
        return self.canary_limit if wave == 0 else self.limit


FLEET = Policy()
TWINS = Policy(canary=0)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A device of a rollout: WAITING until it is told; `back` is None until it is sent back, then whether it is."""

    device: str
    wave: int
    progress: DeviceProgress = DeviceProgress.WAITING
    back: bool | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """What is stored about a rollout. `undo` is false when the failure policy is DO_NOTHING."""

    state: RolloutState
    wave: int
    waves: int
    members: tuple[Member, ...]
    policy: Policy = FLEET
    undo: bool = True


@dataclass(frozen=True)
class Wait:
    """Nothing to do until a device reports, a device joins or a person acts."""


@dataclass(frozen=True)
class Arrange:
    """Assign the waves anew: of the first wave no device is left."""


@dataclass(frozen=True)
class Tell:
    """Give these devices the deployment's document."""

    devices: tuple[str, ...]


@dataclass(frozen=True)
class SendBack:
    """Give these devices the document of the deployment that worked before."""

    devices: tuple[str, ...]


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


Action = Wait | Arrange | Tell | SendBack | OpenWave | Move


def waves_of(devices: Iterable[str], policy: Policy) -> dict[str, int]:
    """Each device's wave, by a stable hash of its name: the first `policy.canary` in wave 0, all others in wave 1."""
    ordered = sorted(devices, key=lambda name: hashlib.sha256(f"{_SALT}:{name}".encode()).digest())
    first = policy.canary if 0 < policy.canary < len(ordered) else len(ordered)
    return {device: int(place >= first) for place, device in enumerate(ordered)}


def gate_of(view: View, wave: int) -> GateCheck:
    """The failure gate of one wave: failed over reported devices. `passed` is None below the minimum sample."""
    progress = [member.progress for member in view.members if member.wave == wave]
    reported = sum(one in _REPORTED for one in progress)
    failed = progress.count(DeviceProgress.FAILED)
    value, limit = failed / max(reported, 1), view.policy.limit_of(wave)
    passed = None if reported < view.policy.min_sample else value <= limit
    return GateCheck(name=f"failed in wave {wave + 1}", value=value, limit=limit, reported=reported, passed=passed)


def gates_of(view: View) -> tuple[GateCheck, ...]:
    """The gates of the waves that have begun."""
    return tuple(gate_of(view, wave) for wave in range(view.wave + 1))


def next_action(view: View) -> Action:
    """The one thing to do now. States that have ended, and PENDING with no device, wait."""
    match view.state:
        case RolloutState.PENDING if view.members:
            return Move(RolloutState.RUNNING, f"{len(view.members)} device(s) in {view.waves} wave(s)")
        case RolloutState.RUNNING:
            return _running(view)
        case RolloutState.ROLLING_BACK:
            return _rolling_back(view)
        case _:
            return Wait()


def _running(view: View) -> Action:
    begun = [member for member in view.members if member.wave <= view.wave]
    tripped = [gate for gate in gates_of(view) if gate.passed is False]
    if tripped:
        return Move(RolloutState.ROLLING_BACK, _sentence(tripped[0]))
    untold = tuple(member.device for member in begun if member.progress is DeviceProgress.WAITING)
    if untold:
        return Tell(untold)
    if not begun:
        return Arrange() if view.members else Wait()
    if any(member.progress not in _REPORTED for member in begun):
        return Wait()
    if view.wave + 1 < view.waves:
        return OpenWave(view.wave + 1, _sentence(gate_of(view, view.wave)))
    if all(member.progress is DeviceProgress.HEALTHY for member in view.members):
        return Move(RolloutState.SUCCEEDED, f"all {len(view.members)} device(s) are healthy")
    return Wait()


def _rolling_back(view: View) -> Action:
    told = [member for member in view.members if member.progress is not DeviceProgress.WAITING]
    if not view.undo:
        return Move(RolloutState.FAILED, "the failure policy leaves the devices as they are")
    unsent = tuple(member.device for member in told if member.back is None)
    if unsent:
        return SendBack(unsent)
    if all(member.back for member in told):
        return Move(RolloutState.FAILED, f"{len(told)} device(s) are back on what worked before")
    return Wait()


def _sentence(gate: GateCheck) -> str:
    verdict = "holds" if gate.passed else "tripped"
    share = f"{gate.value:.0%} of {gate.reported} reported device(s), {gate.limit:.0%} allowed"
    return f"gate '{gate.name}' {verdict}: {share}"
