"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """A second network in evaluation mode whose weights follow the trained one's.

    After step t (1 is the first) every floating tensor of the state, batch-norm statistics
    included, is ``average + (1 - d) * (trained - average)``, d = min(decay, (1 + t) / (10 + t)); a
    growing d keeps the random first weights from lingering in a short run. Integers are copied.

    Args:
        network: The trained network; copied.
        decay: Decay of a step, in (0, 1).
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(network)
        self.network.eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Follow the trained network by one step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        trained = network.state_dict()
        averaged: list[Tensor] = []
        targets: list[Tensor] = []
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                averaged.append(average)
                targets.append(trained[name])
            else:
                average.copy_(trained[name])
        torch._foreach_lerp_(averaged, targets, 1 - decay)
