"""What a rollout plan must hold to, so that a rollout can never meet a plan it cannot follow. Pure.

Places are named as people wrote them: `rollout.waves[1].percent`.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import NoReturn
from zoneinfo import ZoneInfo

from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.rollout import (
    GateKind,
    GateRule,
    OfflineAction,
    OfflinePolicy,
    Rate,
    RolloutPlan,
    WaveSpec,
    Window,
)

MOST_WAVES = 50
MOST_GATES = 50
MOST_WINDOWS = 50
MOST_DEVICES = 10_000_000
MOST_SECONDS = 366 * 86_400
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MEASURED = frozenset({GateKind.LATENCY_P95, GateKind.CONFIDENCE_SHIFT, GateKind.CLASS_MIX_SHIFT})
"""Gates whose limit is not a share: milliseconds, or a population stability index."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LONGEST_NAME = 64


def check_plan(plan: RolloutPlan, *, at: str = "rollout") -> None:
    """Whether a plan can be followed. Raises `rollout.plan_invalid`, which names the first wrong place below `at`."""
    _check_waves(plan.waves, f"{at}.waves")
    if plan.rate is not None:
        _check_rate(plan.rate, f"{at}.rate")
    if plan.start_at is not None:
        _check_moment(plan.start_at, f"{at}.startAt")
    _check_at_most(len(plan.windows), MOST_WINDOWS, f"{at}.windows")
    for number, window in enumerate(plan.windows):
        _check_window(window, f"{at}.windows[{number}]")
    check_time_zone(plan.time_zone, f"{at}.timeZone")
    _check_at_most(len(plan.gates), MOST_GATES, f"{at}.gates")
    for number, gate in enumerate(plan.gates):
        _check_gate(gate, wave_count(plan), f"{at}.gates[{number}]")
    _check_offline(plan.offline, plan.deadline_seconds, f"{at}.offline")
    _check_number(plan.soak_seconds, f"{at}.soakSeconds", 0, MOST_SECONDS)
    for name, seconds in (("deadlineSeconds", plan.deadline_seconds), ("installSeconds", plan.install_seconds)):
        if seconds is not None:
            _check_number(seconds, f"{at}.{name}", 1, MOST_SECONDS)


def wave_count(plan: RolloutPlan) -> int:
    """How many waves a plan has at most: those it names, and one for everybody who is left."""
    if not plan.waves:
        return 2  # one canary, then everybody
    return len(plan.waves) + (plan.waves[-1].percent != 100)


def check_time_zone(name: str, where: str) -> None:
    """Whether this is a time zone of the IANA database. Raises `rollout.plan_invalid`."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder of zones, or a name that is a path
        _wrong(where, f"is {name!r}, which is no time zone, as in Europe/Berlin")


def _check_waves(waves: tuple[WaveSpec, ...], where: str) -> None:
    _check_at_most(len(waves), MOST_WAVES, where)
    percent, count, groups = 0.0, 0, set[str]()
    for number, wave in enumerate(waves):
        here = f"{where}[{number}]"
        _check_wave(wave, here)
        if wave.percent is not None:
            if wave.percent <= percent:
                _wrong(f"{here}.percent", f"is {wave.percent:g}, not over the {percent:g} % of a wave before")
            percent = wave.percent
        if wave.count is not None:
            if wave.count <= count:
                _wrong(f"{here}.count", f"is {wave.count}, not over the {counted(count, 'device')} of a wave before")
            count = wave.count
        if wave.group is not None:
            if wave.group in groups:
                _wrong(f"{here}.group", f"names {wave.group} a second time")
            groups.add(wave.group)
        if percent == 100 and number + 1 < len(waves):
            _wrong(f"{where}[{number + 1}]", "comes after a wave of 100 percent, so nobody would be left for it")


def _check_wave(wave: WaveSpec, where: str) -> None:
    if sum(one is not None for one in (wave.percent, wave.count, wave.group)) != 1:
        _wrong(where, "must have exactly one of percent, count and group")
    if len(wave.name) > _LONGEST_NAME or not wave.name.isprintable():
        _wrong(f"{where}.name", f"must be at most {_LONGEST_NAME} printable characters")
    if wave.percent is not None and not 0 < wave.percent <= 100:
        _wrong(f"{where}.percent", f"is {wave.percent:g}, and must be over 0 and at most 100")
    if wave.count is not None:
        _check_number(wave.count, f"{where}.count", 1, MOST_DEVICES)
    if wave.group is not None and not is_name(wave.group):
        _wrong(f"{where}.group", f"is {wave.group!r}, which is no name of a group")


def _check_rate(rate: Rate, where: str) -> None:
    if not (math.isfinite(rate.per_minute) and 0 < rate.per_minute <= MOST_DEVICES):
        _wrong(f"{where}.perMinute", f"is {rate.per_minute:g}, and must be over 0 and at most {MOST_DEVICES}")
    _check_number(rate.factor, f"{where}.factor", 1, 100)
    if rate.factor > 1:
        _check_number(rate.every, f"{where}.every", 1, MOST_DEVICES)
    elif rate.every != 0:
        _wrong(f"{where}.every", "says when the rate grows, but there is no factor over 1")
    if rate.most is not None:
        _check_number(rate.most, f"{where}.most", rate.per_minute, MOST_DEVICES)


def _check_moment(text: str, where: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _wrong(where, f"is {text!r}, which is no RFC 3339 time, as in 2026-11-21T22:00:00+01:00")
    if moment.tzinfo is None:
        _wrong(where, f"is {text!r}, which says no offset from UTC, as in 2026-11-21T22:00:00+01:00")
    try:
        moment.timestamp()
    except (OverflowError, ValueError):
        _wrong(where, f"is {text!r}, which is too far away")


def _check_window(window: Window, where: str) -> None:
    for name, text in (("start", window.start), ("end", window.end)):
        if _TIME.fullmatch(text) is None:
            _wrong(f"{where}.{name}", f"is {text!r}, which is no time of day from 00:00 to 23:59")
    if not window.days:
        _wrong(f"{where}.days", "names no day")
    for day in window.days:
        if day not in DAYS:
            _wrong(f"{where}.days", f"names {day!r}, which is none of {', '.join(DAYS)}")


def _check_gate(gate: GateRule, waves: int, where: str) -> None:
    if gate.kind in MEASURED:
        _check_number(gate.limit, f"{where}.limit", 0, 1_000_000)
    elif not 0 <= gate.limit <= 1:
        _wrong(f"{where}.limit", f"is {gate.limit:g}, and must be a share from 0 to 1: 0.05 is 5 %")
    _check_number(gate.min_reported, f"{where}.minReported", 1, MOST_DEVICES)
    if gate.wave is not None and not 1 <= gate.wave <= waves:
        _wrong(f"{where}.wave", f"is {gate.wave}, and the plan has the waves 1 to {waves}")


def _check_offline(offline: OfflinePolicy, deadline: float | None, where: str) -> None:
    if not 0 < offline.percent <= 100:
        _wrong(f"{where}.percent", f"is {offline.percent:g}, and must be over 0 and at most 100")
    if offline.action is not OfflineAction.WAIT and deadline is None:
        _wrong(f"{where}.action", f"is {offline.action.value}, which needs deadlineSeconds: from when on it holds")


def _check_number(value: float, where: str, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        _wrong(where, f"is {value:g}, and must be from {least:.15g} to {most:.15g}")


def _check_at_most(count: int, most: int, where: str) -> None:
    if count > most:
        _wrong(where, f"has {count} entries, and may have {most}")


def _wrong(where: str, why: str) -> NoReturn:
    raise LinesideError("rollout.plan_invalid", where=where, why=why)
