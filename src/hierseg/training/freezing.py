"""Parts of the trunk that stay as they started."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hierseg.config import ModelConfig
from hierseg.models import SegmentationNetwork


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
