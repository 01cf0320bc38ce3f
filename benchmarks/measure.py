"""Measuring side by side: rounds in which every contender runs in turn, medians, spread, a table, one JSON line."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds a call: the median over the rounds' medians, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a share of the median."""
        return (self.high - self.low) / self.median


def options(description: str) -> argparse.Namespace:
    """`--quick` and `--json`, which every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    calls: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Times each contender `calls` times a round, one contender after the other, the order turned each round.

    With `clock=time.process_time`, what else the machine does counts less.
    """
    medians: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds + 1):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned:
            median = statistics.median(_timed(contenders[name], clock) for _ in range(calls))
            if number > 0:  # the first round warms up
                medians[name].append(median)
    return {name: Timing(statistics.median(each), min(each), max(each)) for name, each in medians.items()}


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words as aligned columns, the first row the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def timings_table(timings: Mapping[str, Timing]) -> str:
    """One line a contender: median, lowest and highest round."""
    rows = [("contender", "median ms", "rounds from", "to")]
    rows += [(name, f"{t.median:.3f}", f"{t.low:.3f}", f"{t.high:.3f}") for name, t in timings.items()]
    return table(rows)


def finish(report: Mapping[str, object], *, as_json: bool) -> None:
    """Prints the numbers that count: as the last line's JSON object, or one a line."""
    if as_json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name}: {value}")


def _timed(call: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    call()
    return (clock() - started) * 1e3
