"""Golden sets: inputs with the answers a healthy device must reproduce before its model counts as running.

A golden set is a ZIP file: `golden.json` (this value) and the images it names; an artifact of the model's component.
"""

from __future__ import annotations

import msgspec

from lineside.contract.result import Detection


class GoldenCase(msgspec.Struct, frozen=True, kw_only=True):
    """One image of the set (its name inside the ZIP) and what the model found on it."""

    image: str
    detections: tuple[Detection, ...]


class GoldenSet(msgspec.Struct, frozen=True, kw_only=True):
    """Cases and tolerances: an answer matches when classes agree, boxes overlap by `min_iou` and confidence is within
    `max_confidence_gap`. Detections closer than the gap to the score threshold may come or go."""

    schema: str = "lineside.golden/1"
    cases: tuple[GoldenCase, ...]
    min_iou: float = 0.9
    max_confidence_gap: float = 0.05
