"""What the training loop needs of a network: its losses, and the form in which it is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.assign import Assignment, assign
from lineside.pipeline.trainers.geometry import paired_overlaps


class Detector(Protocol):
    """A network with its losses. `raw` is what `net` answers, [B, N, ...]."""

    net: nn.Module

    def losses(self, raw: Tensor, targets: Sequence[Tensor], *, last: bool) -> dict[str, Tensor]:
        """Losses by name, whose sum is minimized. `targets` are boxes [G, 5] a picture: class, x1, y1, x2, y2 in pixels
        of the input; `last` in the last epochs, which show pictures plainly."""
        ...

    def exported(self, net: nn.Module) -> nn.Module:
        """`net` as the exported file answers: what the signature's head reads."""
        ...


class Matches(NamedTuple):
    """Cells of a whole batch that learn a box: the picture, the cell, the box itself [P, 4], its class."""

    picture: Tensor
    cell: Tensor
    box: Tensor
    kind: Tensor

    @property
    def divisor(self) -> float:
        """By which sums are divided: at least 1."""
        return float(max(1, len(self.cell)))


@torch.no_grad()
def match(grid: Tensor, boxes: Tensor, class_costs: Sequence[Tensor], targets: Sequence[Tensor]) -> Matches:
    """Cells for the boxes of every picture. `boxes` [B, N, 4] are predicted, `class_costs` [N, G] a picture."""
    found: list[Assignment] = [
        assign(grid, predicted, cost, target[:, 1:])
        for predicted, cost, target in zip(boxes, class_costs, targets, strict=True)
    ]
    return Matches(
        torch.cat([torch.full_like(one.cells, number) for number, one in enumerate(found)]),
        torch.cat([one.cells for one in found]),
        torch.cat([target[one.boxes, 1:] for one, target in zip(found, targets, strict=True)]),
        torch.cat([target[one.boxes, 0].long() for one, target in zip(found, targets, strict=True)]),
    )


def class_cost(logits: Tensor, kinds: Tensor) -> Tensor:
    """Binary cross-entropy over all classes [N, C] if a cell had to be of class g: [N, G]."""
    yes = nn.functional.logsigmoid(logits)
    no = nn.functional.logsigmoid(-logits)
    return -(yes[:, kinds] + no.sum(1, keepdim=True) - no[:, kinds])


def overlap_of(boxes: Tensor, matches: Matches) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU [P] of the matched predictions with their boxes."""
    return paired_overlaps(boxes[matches.picture, matches.cell], matches.box)
