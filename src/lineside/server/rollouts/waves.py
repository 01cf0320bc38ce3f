"""Which wave a device is in: a stable hash of its name decides, so canaries stay canaries. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping

from lineside.contract.rollout import RolloutPlan, WaveSpec
from lineside.contract.rollout_rules import wave_count

_SALT = "lineside.rollout/1"  # changing it changes who is the canary
_CANARY = (WaveSpec(count=1, name="canary"),)


def place_of(device: str) -> int:
    """Where a device stands in the order in which devices are told (31 bits)."""
    return int.from_bytes(hashlib.sha256(f"{_SALT}:{device}".encode()).digest()[:4]) >> 1


def specs_of(plan: RolloutPlan) -> tuple[WaveSpec, ...]:
    """The waves a plan names; the default plan has one canary first."""
    return plan.waves or _CANARY


def names_of(plan: RolloutPlan) -> tuple[str, ...]:
    """What people call each wave, the last one of everybody who is left included; empty where it has no name."""
    named = tuple(spec.name or (spec.group or "") for spec in specs_of(plan))
    return named + ("",) * (wave_count(plan) - len(named))


def waves_of(devices: Iterable[str], plan: RolloutPlan, groups: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Each device's wave, counted from 0. A share or number counts from the first wave on; `groups` says who is in the
    groups that the plan names. Who is left is in the last wave."""
    ordered = sorted(devices, key=lambda name: (place_of(name), name))
    waves: dict[str, int] = {}
    for number, spec in enumerate(specs_of(plan)):
        left = (device for device in ordered if device not in waves)
        if spec.group is not None:
            members = set(groups.get(spec.group, ()))
            chosen = [device for device in left if device in members]
        else:
            wanted = _reach(spec, len(ordered)) - len(waves)
            chosen = [device for _, device in zip(range(wanted), left, strict=False)]
        waves |= dict.fromkeys(chosen, number)
    last = wave_count(plan) - 1
    return waves | {device: last for device in ordered if device not in waves}


def _reach(spec: WaveSpec, devices: int) -> int:
    """How many devices are in this wave and those before it."""
    if spec.count is not None:
        return spec.count
    return math.ceil(devices * (spec.percent or 0.0) / 100 - 1e-9)
