"""Budgets: how many images a strategy may keep a minute, an hour, a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lineside.runtime.captures.settings import Budgeted

MINUTE, HOUR, DAY = 60, 3600, 86400
_ROUNDING = 1e-9
_WORDS = {MINUTE: "a minute", HOUR: "an hour", DAY: "a day"}

Saved = dict[str, tuple[float, float]]
"""What is left by period, and when that was: what a later process goes on from."""


class Budget:
    """A bucket for each period: it holds as many images as the period may have, and fills again evenly. So all of them
    may come at once when none came for a while, and in the long run no more than the limit comes in any period."""

    def __init__(
        self,
        limits: Mapping[int, float],
        passed: Callable[[], float],
        saved: Saved | None = None,
        *,
        empty: bool = False,
    ) -> None:
        """`limits` by seconds; none at all means no limit. `empty`: begins with nothing, because what was spent before
        is not known."""
        self._passed = passed
        self._limits = dict(limits)
        now = passed()
        self._left = {
            period: (0.0 if empty else _size(limit), now) if saved is None else saved.get(str(period), (0.0, now))
            for period, limit in self._limits.items()
        }

    @classmethod
    def of(cls, settings: Budgeted) -> dict[int, float]:
        """The limits that a strategy's settings name."""
        named = {MINUTE: settings.per_minute, HOUR: settings.per_hour, DAY: settings.per_day}
        return {period: limit for period, limit in named.items() if limit is not None}

    def short_of(self) -> str:
        """Empty when there is room for one more image; else the limit that is used up."""
        now = self._passed()
        for period, limit in self._limits.items():
            left, at = self._left[period]
            left = min(_size(limit), left + max(0.0, now - at) * limit / period)
            self._left[period] = (left, now)
            if left < 1.0 - _ROUNDING:
                return f"{limit:g} {_WORDS[period]}"
        return ""

    def take(self) -> bool:
        """Whether there was room for one more image, which is then taken."""
        if self.short_of():
            return False
        self._left = {period: (left - 1.0, at) for period, (left, at) in self._left.items()}
        return True

    def share_left(self) -> float:
        """How much the emptiest of its buckets holds beyond the next image, as a share of a full one, 0 to 1; 1 where
        there is no limit."""
        if self.short_of():
            return 0.0
        sizes = {period: _size(limit) for period, limit in self._limits.items()}
        shares = ((self._left[period][0] - 1.0) / (size - 1.0) for period, size in sizes.items() if size > 1.0)
        return min(shares, default=1.0)

    def saved(self) -> Saved:
        """What a later process is to go on from."""
        return {str(period): left for period, left in self._left.items()}


def _size(limit: float) -> float:
    """How much a bucket holds: a limit below one image a period still lets one through, after long enough."""
    return max(1.0, limit) if limit > 0 else 0.0
