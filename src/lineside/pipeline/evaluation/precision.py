"""COCO average precision over pictures that count several times, or not at all: many drawings in one go.

A picture that was drawn w times gives each of its detections and boxes the weight w. That is exactly what pycocotools
computes when the picture is there w times, without matching anything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineside.pipeline.evaluation.matching import ClassMatches

Float = NDArray[np.float64]
Weights = NDArray[np.int64]
"""[B, I]: how often each of I pictures counts in each of B drawings."""

_RECALLS = np.linspace(0.0, 1.0, 101)  # where COCO reads precision
_AT_ONCE = 4_000_000  # numbers in one table


@dataclass(frozen=True)
class Averages:
    """Average precision by drawing and class [B, K]; NaN where a drawing has no box of the class."""

    map50: Float
    map: Float

    def overall(self) -> tuple[Float, Float]:
        """`map50` and `map` [B] over the classes that are there; NaN where none is."""
        return _over_classes(self.map50), _over_classes(self.map)

    def of(self, places: Sequence[int]) -> Averages:
        """Some of the classes."""
        return Averages(self.map50[:, list(places)], self.map[:, list(places)])


def averages(matches: Sequence[ClassMatches], weights: Weights) -> Averages:
    """Average precision of each class in each drawing."""
    columns = [_by_iou(one, weights) for one in matches]
    if not columns:
        return Averages(np.zeros((len(weights), 0)), np.zeros((len(weights), 0)))
    return Averages(
        map50=np.stack([column[:, 0] for column in columns], axis=1),
        map=np.stack([column.mean(axis=1) for column in columns], axis=1),
    )


def _by_iou(matches: ClassMatches, weights: Weights) -> Float:
    """[B, T] of one class, in pieces that fit into memory."""
    rows = max(1, _AT_ONCE // max(1, len(matches.image)))
    pieces = [_piece(matches, weights[start : start + rows]) for start in range(0, len(weights), rows)]
    return np.concatenate(pieces)


def _piece(matches: ClassMatches, weights: Weights) -> Float:
    total = weights @ matches.boxes
    needed = _needed(total)
    drawn = weights[:, matches.image]
    every = np.cumsum(drawn, axis=1)
    result = np.zeros((len(weights), len(matches.hit)))
    for t, (hit, counted) in enumerate(zip(matches.hit, matches.counted, strict=True)):
        places = np.flatnonzero(hit)
        if len(places):
            seen = every if counted.all() else np.cumsum(drawn * counted, axis=1)
            result[:, t] = _average(np.cumsum(drawn[:, places], axis=1), seen[:, places], needed)
    result[total == 0] = np.nan
    return result


def _needed(total: Weights) -> Weights:
    """How many boxes must be found to reach each of the 101 recalls [B, 101], rounded as pycocotools compares them."""
    boxes = np.maximum(total, 1)[:, None]
    guess = np.ceil(_RECALLS * boxes).astype(np.int64)
    guess -= (guess - 1) / boxes >= _RECALLS
    guess += guess / boxes < _RECALLS
    return guess


def _average(hits: Weights, seen: Weights, needed: Weights) -> Float:
    """Precision read at 101 recalls, each reading the best precision at that recall or beyond; [B].

    `hits` and `seen` [B, P]: boxes found and detections counted so far, at each detection that found a box.
    """
    rows, places = hits.shape
    best = np.zeros((rows, places + 1))
    np.divide(hits, np.maximum(seen, 1), out=best[:, :places])
    np.maximum.accumulate(best[:, ::-1], axis=1, out=best[:, ::-1])
    step = int(max(hits.max(), needed.max())) + 1  # keeps the rows apart: one search serves all of them
    apart = step * np.arange(rows)[:, None]
    found = np.searchsorted((hits + apart).ravel(), (needed + apart).ravel()).reshape(needed.shape)
    first = np.minimum(found - places * np.arange(rows)[:, None], places)
    average: Float = np.take_along_axis(best, first, axis=1).mean(axis=1)
    return average


def _over_classes(table: Float) -> Float:
    there = ~np.isnan(table)
    count = there.sum(axis=1)
    sums = np.where(there, table, 0.0).sum(axis=1)
    overall: Float = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    return overall
