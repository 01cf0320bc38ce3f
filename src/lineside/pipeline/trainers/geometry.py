"""Boxes and grid cells as tensors. A box is x1, y1, x2, y2 in pixels of the network's input."""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-7
_MAX_EXPONENT = 8.0  # of a side; more than any picture has


def grid(width: int, height: int, strides: tuple[int, ...], device: torch.device | None = None) -> Tensor:
    """The cells of all strides [N, 3]: column, row, stride; strides in order, row by row. Of a size that is open while
    a network is exported, the cells are open, too."""
    parts = []
    for stride in strides:
        sides = (torch.arange(side // stride, device=device) for side in (height, width))
        rows, columns = (each.flatten() for each in torch.meshgrid(*sides, indexing="ij"))
        parts.append(torch.stack([columns, rows, torch.full_like(rows, stride)], 1))
    return torch.cat(parts).float()


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of every box [K, 4] with every other [M, 4]: [K, M]."""
    low = torch.maximum(one[:, None, :2], other[None, :, :2])
    high = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    return shared / (area(one)[:, None] + area(other)[None] - shared + _TINY)


def area(boxes: Tensor) -> Tensor:
    """Square pixels of boxes [..., 4]."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def paired_overlaps(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of boxes [K, 4] with boxes [K, 4], pair by pair: two times [K]."""
    low, high = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    union = area(one) + area(other) - shared + _TINY
    hull = (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])).clamp(min=0).prod(1)
    iou = shared / union
    return iou, iou - (hull - union) / (hull + _TINY)


def decode_boxes(raw: Tensor, cells: Tensor) -> Tensor:
    """Boxes [..., N, 4] of predictions x, y, w, h [..., N, 4 or more]: centre = (xy + cell) * stride, side = exp(wh) *
    stride."""
    stride = cells[:, 2:]
    centres = (raw[..., :2] + cells[:, :2]) * stride
    halves = raw[..., 2:4].clamp(max=_MAX_EXPONENT).exp() * stride / 2
    return torch.cat([centres - halves, centres + halves], -1)


def encode_boxes(boxes: Tensor, cells: Tensor) -> Tensor:
    """The predictions x, y, w, h [P, 4] that `decode_boxes` makes these boxes of, cell by cell [P, 3]."""
    stride = cells[:, 2:]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / stride - cells[:, :2]
    return torch.cat([centres, ((boxes[:, 2:] - boxes[:, :2]) / stride + _TINY).log()], 1)
