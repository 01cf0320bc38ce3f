"""The losses of YOLOX: IoU, objectness, class, and L1 in the last epochs. After Megvii's `yolo_head.py`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.detector import match, overlap_of
from lineside.pipeline.trainers.geometry import decode_boxes, encode_boxes, grid
from lineside.pipeline.trainers.settings import STRIDES
from lineside.pipeline.trainers.yolox_net import YoloxOutput

_IOU_WEIGHT = 5.0
_TINY = 1e-8
_bce = nn.functional.binary_cross_entropy_with_logits


class YoloxDetector:
    """A YOLOX network for one input size."""

    def __init__(self, net: nn.Module, width: int, height: int) -> None:
        self.net = net
        self._grid = grid(width, height, STRIDES)

    def exported(self, net: nn.Module) -> nn.Module:
        """Objectness and classes as probabilities, boxes undecoded."""
        return YoloxOutput(net)

    def losses(self, raw: Tensor, targets: Sequence[Tensor], *, last: bool) -> dict[str, Tensor]:
        """Sums over the cells that learn a box, divided by how many those are."""
        self._grid = self._grid.to(raw.device)
        boxes = decode_boxes(raw, self._grid)
        costs = [_cost(cells.detach(), target[:, 0].long()) for cells, target in zip(raw, targets, strict=True)]
        matches = match(self._grid, boxes.detach(), costs, targets)
        iou, _ = overlap_of(boxes, matches)
        objectness = torch.zeros_like(raw[..., 4])
        objectness[matches.picture, matches.cell] = 1.0
        found = raw[matches.picture, matches.cell]
        kinds = nn.functional.one_hot(matches.kind, raw.shape[-1] - 5) * iou.detach()[:, None]
        result = {
            "iou": _IOU_WEIGHT * (1 - iou.square()).sum() / matches.divisor,
            "objectness": _bce(raw[..., 4], objectness, reduction="sum") / matches.divisor,
            "class": _bce(found[:, 5:], kinds, reduction="sum") / matches.divisor,
        }
        if last:
            wanted = encode_boxes(matches.box, self._grid[matches.cell])
            result["l1"] = (found[:, :4] - wanted).abs().sum() / matches.divisor
        return result


def _cost(cells: Tensor, kinds: Tensor) -> Tensor:
    """Cross-entropy of sqrt(class * objectness) [N, C] against being only class g: [N, G]."""
    score = (cells[:, 5:].sigmoid() * cells[:, 4:5].sigmoid()).sqrt().clamp(_TINY, 1 - 1e-6)
    yes, no = score.log(), (1 - score).log()
    return -(yes[:, kinds] + no.sum(1, keepdim=True) - no[:, kinds])
