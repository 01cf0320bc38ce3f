"""A small classifier: the backbone of the compact detector, and one convolution over what it saw on the whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.compact_net import SIZES, CompactBackbone

PREDICTORS = ("classes",)
_NOBODY = -100  # the class that cross-entropy leaves out
_SMOOTHING = 0.05


class ClassifyNet(CompactBackbone):
    """RGB or grey 0..1 [B, P, H, W] to a logit a class [B, C]. Tensors are named as in the compact detector, whose
    backbone it can start from."""

    def __init__(self, classes: int, size: str = "n", planes: int = 3) -> None:
        super().__init__(SIZES[size], planes)
        self.classes = nn.Conv2d(SIZES[size].widths[-1], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.features(x)[-1].mean((2, 3), keepdim=True)
        y: Tensor = self.classes(seen).flatten(1)
        return y


class ClassifyOutput(nn.Module):
    """What is exported: probabilities [B, C]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        y: Tensor = self.net(images).softmax(1)
        return y


class Classifier:
    """A classifier with its loss: the class of a picture is that of its box, which is the whole picture."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def exported(self, net: nn.Module) -> nn.Module:
        """Probabilities."""
        return ClassifyOutput(net)

    def losses(self, raw: Tensor, targets: Sequence[Tensor], *, last: bool) -> dict[str, Tensor]:
        """Cross-entropy over the pictures that have a class."""
        kinds = torch.tensor([int(one[0, 0]) if len(one) else _NOBODY for one in targets], device=raw.device)
        sums = nn.functional.cross_entropy(
            raw, kinds, ignore_index=_NOBODY, reduction="sum", label_smoothing=0.0 if last else _SMOOTHING
        )
        return {"class": sums / max(int((kinds != _NOBODY).sum()), 1)}
