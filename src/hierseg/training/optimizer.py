"""The optimiser: parameter groups with their own rates, scaled by the schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hierseg.config import ModelConfig, OptimConfig
from hierseg.models import SegmentationNetwork


def build_optimiser(network: SegmentationNetwork, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD, Adam, AdamW or RAdam over the trainable parameters of trunk and head.

    Each group keeps its base rate as ``"base_lr"``, which ``set_rate`` scales. Weight decay acts on
    all parameters, as in the published recipes, or with ``no_decay_norms`` on all but vectors
    (biases, and norms' scales and shifts), which are then groups of their own.
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
    """Groups of parameters, each with its weight decay."""
    if config.decay_norms:
        return [(parameters, config.weight_decay)]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [(matrices, config.weight_decay), (vectors, 0.0)]


def set_rate(optimiser: torch.optim.Optimizer, factor: float) -> float:
    """Set every group's rate to ``factor`` times its base rate; returns the highest rate."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(max(group["lr"] for group in optimiser.param_groups))


def freeze(network: SegmentationNetwork, model: ModelConfig) -> None:
    """Freeze the parameters that the configuration names; to be called before the optimiser is
    built.
    """
    if model.freeze_trunk:
        for parameter in network.trunk_parameters():
            parameter.requires_grad_(False)
    elif model.freeze_norms:
        for norm in _trunk_norms(network):
            for parameter in norm.parameters():
                parameter.requires_grad_(False)


def hold_frozen(network: SegmentationNetwork, model: ModelConfig) -> None:
    """Put frozen batch norms into evaluation mode; to be called after each ``train()``."""
    if model.freeze_trunk or model.freeze_norms:
        for norm in _trunk_norms(network):
            norm.eval()
    if model.freeze_trunk:
        # Dropout in a frozen trunk would only add noise.
        assert isinstance(network.trunk, nn.Module)
        network.trunk.eval()


def _trunk_norms(network: SegmentationNetwork) -> list[_BatchNorm]:
    assert isinstance(network.trunk, nn.Module)
    return [module for module in network.trunk.modules() if isinstance(module, _BatchNorm)]
