"""Non-maximum suppression against the plain definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.runtime.nms import nms


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    overlap = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union > 0 else 0.0


def plain_nms(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float, limit: int) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(classes[index] != classes[k] or iou(boxes[index], boxes[k]) <= threshold for k in kept):
            kept.append(index)
    return kept[:limit]


THRESHOLDS = (915 / 3049, 1372 / 3049, 1982 / 3049)
"""About 0.3, 0.45 and 0.65. Corners are whole numbers, so unions are below 3049, a prime: no IoU is on a threshold,
where float32 and float64 may disagree."""


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from(THRESHOLDS), st.integers(1, 300))
def test_same_as_the_definition(count: int, seed: int, threshold: float, limit: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (count, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + rng.integers(1, 40, (count, 2))], axis=1).astype(np.float32)
    scores = (rng.integers(0, 20, count) / 20).astype(np.float32)  # with ties
    classes = rng.integers(0, 3, count)
    assert nms(boxes, scores, classes, threshold, limit).tolist() == plain_nms(boxes, scores, classes, threshold, limit)


def test_empty_boxes_and_no_boxes_are_no_trouble() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert nms(empty, np.zeros(0, np.float32), np.zeros(0, np.intp), 0.5, 10).tolist() == []
    points = np.zeros((3, 4), np.float32)
    assert len(nms(points, np.ones(3, np.float32), np.zeros(3, np.intp), 0.5, 10)) == 3
