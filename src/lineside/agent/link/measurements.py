"""What components measure (PutComponentMetric), summed up until the next report takes it along.

Bounded: `SERIES` of them; while that many wait, others are left out and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from lineside.agent.bus.ports import Metric

SERIES = 20


class _Series(msgspec.Struct):
    unit: str
    count: int = 0
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    last: float = 0.0


class Measurements:
    """Series by component and name. Usable from several threads."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], _Series] = {}
        self._left_out = 0
        self._lock = threading.Lock()

    def add(self, component: str, metrics: Sequence[Metric]) -> None:
        """A component measured something."""
        with self._lock:
            for metric in metrics:
                key = (component, metric.name)
                if key not in self._series:
                    if len(self._series) >= SERIES:
                        self._left_out += 1
                        continue
                    self._series[key] = _Series(metric.unit)
                series = self._series[key]
                series.count += 1
                series.total += metric.value
                series.low, series.high = min(series.low, metric.value), max(series.high, metric.value)
                series.last = metric.value

    def __len__(self) -> int:
        """How many series wait."""
        return len(self._series)

    def take(self) -> dict[str, Any]:
        """What was measured since the last time, as a report carries it; nothing when there is nothing."""
        with self._lock:
            series, self._series = self._series, {}
            left_out, self._left_out = self._left_out, 0
        if not series:
            return {}
        found: dict[str, Any] = {}
        for (component, name), one in series.items():
            found.setdefault(component, {})[name] = {
                "unit": one.unit,
                "count": one.count,
                "mean": one.total / one.count,
                "min": one.low,
                "max": one.high,
                "last": one.last,
            }
        return {"metrics": found} | ({"metrics_left_out": left_out} if left_out else {})
