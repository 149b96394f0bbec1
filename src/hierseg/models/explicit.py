"""Explicit attention (Chen et al., arXiv 1511.03339, METHOD section 2): one weight map a scale.

Shape letters: B batch, C channels of the head's features, S scales, h and v height and width of
the features at scale 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.layers import ConvNormAct, scaled_size
from hierseg.models.fusion import Fusion, FusionRun
from hierseg.models.hierarchical import check_includes_one
from hierseg.models.outputs import ScaleOutput
from hierseg.size import Size


class ExplicitFusion(Fusion):
    """A weighted sum over the scales that it was made for, and no others.

    The features of all scales, resized to those of scale 1.0, go through a 3x3 convolution, ReLU,
    and a 1x1 convolution to one map a scale; the softmax over scales weighs their logits.

    Args:
        channels: C.
        scales: The scales; 1.0 must be among them.
        mid_channels: Channels of the 3x3 convolution.
        norm: Whether batch norm follows the 3x3 convolution.
        even: Start from equal weights: those of the last convolution are 0 at first.

    Raises:
        UsageError: 1.0 is not among the scales.
    """

    weighs_largest = True

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
        """Features (B, C, h, v), one a scale from the smallest, to (B, S, h, v) summing to 1."""
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
                f"explicit attention works at the scales that it was trained with; give {shown}."
            )
        # 1.0 first: the others' features are brought to its size.
        order = [1.0, *(scale for scale in self.scales if scale != 1.0)]
        return _ExplicitRun(self, size, order, align_corners=align_corners, keep=keep)


class _ExplicitRun(FusionRun):
    """Keeps every scale's maps, since no weight is known before the last scale's features."""

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
        self._kept: dict[float, list[Tensor]] = {}

    def add(self, scale: float, output: ScaleOutput) -> None:
        features = output.features
        assert features is not None
        if self._features:
            one = self._features[1.0]
            features = self._resize(features, (one.shape[-2], one.shape[-1]))
        self._features[scale] = features
        super().add(scale, output)

    def _fuse(self, scale: float, maps: list[Tensor], attention: Tensor | None) -> None:
        self._kept[scale] = [self._resize(tensor, self.size) for tensor in maps]

    def _maps(self) -> list[Tensor]:
        order = sorted(self.scales)
        weights = self._fusion.weights([self._features.pop(scale) for scale in order])
        maps = dict(
            zip(order, torch.split(self._resize(weights, self.size), 1, dim=1), strict=True)
        )
        if self.attention is not None:
            for scale, weight in maps.items():
                self.attention[scale] = self._resize(weight, scaled_size(self.size, scale))
        terms = [[weight * tensor for tensor in self._kept.pop(s)] for s, weight in maps.items()]
        return [torch.stack(parts).sum(0) for parts in zip(*terms, strict=True)]
