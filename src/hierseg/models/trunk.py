"""The trunk contract, and any timm backbone as a trunk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.errors import UsageError, UserError, lacks_memory
from hierseg.faces import import_timm
from hierseg.wording import find_nearest

# Options that free a timm backbone from its training size. Most backbones need none and refuse
# options that they do not know, so each set is tried in turn.
_ANY_SIZE_OPTIONS: tuple[dict[str, bool], ...] = (
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {"strict_img_size": False},
    {},
)

# Smallest side, three strides of 32, that images are padded to for a backbone that needs padding.
SMALLEST_PADDED = 96


@runtime_checkable
class Trunk(Protocol):
    """What a head needs: an ``nn.Module`` that computes features, fine to coarse."""

    channels: tuple[int, ...]
    """Channels of each feature."""
    strides: tuple[int, ...]
    """Stride of each feature, rising."""

    def __call__(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to features (B, channels[i], ~H/strides[i], ...)."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The module's parameters."""
        ...


class TimmTrunk(nn.Module):
    """A timm backbone with ``features_only`` as a trunk.

    Args:
        name: timm's name of the backbone.
        finest_stride: Features of a smaller stride are left out: they cost much and add little.
        pretrained: Start from ImageNet weights if there are any.

    Raises:
        UserError: timm has no such backbone, or the backbone gives no features, none of this stride
            or a larger one, or only at its training size.
    """

    def __init__(self, name: str, finest_stride: int = 4, pretrained: bool = False) -> None:
        super().__init__()
        model, options = _create_backbone(name, finest_stride)
        if pretrained:
            from hierseg.models.pretrained import load_trunk_weights

            load_trunk_weights(model, name, options)
        self.backbone: nn.Module = model
        self.channels = tuple(int(count) for count in model.feature_info.channels())
        self.strides = tuple(int(stride) for stride in model.feature_info.reduction())
        self.channels_last = str(getattr(model, "output_fmt", "NCHW")).endswith("NHWC")
        self.mean: tuple[float, ...] = tuple(model.default_cfg["mean"])
        self.std: tuple[float, ...] = tuple(model.default_cfg["std"])
        self.pads = False
        if not self._runs_odd_sizes():
            self.pads = True
            if not self._runs_odd_sizes():
                raise UserError(
                    f"timm's '{name}' cannot be a trunk, as it runs at its training size only; "
                    "`hierseg models 'timm:*'` lists others."
                )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to features (B, channels[i], h_i, w_i), fine to coarse."""
        height, width = image.shape[-2:]
        if self.pads:
            side = math.lcm(*self.strides)
            right, bottom = (
                max(SMALLEST_PADDED, math.ceil(length / side) * side) - length
                for length in (width, height)
            )
            image = F.pad(image, (0, right, 0, bottom))
        features: list[Tensor] = self.backbone(image)
        if self.channels_last:
            features = [feature.permute(0, 3, 1, 2) for feature in features]
        if self.pads:
            features = [
                feature[..., : math.ceil(height / stride), : math.ceil(width / stride)]
                for feature, stride in zip(features, self.strides, strict=True)
            ]
        return features

    @torch.no_grad()
    def _runs_odd_sizes(self) -> bool:
        """Whether the backbone gives its features also at sizes that no stride divides."""
        self.eval()
        try:
            for height, width in ((67, 101), (16, 25)):
                features = self(torch.zeros(1, 3, height, width))
                if tuple(feature.shape[1] for feature in features) != self.channels:
                    return False
        except (RuntimeError, AssertionError, ValueError) as error:
            if lacks_memory(error):  # not the backbone's fault
                raise
            return False
        finally:
            self.train()
        return True


def _create_backbone(name: str, finest_stride: int) -> tuple[Any, Mapping[str, Any]]:
    """The backbone with random weights, and the options that it was created with.

    Typed ``Any``: a timm model has more attributes than a module.
    """
    timm = import_timm()  # The HRNets need none of it.

    # Names with a hub prefix ("hf-hub:...") are refused: they would download.
    if ":" in name or not timm.is_model(name):
        near = find_nearest(name, timm.list_models())
        hint = f"did you mean '{near}'? " if near else ""
        raise UsageError(
            f"timm has no backbone named {name!r:.80}; {hint}`hierseg models 'timm:*'` lists all."
        )
    failure: Exception | None = None
    for flags in _ANY_SIZE_OPTIONS:
        options: dict[str, Any] = {"features_only": True, **flags}
        try:
            probe: Any = timm.create_model(name, **options)
            info = probe.feature_info
            kept = [
                index
                for index, stride in zip(info.out_indices, info.reduction(), strict=True)
                if stride >= finest_stride
            ]
            if not kept:
                raise UserError(
                    f"timm's '{name}' has no feature of stride {finest_stride} or more; give a "
                    "smaller finest_stride."
                )
            options["out_indices"] = kept
            return timm.create_model(name, **options), options
        except (RuntimeError, AttributeError, AssertionError, TypeError, ValueError) as error:
            if lacks_memory(error):
                raise
            failure = error
    raise UserError(
        f"timm's '{name}' cannot be a trunk, as it gives no features; `hierseg models 'timm:*'` "
        "lists others."
    ) from failure
