"""How many devices may be told now, by the plan's rate. Pure."""

from __future__ import annotations

import math

from lineside.contract.rollout import Rate, RateOf

_MINUTE = 60.0


def per_minute(rate: Rate, told: int, succeeded: int) -> float:
    """Devices a minute, after so many devices were told and succeeded."""
    counted = told if rate.of is RateOf.NOTIFIED else succeeded
    grown = counted // rate.every if rate.factor > 1 and rate.every > 0 else 0
    most = rate.most if rate.most is not None else math.inf
    if grown * math.log(rate.factor) > math.log(1e9):  # past every fleet, and past what a float can hold before long
        return most
    return min(rate.per_minute * rate.factor**grown, most)


def period(speed: float) -> float:
    """The seconds within which the rate holds: a minute, or as long as one device takes where that is longer."""
    return max(_MINUTE, _MINUTE / speed)


def allowance(speed: float, told_lately: int) -> int:
    """How many more may be told when `told_lately` were told within the last `period`."""
    within = 1_000_000_000 if math.isinf(speed) else math.floor(speed * period(speed) / _MINUTE + 1e-9)
    return max(0, within - told_lately)
