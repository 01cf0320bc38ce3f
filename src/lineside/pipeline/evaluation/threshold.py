"""The score threshold that ships, chosen on the val pictures: where misses and false alarms together cost least."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineside.contract.dataset import ImageRecord
from lineside.contract.evaluation import Threshold, ThresholdPoint
from lineside.contract.gate import CostRule
from lineside.pipeline.evaluation.matching import ALL, ClassMatches, match
from lineside.pipeline.metrics import Detections

_CANDIDATES = tuple(round(percent / 100, 2) for percent in range(5, 96))
_IOU_50 = 0


def choose_threshold(
    images: Sequence[ImageRecord],
    classes: Sequence[str],
    found: Detections,
    cost: CostRule | None,
    present: float,
) -> Threshold | None:
    """The cheapest of 0.05, 0.06 … 0.95, in the middle of the widest run of equals; without a cost, `present` stays.

    None when there is no box to miss on these pictures.
    """
    every = match(images, classes, found)[ALL]
    boxes = sum(int(one.boxes.sum()) for one in every)
    if not boxes:
        return None
    missed_cost = CostRule().missed if cost is None else cost.missed
    curve = tuple(_point(every, boxes, threshold, missed_cost) for threshold in _CANDIDATES)
    before = _point(every, boxes, present, missed_cost)
    chosen = before if cost is None else _cheapest(curve)
    return Threshold(
        value=chosen.threshold,
        missed_cost=missed_cost,
        chosen=chosen,
        before=before,
        images=len(images),
        boxes=boxes,
        curve=curve,
    )


def _point(every: Sequence[ClassMatches], boxes: int, threshold: float, missed_cost: float) -> ThresholdPoint:
    """Lowering the threshold never changes how more confident detections are matched, so one matching serves all."""
    shown = [one.scores >= threshold for one in every]
    hits = sum(int(np.count_nonzero(one.hit[_IOU_50] & seen)) for one, seen in zip(every, shown, strict=True))
    alarms = sum(int(np.count_nonzero(seen)) for seen in shown) - hits
    missed = boxes - hits
    return ThresholdPoint(
        threshold=threshold, missed=missed, false_alarms=alarms, cost=round(missed_cost * missed + alarms, 6)
    )


def _cheapest(curve: Sequence[ThresholdPoint]) -> ThresholdPoint:
    least = min(point.cost for point in curve)
    runs: list[list[ThresholdPoint]] = [[]]
    for point in curve:
        if point.cost == least:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    widest = max(runs, key=len)
    return widest[len(widest) // 2]
