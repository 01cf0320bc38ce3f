"""A rollout plan in words, for commands and pages alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.contract.counted import counted
from lineside.contract.rollout import GateRule, OfflineAction, Rate, RateOf, RolloutPlan, WaveSpec, Window

_SHARES = {"failed", "crashed", "no_results", "disagreement"}


def plan_in_words(plan: RolloutPlan) -> tuple[tuple[str, str], ...]:
    """What a plan says, as (what, how); what it leaves open is not named."""
    return tuple(_lines(plan))


def _lines(plan: RolloutPlan) -> Iterator[tuple[str, str]]:
    waves = [_wave(one) for one in plan.waves] or ["one canary"]
    everybody = bool(plan.waves) and plan.waves[-1].percent == 100
    yield "waves", ", then ".join([*waves, *([] if everybody else ["everybody"])])
    if plan.rate is not None:
        yield "rate", _rate(plan.rate)
    if plan.start_at is not None:
        yield "not before", plan.start_at
    if plan.windows:
        yield "windows", "; ".join(_window(one) for one in plan.windows) + f" (devices' time, else {plan.time_zone})"
    for gate in plan.gates:
        yield "gate", _gate(gate)
    yield "offline devices", _offline(plan)
    if plan.soak_seconds:
        yield "soak", f"healthy for {plan.soak_seconds:g} s"
    if plan.deadline_seconds is not None:
        yield "deadline", f"{plan.deadline_seconds:g} s after a wave was told"
    if plan.install_seconds is not None:
        yield "install within", f"{plan.install_seconds:g} s"


def _wave(wave: WaveSpec) -> str:
    many = f"{wave.percent:g} %" if wave.percent is not None else counted(wave.count or 0, "device")
    who = f"the group {wave.group}" if wave.group is not None else many
    return f"{wave.name} ({who})" if wave.name else who


def _rate(rate: Rate) -> str:
    words = f"{rate.per_minute:g} a minute"
    if rate.factor != 1.0:
        after = "told" if rate.of is RateOf.NOTIFIED else "healthy"
        words += f", times {rate.factor:g} after every {rate.every} {after}"
    return words + (f", {rate.most:g} at most" if rate.most is not None else "")


def _window(window: Window) -> str:
    days = "" if len(window.days) == 7 else ", ".join(window.days) + " "
    return f"{days}{window.start} to {window.end}"


def _gate(gate: GateRule) -> str:
    kind = gate.kind.value
    limit = f"{gate.limit * 100:g} %" if kind in _SHARES else f"{gate.limit:g}{' ms' if 'latency' in kind else ''}"
    where = "" if gate.wave is None else f", wave {gate.wave}"
    return f"{kind.replace('_', ' ')} at most {limit} of {gate.min_reported} or more{where}"


def _offline(plan: RolloutPlan) -> str:
    words = {
        OfflineAction.WAIT: "are waited for",
        OfflineAction.STOP: "stop it after the deadline",
        OfflineAction.PROCEED: f"are left behind after the deadline, if {plan.offline.percent:g} % have reported",
    }
    return words[plan.offline.action]
