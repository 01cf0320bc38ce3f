"""95 % intervals by bootstrap over pictures: as many pictures drawn again and again, with a fixed seed."""

from __future__ import annotations

import numpy as np

from lineside.contract.evaluation import Estimate
from lineside.pipeline.evaluation.precision import Float, Weights

RESAMPLES = 1000
LEAST = 5
"""Pictures: drawing from fewer says nothing about others, and so there is no interval."""
_SEED = 20260101
_BOUNDS = (2.5, 97.5)  # percent


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
    low, high = np.percentile(drawn, _BOUNDS)
    return Estimate(value=first, low=_rounded(low), high=_rounded(high))


def _rounded(value: float) -> float:
    return round(float(value), 6)
