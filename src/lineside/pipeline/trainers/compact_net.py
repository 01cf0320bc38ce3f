"""Our own small anchor-free detector: plain convolutions and ReLU only, so that INT8 costs it little.

Features at strides 8, 16 and 32, summed from coarse to fine; one head for all three. Three sizes, `SIZES`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.geometry import decode_boxes, grid
from lineside.pipeline.trainers.settings import STRIDES

_PRIOR = 0.01  # score every class starts at


class Size(NamedTuple):
    """Channels at strides 2, 4, 8, 16 and 32, of the neck and head, and how many residuals a stage has."""

    widths: tuple[int, ...]
    neck: int
    depth: int


SIZES = {
    "n": Size((16, 32, 64, 96, 128), 64, 1),
    "s": Size((24, 48, 96, 144, 192), 96, 1),
    "m": Size((32, 64, 128, 192, 256), 128, 2),
}
BACKBONE = ("stem", "stages")
PREDICTORS = ("score",)


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class Residual(nn.Module):
    """Two 3x3 convolutions through half of the channels, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = ConvUnit(channels, channels // 2)
        self.widen = ConvUnit(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.widen(self.narrow(x))
        return x + y


class Neck(nn.Module):
    """Features of three strides to the same width; each finer one learns what the coarser one saw."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvUnit(width, size.neck, 1) for width in size.widths[2:])
        self.smooth = nn.ModuleList(ConvUnit(size.neck, size.neck) for _ in STRIDES)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.lateral, features, strict=True))
        coarse = self.smooth[2](coarse)
        middle = self.smooth[1](middle + self.upsample(coarse))
        fine = self.smooth[0](fine + self.upsample(middle))
        return [fine, middle, coarse]


class CompactBackbone(nn.Module):
    """What sees: plain convolutions at halved resolutions."""

    def __init__(self, size: Size, planes: int) -> None:
        super().__init__()
        self.stem = ConvUnit(planes, size.widths[0], 3, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvUnit(i, o, 3, 2), *(Residual(o) for _ in range(size.depth)))
            for i, o in pairwise(size.widths)
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """RGB or grey 0..1 [B, P, H, W] to features at strides 4, 8, 16 and 32."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class CompactNet(CompactBackbone):
    """RGB or grey 0..1 [B, P, H, W] to [B, N, 4 + C]: x, y, w, h relative to the cell, then a logit a class."""

    def __init__(self, classes: int, size: str = "n", planes: int = 3) -> None:
        super().__init__(SIZES[size], planes)
        neck = SIZES[size].neck
        self.neck = Neck(SIZES[size])
        self.box_tower = nn.Sequential(ConvUnit(neck, neck), ConvUnit(neck, neck))
        self.score_tower = ConvUnit(neck, neck)
        self.box = nn.Conv2d(neck, 4, 1)
        self.score = nn.Conv2d(neck, classes, 1)
        nn.init.constant_(self.score.get_parameter("bias"), -math.log((1 - _PRIOR) / _PRIOR))

    def forward(self, x: Tensor) -> Tensor:
        levels = []
        for feature in self.neck(self.features(x)[1:]):
            box, score = self.box(self.box_tower(feature)), self.score(self.score_tower(feature))
            levels.append(torch.cat([box, score], 1).flatten(2))
        return torch.cat(levels, 2).transpose(1, 2)


class CompactOutput(nn.Module):
    """What is exported: x1, y1, x2, y2 in pixels of the input, then scores 0..1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        raw = self.net(images)
        cells = grid(images.shape[3], images.shape[2], STRIDES, images.device)
        return torch.cat([decode_boxes(raw, cells), raw[..., 4:].sigmoid()], -1)
