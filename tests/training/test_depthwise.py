from __future__ import annotations

import copy

import torch
from torch import nn

from hierseg.models.registry import create_model
from hierseg.training.depthwise import run_depthwise_in_float


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 1),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 8, 3, stride=2, groups=8),
        nn.Conv2d(8, 8, 5, padding=2, groups=8),
        nn.Conv2d(8, 8, 5, padding=2, groups=2),
    )


def test_only_large_and_strided_depthwise_convolutions_leave_bf16() -> None:
    network = _network()
    assert run_depthwise_in_float(network) == 2
    assert run_depthwise_in_float(network) == 0  # they are already
    kinds: list[torch.dtype] = []
    for layer in network:
        layer.register_forward_hook(lambda _m, _i, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(1, 3, 20, 20))
    half, full = torch.bfloat16, torch.float32
    assert kinds == [half, half, full, full, half]


def test_nothing_else_changes() -> None:
    network = _network()
    before = copy.deepcopy(network)
    run_depthwise_in_float(network)
    image = torch.rand(1, 3, 20, 20)
    assert network(image).equal(before(image))
    assert list(network.state_dict()) == list(before.state_dict())
    again = copy.deepcopy(network)  # as the moving average does
    with torch.no_grad():
        network[3].weight.zero_()
    assert again(image).equal(before(image))


def test_timms_own_convolutions_are_found() -> None:
    network = create_model("lite0-ocr-hier", 3).eval()
    image = torch.rand(1, 3, 64, 64)
    before = network(image).logits
    assert run_depthwise_in_float(network) > 10
    assert network(image).logits.equal(before)
