"""The optimiser: parameter groups with rates of their own, and the rate set from the schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hierseg.config import ModelConfig, OptimConfig
from hierseg.models import SegmentationNetwork


def build_optimiser(network: SegmentationNetwork, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD, Adam, AdamW or RAdam over what learns of trunk and head.

    Each group keeps its base rate under ``"base_lr"``; ``set_rate`` scales it. Weight decay acts on
    all parameters, as in the published recipes, or on no vectors (biases, and norms' scales and
    shifts), which then are groups of their own.
    """
    groups: list[dict[str, Any]] = []
    for parameters, rate in (
        (network.trunk_parameters(), config.lr * config.trunk_lr_factor),
        (network.head_parameters(), config.lr),
    ):
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        for members, decay in _split_by_decay(learning, config):
            if members:
                rates = {"base_lr": rate, "lr": rate}
                groups.append({"params": members, "weight_decay": decay, **rates})
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.lr, amsgrad=config.amsgrad, fused=True)
    if config.optimizer == "radam":
        return torch.optim.RAdam(groups, lr=config.lr)
    return torch.optim.AdamW(groups, lr=config.lr, amsgrad=config.amsgrad, fused=True)


def _split_by_decay(
    parameters: list[nn.Parameter], config: OptimConfig
) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters with the weight decay that acts on them."""
    if config.decay_norms:
        return [(parameters, config.weight_decay)]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [(matrices, config.weight_decay), (vectors, 0.0)]


def set_rate(optimiser: torch.optim.Optimizer, factor: float) -> float:
    """Give every group ``factor`` times its base rate; returns the highest of the rates."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(max(group["lr"] for group in optimiser.param_groups))


def freeze(network: SegmentationNetwork, model: ModelConfig) -> None:
    """Take from the optimiser what the configuration freezes; before it is built."""
    if model.freeze_trunk:
        for parameter in network.trunk_parameters():
            parameter.requires_grad_(False)
    elif model.freeze_norms:
        for norm in _trunk_norms(network):
            for parameter in norm.parameters():
                parameter.requires_grad_(False)


def hold_frozen(network: SegmentationNetwork, model: ModelConfig) -> None:
    """Let frozen batch norms use their statistics and not renew them; after each ``train()``."""
    if model.freeze_trunk or model.freeze_norms:
        for norm in _trunk_norms(network):
            norm.eval()
    if model.freeze_trunk:
        # Dropout of a trunk that does not learn would be noise alone.
        assert isinstance(network.trunk, nn.Module)
        network.trunk.eval()


def _trunk_norms(network: SegmentationNetwork) -> list[_BatchNorm]:
    assert isinstance(network.trunk, nn.Module)
    return [module for module in network.trunk.modules() if isinstance(module, _BatchNorm)]
