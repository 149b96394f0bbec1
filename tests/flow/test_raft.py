from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hierseg.flow import RaftFlow


class _Recording(nn.Module):
    """Stands for torchvision's network: the difference of both images, as flow."""

    def forward(self, first: Tensor, second: Tensor) -> list[Tensor]:
        self.given = first, second
        return [torch.zeros(1), (first - second)[:, :2]]


def test_the_target_comes_first_and_sides_are_padded() -> None:
    network = _Recording()
    source, target = (np.full((70, 140, 3), value, np.uint8) for value in (255, 0))
    flow = RaftFlow(network).estimate(source, target)
    assert [tuple(given.shape) for given in network.given] == [(1, 3, 128, 144)] * 2
    assert float(network.given[0].max()) == -1  # the target, black
    assert float(network.given[1].min()) == 1
    assert flow.shape == (70, 140, 2)
    assert (flow == -2).all()
