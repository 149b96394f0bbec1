"""The trunk contract, and any timm backbone as a trunk."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from hierseg.errors import UserError


@runtime_checkable
class Trunk(Protocol):
    """What a head can stand on: an ``nn.Module`` that gives features from fine to coarse."""

    channels: tuple[int, ...]
    """Channels of each feature."""
    strides: tuple[int, ...]
    """Stride of each feature, rising."""

    def __call__(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to features (B, channels[i], ~H/strides[i], ...)."""
        ...


class TimmTrunk(nn.Module):
    """A timm backbone with ``features_only`` as a trunk.

    Args:
        name: timm's name of the backbone.
        finest_stride: Features finer than this are left out: their pixels are many, and their
            channels say little.

    Raises:
        UserError: timm has no such backbone, or it gives no features.
    """

    def __init__(self, name: str, finest_stride: int = 4) -> None:
        super().__init__()
        import timm  # Costs seconds, and the HRNets need none of it.

        # Names with a hub prefix ("hf-hub:...") are refused: they would download.
        if not timm.is_model(name) or ":" in name:
            raise UserError(f"timm has no backbone named '{name}'; see timm.list_models().")
        try:
            # Typed as anything: a timm model's attributes are more than a module's.
            probe: Any = timm.create_model(name, features_only=True)
            reductions = probe.feature_info.reduction()
            kept = [i for i, stride in enumerate(reductions) if stride >= finest_stride]
            model: Any = timm.create_model(name, features_only=True, out_indices=kept)
        except (RuntimeError, AttributeError, AssertionError, TypeError, ValueError) as error:
            raise UserError(f"timm's '{name}' cannot give features for a trunk.") from error
        self.backbone: nn.Module = model
        self.channels = tuple(int(count) for count in model.feature_info.channels())
        self.strides = tuple(int(stride) for stride in model.feature_info.reduction())
        self.channels_last = str(getattr(model, "output_fmt", "NCHW")).endswith("NHWC")
        self.mean: tuple[float, ...] = tuple(model.default_cfg["mean"])
        self.std: tuple[float, ...] = tuple(model.default_cfg["std"])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to features (B, channels[i], h_i, w_i), fine to coarse."""
        features: list[Tensor] = self.backbone(image)
        if self.channels_last:
            return [feature.permute(0, 3, 1, 2).contiguous() for feature in features]
        return features
