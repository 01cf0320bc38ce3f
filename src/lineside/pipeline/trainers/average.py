"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn


class Average:
    """A copy of a network that follows it slowly; quicker at the beginning, when there is little to remember."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval()
        self.updates = 0
        self._decay = decay
        for parameter in self.net.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take a step towards the network's present weights."""
        self.updates += 1
        horizon = 1 / max(1 - self._decay, 1e-6)
        decay = self._decay * (1 - math.exp(-self.updates / horizon))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)
