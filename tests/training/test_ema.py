from __future__ import annotations

import torch
from torch import nn

from hierseg.training.ema import WeightAverage


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def test_average_follows_with_a_growing_decay() -> None:
    network = _network()
    average = WeightAverage(network, decay=0.3)
    expected = network[0].weight.detach().clone()
    for update in range(1, 5):
        with torch.no_grad():
            network[0].weight += update
        average.update(network)
        decay = min(0.3, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * network[0].weight.detach()
    assert min(0.3, 2 / 11) < 0.3 < 5 / 14  # both sides of the minimum were seen
    torch.testing.assert_close(average.network[0].weight.detach(), expected)


def test_statistics_are_averaged_and_counters_copied() -> None:
    network = _network().train()
    average = WeightAverage(network, decay=0.5)
    network(torch.randn(4, 3, 5, 5) + 3)
    average.update(network)
    decay = 2 / 11
    torch.testing.assert_close(
        average.network[1].running_mean, (1 - decay) * network[1].running_mean
    )
    assert int(average.network[1].num_batches_tracked) == 1


def test_the_average_is_a_frozen_copy_in_evaluation_mode() -> None:
    network = _network().train()
    average = WeightAverage(network, decay=0.5)
    assert network.training
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in network.parameters())
    with torch.no_grad():
        network[0].weight.zero_()
    assert average.network[0].weight.abs().sum() > 0
