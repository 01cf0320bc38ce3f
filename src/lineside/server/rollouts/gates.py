"""Gates: the plan's rules held against the numbers of each wave that has begun. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lineside.contract.counted import counted
from lineside.contract.rollout import DeviceProgress, GateCheck, GateKind, GateRule, RolloutPlan
from lineside.server.rollouts.evidence import Measured

DEFAULT = GateRule(kind=GateKind.FAILED, limit=0.2, min_reported=50)
"""Holds where a plan has no gate on failures of its own. A canary alone may not fail: that is 100 %."""

_WORDS = {
    GateKind.FAILED: "failed",
    GateKind.CRASHED: "crashed",
    GateKind.LATENCY_P95: "latency p95",
    GateKind.NO_RESULTS: "without results",
    GateKind.CONFIDENCE_SHIFT: "shift of confidences",
    GateKind.CLASS_MIX_SHIFT: "shift of classes",
    GateKind.DISAGREEMENT: "disagreement",
}
_UNITS = {GateKind.LATENCY_P95: "ms", GateKind.CONFIDENCE_SHIFT: "PSI", GateKind.CLASS_MIX_SHIFT: "PSI"}
COUNTED = frozenset({GateKind.FAILED, GateKind.CRASHED})
"""Gates that need no results."""

_SPOKE = (DeviceProgress.INSTALLING, DeviceProgress.SOAKING, DeviceProgress.HEALTHY, DeviceProgress.FAILED)


@dataclass(frozen=True, kw_only=True)
class Wave:
    """How the devices of one wave stand, in numbers."""

    by: Mapping[DeviceProgress, int] = field(default_factory=dict)
    crashed: int = 0
    again: int = 0  # waiting ones that had been told before
    sent_back: int = 0
    back: int = 0  # sent back, and settled
    away: int = 0  # sent back, not settled, and offline
    last_told: datetime | None = None

    def count(self, *progress: DeviceProgress) -> int:
        """How many stand at one of these."""
        return sum(self.by.get(one, 0) for one in progress)

    @property
    def devices(self) -> int:
        return sum(self.by.values())

    @property
    def reported(self) -> int:
        """Those that came to an end, well or badly."""
        return self.count(DeviceProgress.HEALTHY, DeviceProgress.FAILED)


def rules_of(plan: RolloutPlan) -> tuple[GateRule, ...]:
    """The plan's gates, and the default one on failures where it has none."""
    if any(rule.kind is GateKind.FAILED for rule in plan.gates):
        return plan.gates
    return (DEFAULT, *plan.gates)


def wants_results(plan: RolloutPlan, wave: int) -> bool:
    """Whether a gate of this wave (counted from 0) asks what results say."""
    return any(rule.kind not in COUNTED and rule.wave in (None, wave + 1) for rule in plan.gates)


def check_all(
    plan: RolloutPlan, waves: Sequence[Wave], current: int, measured: Mapping[int, Sequence[Measured]]
) -> tuple[GateCheck, ...]:
    """Every gate of the waves that have begun and have devices, in order."""
    return tuple(
        check(rule, number, waves[number], measured.get(number, ()))
        for number in range(min(current + 1, len(waves)))
        for rule in rules_of(plan)
        if rule.wave in (None, number + 1) and waves[number].devices
    )


def check(rule: GateRule, number: int, wave: Wave, measured: Sequence[Measured]) -> GateCheck:
    """One gate of one wave. `passed` is None while too few have spoken for a verdict."""
    if rule.kind in COUNTED:
        bad, reported, needed = _counted(rule, wave)
        value = bad / max(reported, 1)
        hopeless = bad > rule.limit * wave.devices
    else:
        found = next((one for one in measured if one.kind is rule.kind), None)
        value, reported = (found.value, found.reported) if found else (0.0, 0)
        needed = min(rule.min_reported, max(1, wave.devices - wave.count(DeviceProgress.FAILED)))
        hopeless = False
    passed = None if reported < needed and not hopeless else value <= rule.limit
    return GateCheck(
        name=f"{_WORDS[rule.kind]} in wave {number + 1}",
        value=value,
        limit=rule.limit,
        reported=reported,
        passed=passed,
        kind=rule.kind,
        wave=number,
        needed=needed,
        unit=_UNITS.get(rule.kind, "%"),
    )


def _counted(rule: GateRule, wave: Wave) -> tuple[int, int, int]:
    """Bad devices, those that have spoken, and how many must have."""
    needed = min(rule.min_reported, wave.devices)
    if rule.kind is GateKind.FAILED:
        soaking = wave.count(DeviceProgress.SOAKING)  # healthy so far: failures are heard of sooner than successes
        return wave.count(DeviceProgress.FAILED), wave.reported + soaking, needed
    return wave.crashed, wave.count(*_SPOKE), needed


def words(gate: GateCheck) -> str:
    """A gate with its numbers, as a sentence says it: `'failed in wave 1' is 12 %, over its limit of 5 %`."""
    if gate.passed is None:
        return f"'{gate.name}' is not known yet ({_reported(gate)})"
    verdict = "within" if gate.passed else "over"
    value, limit = amount(gate, gate.value), amount(gate, gate.limit)
    return f"'{gate.name}' is {value}, {verdict} its limit of {limit} ({_reported(gate)})"


def amount(gate: GateCheck, value: float) -> str:
    """A value of a gate with its unit."""
    return f"{value:.1%}".replace("%", " %") if gate.unit == "%" else f"{value:.3g} {gate.unit}"


def _reported(gate: GateCheck) -> str:
    told = f"{counted(gate.reported, 'device')} reported"
    return f"{told}, {gate.needed} needed" if gate.reported < gate.needed else told
