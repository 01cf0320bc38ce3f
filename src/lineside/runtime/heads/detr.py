"""DETR's family: RT-DETR, D-FINE, RF-DETR. C classes, Q queries, three layouts, told apart by shape, then by name.

Raw, two outputs in any order (RT-DETR and D-FINE without their post-processing; RF-DETR; the exports of Transformers):
  logits float32 [1, Q, C] or [1, Q, C + 1]: score = sigmoid(logit). Of C + 1 the last is RF-DETR's place for no object,
  and is left out.
  boxes float32 [1, Q, 4]: cx, cy, w, h as shares 0..1 of the input's width and height.
  Where both have four columns, the one whose name has "box" or "det" in it is boxes; else logits come first.
Finished, three outputs in any order (RT-DETR and D-FINE as their export_onnx.py writes them; their second input,
`orig_target_sizes`, was filled with the first one's size when the file was imported):
  labels int64 [1, Q]; boxes float32 [1, Q, 4]: x1, y1, x2, y2 in pixels of the input; scores float32 [1, Q] 0..1.
Joined, one output (RT-DETR as Ultralytics exports it): float32 [1, Q, 4 + C], boxes as in raw, then scores 0..1.

Each object has one query, so the signature's `iou_threshold` is 1: nothing is suppressed.
Sources: RT-DETR (arXiv 2304.08069) and D-FINE (arXiv 2410.13842) with their exports, RF-DETR's page on ONNX inference
(layouts only; this is our own code).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineside.contract.model import Signature
from lineside.runtime.heads import Candidates, Shape, corners

_STEEPEST = np.float32(80.0)  # exp of more overflows float32, and the score is 0 or 1 long before
_BEYOND_SHARES = 4.0  # in the joined layout: pixels, so that it is another family's
_OF_BOXES = ("box", "det")  # in the names of outputs: boxes, pred_boxes, dets


class DetrHead:
    """Takes each query's best class."""

    def __init__(self, signature: Signature) -> None:
        self._classes = len(signature.labels)
        self.wanted: tuple[Shape, ...] = ((1, None, self._classes), (1, None, 4))
        self._size = np.array([signature.input_width, signature.input_height] * 2, np.float32)

    def order(self, names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> Sequence[int] | None:
        """Logits and boxes; or labels, boxes and scores; or all in one. None: none of the layouts."""
        shapes = [output.shape for output in outputs]
        if any(len(shape) < 2 or shape[:2] != (1, shapes[0][1]) for shape in shapes):
            return None
        if len(outputs) == 1:
            shares = shapes[0][2:] == (4 + self._classes,) and not (np.abs(outputs[0][0, :, :4]) > _BEYOND_SHARES).any()
            return (0,) if shares else None
        boxes = [number for number, shape in enumerate(shapes) if shape[2:] == (4,)]
        if len(outputs) == 3:
            return self._finished(names, outputs, boxes)
        columns = ((self._classes,), (self._classes + 1,))
        pairs = [(1 - box, box) for box in boxes if shapes[1 - box][2:] in columns] if len(outputs) == 2 else []
        named = [pair for pair in pairs if any(word in names[pair[1]].lower() for word in _OF_BOXES)]
        return next(iter(named if len(named) == 1 else sorted(pairs)), None)

    def _finished(
        self, names: Sequence[str], outputs: Sequence[NDArray[Any]], boxes: Sequence[int]
    ) -> Sequence[int] | None:
        flat = [number for number, output in enumerate(outputs) if output.ndim == 2]
        labels = [number for number in flat if outputs[number].dtype.kind in "iu"]
        if not labels:
            labels = [number for number in flat if "label" in names[number].lower()]
        if len(boxes) != 1 or len(flat) != 2 or len(labels) != 1:
            return None
        return labels[0], boxes[0], flat[0] if flat[1] == labels[0] else flat[1]

    def candidates(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Every query whose best class scores at least `score_threshold`."""
        if len(outputs) == 3:
            return self._of_finished(outputs, score_threshold)
        if len(outputs) == 1:
            joined = outputs[0][0]
            return self._of_shares(joined[:, :4], joined[:, 4:], score_threshold)
        logits, boxes = outputs[0][0, :, : self._classes], outputs[1][0]
        finite = np.isfinite(logits).all(axis=1)
        return self._of_shares(boxes[finite], _sigmoid(logits[finite]), score_threshold)

    def _of_shares(self, boxes: NDArray[np.float32], scores: NDArray[np.float32], score_threshold: float) -> Candidates:
        finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores).all(axis=1)
        good = finite & (scores.max(axis=1) >= np.float32(score_threshold))
        boxes, scores = boxes[good], scores[good]
        classes = scores.argmax(axis=1)
        return Candidates(corners(boxes) * self._size, scores[np.arange(len(scores)), classes], classes)

    def _of_finished(self, outputs: list[NDArray[np.float32]], score_threshold: float) -> Candidates:
        """Labels beyond the signature's are left out: such a file was trained on more classes than it was said to."""
        labels, boxes, scores = outputs[0][0], outputs[1][0], outputs[2][0]
        good = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (scores >= np.float32(score_threshold))
        good &= (labels >= 0) & (labels < self._classes)
        return Candidates(boxes[good], scores[good], labels[good].astype(np.intp))


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = 1 / (1 + np.exp(-logits.clip(-_STEEPEST, _STEEPEST)))
    return scores
