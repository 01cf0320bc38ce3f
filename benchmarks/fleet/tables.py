"""What the benchmark prints."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.fleet.load import Load
from benchmarks.measure import table


def share(values: Sequence[float], part: float) -> float:
    """The value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


def times_table(title: str, times: Mapping[str, Sequence[float]]) -> str:
    """How long answers took, by kind."""
    rows = [(title, "count", "p50 ms", "p95 ms", "p99 ms", "most")]
    for kind, values in sorted(times.items()):
        parts = [f"{share(values, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)]
        rows.append((kind, str(len(values)), *parts))
    return f"{table(rows)}\n"


def costs_table(loads: Mapping[str, Sequence[Load]]) -> str:
    """Check-ins for each CPU second and how long each took, side by side."""
    rows = [
        ("as fast as it answers", "check-ins for each CPU s", "from", "to", "CPU ms each", "p50 ms", "p95 ms", "p99 ms")
    ]
    for name, rounds in loads.items():
        rates = [one.per_cpu_second for one in rounds]
        median = statistics.median(rates)
        every = [value for one in rounds for value in one.heard.times["check-in"]]
        words = [f"{share(every, part):.1f}" for part in (0.5, 0.95, 0.99)]
        rows.append((name, f"{median:.0f}", f"{min(rates):.0f}", f"{max(rates):.0f}", f"{1000 / median:.2f}", *words))
    return f"{table(rows)}\n"


def fleet_table(rows: Sequence[tuple[str, str]]) -> str:
    """One quantity a line."""
    return f"{table([('quantity', 'value'), *rows])}\n"
