"""The optimiser: parameter groups with rates of their own, and the rate set from the schedule."""

from __future__ import annotations

from typing import Any

import torch

from hierseg.config import OptimConfig
from hierseg.models import SegmentationNetwork


def build_optimiser(network: SegmentationNetwork, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD or AdamW over two groups, trunk and head.

    Each group keeps its base rate under ``"base_lr"``; ``set_rate`` scales it. Weight decay acts on
    all parameters, as in the published recipes.
    """
    groups: list[dict[str, Any]] = [
        {"params": list(parameters), "base_lr": rate, "lr": rate}
        for parameters, rate in (
            (network.trunk_parameters(), config.lr * config.trunk_lr_factor),
            (network.head_parameters(), config.lr),
        )
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, factor: float) -> float:
    """Give every group ``factor`` times its base rate; returns the highest of the rates."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(max(group["lr"] for group in optimiser.param_groups))
