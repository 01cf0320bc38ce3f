"""The YOLOX network as Megvii publishes it (arXiv 2107.08430), in plain torch.

Module names are those of the published checkpoints, so that a `.pth` file fits by name. `width` and `depth` scale it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lineside.pipeline.trainers.settings import STRIDES

_EPS, _MOMENTUM = 1e-3, 0.03  # of batch norms
_PRIOR = 0.01  # probability every class and objectness starts at


class Size(NamedTuple):
    """A published size."""

    width: float
    depth: float
    depthwise: bool


SIZES = {"nano": Size(0.25, 0.33, True), "tiny": Size(0.375, 0.33, False), "s": Size(0.5, 0.33, False)}


class BaseConv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPS, momentum=_MOMENTUM)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class DWConv(nn.Module):
    """A depthwise convolution and a pointwise one."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.dconv = BaseConv(inputs, inputs, size, stride, groups=inputs)
        self.pconv = BaseConv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pconv(self.dconv(x))
        return y


def _conv(depthwise: bool, inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
    return (DWConv if depthwise else BaseConv)(inputs, outputs, size, stride)


class Focus(nn.Module):
    """Every second pixel into channels: [B, 3, H, W] to [B, 12, H / 2, W / 2], then a convolution."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = BaseConv(12, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        even, odd = x[:, :, ::2], x[:, :, 1::2]
        parts = (even[..., ::2], odd[..., ::2], even[..., 1::2], odd[..., 1::2])
        y: Tensor = self.conv(torch.cat(parts, 1))
        return y


class Bottleneck(nn.Module):
    """1x1 and 3x3, with a shortcut where asked."""

    def __init__(self, channels: int, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = BaseConv(channels, channels, 1)
        self.conv2 = _conv(depthwise, channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return y + x if self.shortcut else y


class CSPLayer(nn.Module):
    """Two ways through half of the channels each, one of them through `count` bottlenecks."""

    def __init__(self, inputs: int, outputs: int, count: int, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        hidden = outputs // 2
        self.conv1 = BaseConv(inputs, hidden, 1)
        self.conv2 = BaseConv(inputs, hidden, 1)
        self.conv3 = BaseConv(2 * hidden, outputs, 1)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut, depthwise) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        one = self.conv1(x)
        other = self.conv2(x)
        y: Tensor = self.conv3(torch.cat((self.m(one), other), 1))
        return y


class SPPBottleneck(nn.Module):
    """Pooling over 5, 9 and 13 pixels, side by side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = BaseConv(inputs, inputs // 2, 1)
        self.m = nn.ModuleList(nn.MaxPool2d(size, stride=1, padding=size // 2) for size in (5, 9, 13))
        self.conv2 = BaseConv(inputs // 2 * 4, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        y: Tensor = self.conv2(torch.cat([x, *(pool(x) for pool in self.m)], 1))
        return y


class CSPDarknet(nn.Module):
    """The backbone: features at strides 8, 16 and 32."""

    def __init__(self, width: float, depth: float, depthwise: bool) -> None:
        super().__init__()
        base, count = int(width * 64), max(round(depth * 3), 1)

        def stage(inputs: int, outputs: int, layers: int) -> list[nn.Module]:
            csp = CSPLayer(outputs, outputs, layers, True, depthwise)
            return [_conv(depthwise, inputs, outputs, 3, 2), csp]

        self.stem = Focus(base)
        self.dark2 = nn.Sequential(*stage(base, base * 2, count))
        self.dark3 = nn.Sequential(*stage(base * 2, base * 4, count * 3))
        self.dark4 = nn.Sequential(*stage(base * 4, base * 8, count * 3))
        self.dark5 = nn.Sequential(
            _conv(depthwise, base * 8, base * 16, 3, 2),
            SPPBottleneck(base * 16, base * 16),
            CSPLayer(base * 16, base * 16, count, False, depthwise),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.dark2(self.stem(x))
        fine = self.dark3(x)
        middle = self.dark4(fine)
        return fine, middle, self.dark5(middle)


class PAFPN(nn.Module):
    """The neck: coarse features down to fine ones and back up."""

    def __init__(self, width: float, depth: float, depthwise: bool) -> None:
        super().__init__()
        fine, middle, coarse = (int(channels * width) for channels in (256, 512, 1024))
        count = round(3 * depth)

        def csp(inputs: int, outputs: int) -> CSPLayer:
            return CSPLayer(inputs, outputs, count, False, depthwise)

        self.backbone = CSPDarknet(width, depth, depthwise)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.lateral_conv0 = BaseConv(coarse, middle, 1)
        self.C3_p4 = csp(2 * middle, middle)
        self.reduce_conv1 = BaseConv(middle, fine, 1)
        self.C3_p3 = csp(2 * fine, fine)
        self.bu_conv2 = _conv(depthwise, fine, fine, 3, 2)
        self.C3_n3 = csp(2 * fine, middle)
        self.bu_conv1 = _conv(depthwise, middle, middle, 3, 2)
        self.C3_n4 = csp(2 * middle, coarse)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = self.backbone(x)
        top = self.lateral_conv0(coarse)
        half = self.reduce_conv1(self.C3_p4(torch.cat([self.upsample(top), middle], 1)))
        out_fine = self.C3_p3(torch.cat([self.upsample(half), fine], 1))
        out_middle = self.C3_n3(torch.cat([self.bu_conv2(out_fine), half], 1))
        return out_fine, out_middle, self.C3_n4(torch.cat([self.bu_conv1(out_middle), top], 1))


class Head(nn.Module):
    """The decoupled head: one branch for classes, one for box and objectness, at each stride."""

    def __init__(self, classes: int, width: float, depthwise: bool) -> None:
        super().__init__()
        hidden = int(256 * width)

        def branch() -> nn.Module:
            return nn.Sequential(_conv(depthwise, hidden, hidden, 3), _conv(depthwise, hidden, hidden, 3))

        def outputs(channels: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(hidden, channels, 1) for _ in STRIDES)

        self.cls_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.reg_convs = nn.ModuleList(branch() for _ in STRIDES)
        self.cls_preds, self.reg_preds, self.obj_preds = outputs(classes), outputs(4), outputs(1)
        self.stems = nn.ModuleList(BaseConv(int(inputs * width), hidden, 1) for inputs in (256, 512, 1024))
        for predictor in (*self.cls_preds, *self.obj_preds):
            nn.init.constant_(predictor.get_parameter("bias"), -math.log((1 - _PRIOR) / _PRIOR))

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        levels = []
        for level, feature in enumerate(features):
            x = self.stems[level](feature)
            classes = self.cls_preds[level](self.cls_convs[level](x))
            branch = self.reg_convs[level](x)
            box, objectness = self.reg_preds[level](branch), self.obj_preds[level](branch)
            levels.append(torch.cat([box, objectness, classes], 1).flatten(2))
        return torch.cat(levels, 2).transpose(1, 2)


class YoloxNet(nn.Module):
    """BGR 0..255 [B, 3, H, W] to [B, N, 5 + C]: x, y, w, h as the head predicts them, then logits."""

    def __init__(self, classes: int, width: float, depth: float, depthwise: bool) -> None:
        super().__init__()
        self.backbone = PAFPN(width, depth, depthwise)
        self.head = Head(classes, width, depthwise)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.backbone(x))
        return y


class YoloxOutput(nn.Module):
    """What is exported: objectness and classes as probabilities, boxes undecoded."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        raw = self.net(images)
        return torch.cat([raw[..., :4], raw[..., 4:].sigmoid()], -1)
