"""How long model files take beside one another, on one thread, from a picture's bytes to its detections.

The files take turns, round by round: what else the machine does hits all of them alike. A file's time is the median
over the rounds, of the best of a few calls each; how it compares with the first file is decided by the shares of single
rounds, whose median has a 95 % interval that assumes nothing of how times are spread (order statistics).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles

from lineside.contract.model import Signature, Timing
from lineside.runtime import model as runtime_model

ROUNDS, MOST_ROUNDS = 9, 27
_CALLS = 3
_OUTSIDE = 0.025  # on each side of an interval


def timed(
    files: Sequence[tuple[Path, Signature]],
    image: bytes,
    doubtful: Callable[[Sequence[Timing]], bool] = lambda timings: False,
) -> list[Timing]:
    """A timing for each file, beside the first; `doubtful` asks for more rounds, up to `MOST_ROUNDS`."""
    models = [runtime_model.load(file, signature, threads=1) for file, signature in files]
    rounds: list[list[float]] = []
    while True:
        rounds += [[_best(model, image) for model in models] for _ in range(ROUNDS)]
        timings = [timing(column, [row[0] for row in rounds]) for column in zip(*rounds, strict=True)]
        if len(rounds) >= MOST_ROUNDS or not doubtful(timings):
            return timings


def timing(own: Sequence[float], first: Sequence[float]) -> Timing:
    """Milliseconds of each round, and those of the first file in the same rounds."""
    shares = sorted(mine / theirs for mine, theirs in zip(own, first, strict=True))
    low, _, high = quantiles(own, n=4, method="inclusive")
    outside = _outside(len(shares))
    return Timing(
        rounds=len(own),
        ms=round(median(own), 2),
        low_ms=round(low, 2),
        high_ms=round(high, 2),
        share=round(median(shares), 3),
        share_low=round(shares[outside], 3),
        share_high=round(shares[-1 - outside], 3),
    )


def _outside(count: int) -> int:
    """How many of so many sorted values lie on each side outside the 95 % interval of their median."""
    outside, share = -1, 0.0
    while (share := share + math.comb(count, outside + 1) * 0.5**count) <= _OUTSIDE:
        outside += 1
    return max(outside, 0)


def _best(model: runtime_model.Model, image: bytes) -> float:
    model.detect(image)  # the call after another model's is slower
    return min(model.detect_timed(image).latency_ms for _ in range(_CALLS))
