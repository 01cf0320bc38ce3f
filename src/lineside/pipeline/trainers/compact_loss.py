"""The losses of the compact detector: overlap of boxes, and scores that say how well a box fits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.compact_net import CompactOutput
from lineside.pipeline.trainers.detector import class_cost, match, overlap_of
from lineside.pipeline.trainers.geometry import decode_boxes, encode_boxes, grid
from lineside.pipeline.trainers.settings import STRIDES

_BOX_WEIGHT = 1.0  # more, and from scratch the boxes keep scores from being learnt at all
_LEAST_SCORE = 0.05  # a cell that is to learn a box is to have, however badly it does yet
_EMPTY_WEIGHT = 0.75  # of cells without a box, as in VarifocalNet (arXiv 2008.13367)


class CompactDetector:
    """A compact network for one input size."""

    def __init__(self, net: nn.Module, width: int, height: int) -> None:
        self.net = net
        self._grid = grid(width, height, STRIDES)

    def exported(self, net: nn.Module) -> nn.Module:
        """Boxes in pixels and scores, decoded in the graph."""
        return CompactOutput(net)

    def losses(self, raw: Tensor, targets: Sequence[Tensor], *, last: bool) -> dict[str, Tensor]:
        """Sums divided by how many cells learn a box. A cell's score is to be its box's overlap."""
        self._grid = self._grid.to(raw.device)
        boxes = decode_boxes(raw, self._grid)
        logits = raw[..., 4:]
        costs = [class_cost(one.detach(), target[:, 0].long()) for one, target in zip(logits, targets, strict=True)]
        matches = match(self._grid, boxes.detach(), costs, targets)
        iou, generalized = overlap_of(boxes, matches)
        wanted = torch.zeros_like(logits)
        wanted[matches.picture, matches.cell, matches.kind] = iou.detach().clamp(min=_LEAST_SCORE)
        result = {
            "box": _BOX_WEIGHT * (1 - generalized).sum() / matches.divisor,
            "score": _varifocal(logits, wanted).sum() / matches.divisor,
        }
        if last:
            sides = encode_boxes(matches.box, self._grid[matches.cell])
            result["l1"] = (raw[matches.picture, matches.cell, :4] - sides).abs().sum() / matches.divisor
        return result


def _varifocal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy; cells without a box count the less, the surer they are of that."""
    easy = _EMPTY_WEIGHT * logits.detach().sigmoid().square()
    weight = torch.where(wanted > 0, torch.ones_like(wanted), easy)
    return weight * nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
