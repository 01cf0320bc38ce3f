"""95 % intervals by bootstrap over pictures: as many pictures drawn again and again, with a fixed seed.

Average precision of few pictures flatters (it reads the best precision at a recall or beyond), and that of drawings
from them flatters once more. Bias-corrected percentiles take that back: where most drawings lie above the value, lower
percentiles are read. Source: B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans, SIAM 1982, chapter 10.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from lineside.contract.evaluation import Estimate
from lineside.pipeline.evaluation.precision import Float, Weights

RESAMPLES = 1000
LEAST = 5
"""Pictures: drawing from fewer says nothing about others, and so there is no interval."""
_SEED = 20260101
_NORMAL = NormalDist()
_BOUND = _NORMAL.inv_cdf(0.975)


def draws(images: int, resamples: int = RESAMPLES) -> Weights:
    """How often each picture counts [1 + resamples, images]: once in the first row, as drawn in the others.

    The same number of pictures gives the same drawings, so that two models are compared on the same ones.
    """
    ones = np.ones((1, images), np.int64)
    if images == 0:
        return np.ones((1 + resamples, 0), np.int64)
    drawn = np.random.default_rng(_SEED).multinomial(images, np.full(images, 1 / images), size=resamples)
    return np.concatenate([ones, drawn])


def estimate(values: Float, images: int) -> Estimate:
    """From the values [1 + B] of `draws`: the first, and where 95 % of the others lie. NaN there is no value: 0.

    `images`: on how many pictures there was something to be right or wrong about.
    """
    first = 0.0 if np.isnan(values[0]) else _rounded(values[0])
    drawn = values[1:][~np.isnan(values[1:])]
    if images < LEAST or not len(drawn):
        return Estimate(value=first)
    low, high = np.percentile(drawn, _percents(float(values[0]), drawn))
    return Estimate(value=first, low=min(_rounded(low), first), high=max(_rounded(high), first))


def _percents(value: float, drawn: Float) -> tuple[float, float]:
    """Which percentiles bound 95 %: 2.5 and 97.5 where half of the drawings lie below the value."""
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn == value) / 2) / len(drawn)
    least = 0.5 / len(drawn)
    shift = 2 * _NORMAL.inv_cdf(min(max(below, least), 1 - least))
    return 100 * _NORMAL.cdf(shift - _BOUND), 100 * _NORMAL.cdf(shift + _BOUND)


def _rounded(value: float) -> float:
    return round(float(value), 6)
