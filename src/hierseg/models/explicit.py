"""Explicit attention (Chen et al., arXiv 1511.03339, METHOD section 2): one weight map a scale.

Shape letters: B batch, C channels of the head's features, S scales, h and v height and width of
the features at scale 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.layers import Band, ConvNormAct, resize_to, scaled_size
from hierseg.models.fusion import Fusion, FusionRun, Part
from hierseg.models.hierarchical import check_includes_one
from hierseg.models.outputs import ScaleOutput
from hierseg.size import Size


class ExplicitFusion(Fusion):
    """A weighted sum over a fixed set of scales, those of training.

    The features of all scales, resized to those of scale 1.0, go through a 3x3 convolution, ReLU,
    and a 1x1 convolution to one map a scale; the softmax over scales weighs their logits.

    Args:
        channels: C.
        scales: The scales; 1.0 must be among them.
        mid_channels: Channels of the 3x3 convolution.
        norm: Whether batch norm follows the 3x3 convolution.
        even: Start with equal weights for all scales: the last convolution starts at 0.

    Raises:
        UsageError: 1.0 is not among the scales.
    """

    weighs_largest = True
    needs_features = True

    def __init__(
        self,
        channels: int,
        scales: Sequence[float],
        mid_channels: int = 512,
        *,
        norm: bool = False,
        even: bool = False,
    ) -> None:
        super().__init__()
        check_includes_one(scales)
        self.scales = tuple(sorted(scales))
        joined = channels * len(self.scales)
        self.mix: nn.Module = (
            ConvNormAct(joined, mid_channels, 3)
            if norm
            else nn.Sequential(nn.Conv2d(joined, mid_channels, 3, padding=1), nn.ReLU(inplace=True))
        )
        self.weigh = nn.Conv2d(mid_channels, len(self.scales), 1)
        if even:
            for parameter in self.weigh.parameters():
                nn.init.zeros_(parameter)

    def weights(self, features: Sequence[Tensor]) -> Tensor:
        """One (B, C, h, v) feature a scale, the smallest scale first, to (B, S, h, v) weights that
        sum to 1 over S.
        """
        scores: Tensor = self.weigh(self.mix(torch.cat(list(features), dim=1)))
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return exact.softmax(dim=1)

    def begin(
        self,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool = False,
        keep: bool = False,
    ) -> FusionRun:
        """See ``Fusion.begin``; the scales must be those of training."""
        if tuple(sorted(scales)) != self.scales:
            shown = " ".join(f"{scale:g}" for scale in self.scales)
            raise UsageError(
                f"explicit attention works only at the scales that it was trained at; give {shown}."
            )
        # 1.0 first: the other scales' features are resized to its features' size.
        order = [1.0, *(scale for scale in self.scales if scale != 1.0)]
        return _ExplicitRun(self, size, order, align_corners=align_corners, keep=keep)


class _ExplicitRun(FusionRun):
    """Weights are computed once the last scale's features are there."""

    def __init__(
        self,
        fusion: ExplicitFusion,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool,
        keep: bool,
    ) -> None:
        super().__init__(size, scales, align_corners=align_corners, keep=keep)
        self._fusion = fusion
        self._features: dict[float, Tensor] = {}
        self._weights: dict[float, Tensor] = {}  # (B, 1, h, v) of each scale

    def add(self, scale: float, output: ScaleOutput) -> None:
        features = output.features
        assert features is not None
        if self._features:
            one = self._features[1.0]
            size = (one.shape[-2], one.shape[-1])
            features = resize_to(features, size, self.align_corners)
        self._features[scale] = features
        super().add(scale, output)
        if self.next() is None:
            order = sorted(self.scales)
            weights = self._fusion.weights([self._features.pop(scale) for scale in order])
            self._weights = dict(zip(order, torch.split(weights, 1, dim=1), strict=True))

    def fuse(self, part: Part, band: Band) -> Tensor:
        """See ``FusionRun.fuse``."""
        order = sorted(self.scales)
        weights = torch.cat([self._weights[scale] for scale in order], dim=1)
        each = torch.split(self._take(weights, band), 1, dim=1)
        terms = [
            weight * self._bring(part, scale, band)
            for scale, weight in zip(order, each, strict=True)
        ]
        return torch.stack(terms).sum(0)

    def _list_attending(self) -> list[float]:
        return sorted(self.scales)

    def _own(self, part: str, scale: float, band: Band) -> Tensor:
        if part != "attention":
            return super()._own(part, scale, band)
        return self._take(self._weights[scale], band, self.size)

    def _own_whole(self, part: str, scale: float) -> Tensor:
        if part != "attention":
            return super()._own_whole(part, scale)
        return self._own(part, scale, Band.whole(scaled_size(self.size, scale)))
