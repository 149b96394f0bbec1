from __future__ import annotations

from typing import Literal

import pytest
import torch

from hierseg.config import OptimConfig
from hierseg.models.registry import create_model
from hierseg.training.optimizer import build_optimiser, set_rate


def test_trunk_and_head_have_rates_of_their_own() -> None:
    network = create_model("lite0-ocr-hier", 3)
    config = OptimConfig(optimizer="adamw", lr=1e-2, trunk_lr_factor=0.25, weight_decay=0.03)
    optimiser = build_optimiser(network, config)
    trunk, head = optimiser.param_groups
    assert len(trunk["params"]) == len(list(network.trunk_parameters()))
    assert len(trunk["params"]) + len(head["params"]) == len(list(network.parameters()))
    assert set_rate(optimiser, 0.5) == pytest.approx(5e-3)
    assert (trunk["lr"], head["lr"]) == (pytest.approx(1.25e-3), pytest.approx(5e-3))
    assert set_rate(optimiser, 0.1) == pytest.approx(1e-3)  # of the base, not of the last
    assert trunk["weight_decay"] == head["weight_decay"] == 0.03


def test_sgd_has_the_configured_momentum() -> None:
    network = create_model("lite0-ocr-hier", 3)
    optimiser = build_optimiser(network, OptimConfig(optimizer="sgd", momentum=0.7))
    assert isinstance(optimiser, torch.optim.SGD)
    assert [group["momentum"] for group in optimiser.param_groups] == [0.7, 0.7]


def test_norms_and_biases_can_be_spared_weight_decay() -> None:
    network = create_model("lite0-ocr-hier", 3)
    groups = build_optimiser(network, OptimConfig(decay_norms=False)).param_groups
    assert [group["weight_decay"] for group in groups] == [1e-4, 0.0, 1e-4, 0.0]
    for group in groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_what_is_frozen_is_not_the_optimisers() -> None:
    network = create_model("lite0-ocr-hier", 3)
    for parameter in network.trunk_parameters():
        parameter.requires_grad_(False)
    (head,) = build_optimiser(network, OptimConfig()).param_groups
    assert len(head["params"]) == len(list(network.head_parameters()))


@pytest.mark.parametrize("name", ["adam", "adamw", "radam"])
def test_the_other_optimisers(name: Literal["adam", "adamw", "radam"]) -> None:
    network = create_model("lite0-ocr-hier", 3)
    optimiser = build_optimiser(network, OptimConfig(optimizer=name, amsgrad=name != "radam"))
    assert type(optimiser).__name__.lower() == name
    assert optimiser.defaults.get("amsgrad", True)
