from __future__ import annotations

import copy

import pytest
import torch

from hierseg.config import ModelConfig
from hierseg.models.registry import create_model
from hierseg.training.optimizer import freeze, hold_frozen


@pytest.mark.parametrize("part", ["trunk", "norms"])
def test_what_is_frozen_stays(part: str) -> None:
    torch.manual_seed(0)
    network = create_model("lite0-ocr-hier", 3)
    model = ModelConfig(freeze_trunk=part == "trunk", freeze_norms=part == "norms")
    freeze(network, model)
    network.train()
    hold_frozen(network, model)
    before = copy.deepcopy(network.state_dict())
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.1)
    output = network(torch.rand(2, 3, 64, 64), scales=(1.0,))
    output.logits.square().mean().backward()
    optimiser.step()
    moved = {n for n, tensor in network.state_dict().items() if not tensor.equal(before[n])}
    assert "head.classify.weight" in moved
    assert any("running_mean" in name for name in moved)  # of the head
    in_trunk = {name for name in moved if name.startswith("trunk.")}
    assert not any("bn" in name or "running" in name for name in in_trunk)
    assert bool(in_trunk) == (part == "norms")
