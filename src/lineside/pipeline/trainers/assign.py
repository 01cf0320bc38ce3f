"""SimOTA: which grid cells learn which box. After YOLOX (arXiv 2107.08430, section 2.1.5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lineside.pipeline.trainers.geometry import overlaps

_RADIUS = 2.5  # a cell may learn a box when its centre is this many strides or less from the box's
_CANDIDATES = 10
_IOU_WEIGHT = 3.0
_OUTSIDE = 1e5


class Assignment(NamedTuple):
    """`cells` [P] that learn a box, which one (`boxes` [P]), and how well they found it already (`iou` [P])."""

    cells: Tensor
    boxes: Tensor
    iou: Tensor


@torch.no_grad()
def assign(grid: Tensor, predicted: Tensor, class_cost: Tensor, boxes: Tensor) -> Assignment:
    """Cells for boxes [G, 4] given predictions [N, 4] and what each class would cost each cell [N, G].

    A box gets as many cells as its ten best overlaps sum up to, at least one; a cell learns one box only.
    """
    if not len(boxes):
        nobody = torch.zeros(0, dtype=torch.long, device=grid.device)
        return Assignment(nobody, nobody, torch.zeros(0, device=grid.device))
    near, both = _near(grid, boxes)
    candidates = near.any(1).nonzero().squeeze(1)
    iou = overlaps(predicted[candidates], boxes)
    cost = class_cost[candidates] - _IOU_WEIGHT * torch.log(iou + 1e-8) + _OUTSIDE * (~both[candidates])
    chosen = _dynamic_k(cost, iou)
    rows, columns = chosen.nonzero(as_tuple=True)
    return Assignment(candidates[rows], columns, iou[rows, columns])


def _near(grid: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Cells inside a box or near its centre, and cells that are both: two times [N, G]."""
    stride = grid[:, 2:]
    centres = (grid[:, :2] + 0.5) * stride
    x, y = centres[:, :1], centres[:, 1:]
    inside = (x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    close = ((x - middle[:, 0]).abs() < _RADIUS * stride) & ((y - middle[:, 1]).abs() < _RADIUS * stride)
    return inside | close, inside & close


def _dynamic_k(cost: Tensor, iou: Tensor) -> Tensor:
    counts = iou.topk(min(_CANDIDATES, len(iou)), dim=0).values.sum(0).int().clamp(min=1)
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    for box, count in enumerate(counts.tolist()):
        chosen[cost[:, box].topk(min(count, len(cost)), largest=False).indices, box] = True
    shared = chosen.sum(1) > 1
    if shared.any():
        best = cost[shared].argmin(1)
        chosen[shared] = False
        chosen[shared.nonzero().squeeze(1), best] = True
    return chosen
