"""Initial values of convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hierseg.layers.convolution import initialise_convolutions


def test_variance_is_two_over_the_fan_out() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.Sequential(nn.Conv2d(64, 128, 1))
    )
    initialise_convolutions(network)
    assert float(network[0].weight.detach().var()) == pytest.approx(2 / (64 * 9), rel=0.1)
    assert float(network[2][0].weight.detach().var()) == pytest.approx(2 / 128, rel=0.1)
    assert float(network[1].weight.detach().var()) == 0


def test_nothing_is_drawn_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        network = nn.Conv2d(8, 64, 3)
    monkeypatch.setattr(nn.init, "kaiming_normal_", None)
    initialise_convolutions(network)
    with pytest.raises(TypeError):  # what draws is what was taken away
        initialise_convolutions(nn.Conv2d(8, 64, 3))
