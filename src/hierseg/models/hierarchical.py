"""Hierarchical fusion (METHOD section 2; HMSA section 3.2) and the attention head that it needs
(METHOD section 1).

Shape letters: B batch, K classes, H and W the image's size at scale 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.layers import Band, ConvNormAct, resize_band, resize_to, scaled_size
from hierseg.models.fusion import Fusion, FusionRun, Part
from hierseg.size import Size


def check_includes_one(scales: Sequence[float]) -> None:
    """UsageError unless 1.0 is among the scales."""
    if 1.0 not in scales:
        shown = " ".join(f"{scale:g}" for scale in scales)
        raise UsageError(f"scales {shown} must include 1 for a hierarchical network; add it.")


class ScaleAttention(nn.Module):
    """The attention over scales: 3x3 conv-BN-ReLU twice, 1x1 conv, sigmoid; without biases (METHOD
    section 1).

    Args:
        channels: Channels of the head's features.
        mid_channels: Channels of the 3x3 convolutions.
        second: Whether there is a second 3x3 convolution.
        dropout: Probability of dropping a value before the last convolution, in training.
        even: Start at 0.5 everywhere: the last convolution's weights start at 0.
        outputs: Channels of the output.
    """

    def __init__(
        self,
        channels: int,
        mid_channels: int = 256,
        *,
        second: bool = True,
        dropout: float = 0.0,
        even: bool = False,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, mid_channels, 3)
        self.conv2 = ConvNormAct(mid_channels, mid_channels, 3) if second else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.weigh = nn.Conv2d(mid_channels, outputs, 1, bias=False)
        if even:
            nn.init.zeros_(self.weigh.weight)
        self.reach = 2 if second else 1  # a value depends on so many rows to either side

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, outputs, h, w) in (0, 1)."""
        hidden = self.dropout(self.conv2(self.conv1(features)))
        return torch.sigmoid(self.weigh(hidden))


class HierarchicalFusion(Fusion):
    """Each scale's attention blends its logits with the fused logits of the larger scales (METHOD
    section 2).

    Args:
        direction: ``"down"`` runs the largest scale first, ``"up"`` the smallest. Upwards, the
            weight left to the larger scales is known before they are run. The result is the same.
    """

    def __init__(self, direction: Literal["down", "up"] = "down") -> None:
        super().__init__()
        self.direction = direction

    def begin(
        self,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool = False,
        keep: bool = False,
    ) -> FusionRun:
        """See ``Fusion.begin``; the scales must include 1.0."""
        check_includes_one(scales)
        order = sorted(scales, reverse=self.direction == "down")
        return HierarchicalRun(size, order, align_corners=align_corners, keep=keep)


class HierarchicalRun(FusionRun):
    """Fuses as METHOD section 2 says, whatever order the scales come in. The largest scale's
    attention is not used.
    """

    def needs_attention(self, scale: float) -> bool:
        """See ``FusionRun.needs_attention``."""
        return scale != max(self.scales)

    def fuse(self, part: Part, band: Band) -> Tensor:
        """See ``FusionRun.fuse``."""
        order = sorted(self.scales)
        fused = self._fuse_from(part, order[order.index(1.0) :], band)
        for scale in reversed(order[: order.index(1.0)]):
            size = scaled_size(self.size, scale)
            source = band.source(size, self.align_corners)
            attention = self._own("attention", scale, source)
            own = attention * self._own(part, scale, source)
            own, attention = (
                resize_band(values, source, band, self.align_corners) for values in (own, attention)
            )
            fused = torch.addcmul(own, 1 - attention, fused)
        return fused

    def _fuse_from(self, part: Part, scales: Sequence[float], band: Band) -> Tensor:
        """Fused map of ``scales``, ascending from 1.0, at rows of the first scale's image."""
        scale, *larger = scales
        if not larger:
            return self._own(part, scale, band)
        if len(larger) == 1:
            fused = self._bring(part, larger[0], band)
        else:
            source = band.source(scaled_size(self.size, larger[0]), self.align_corners)
            fused = self._fuse_from(part, larger, source)
            fused = resize_band(fused, source, band, self.align_corners)
        return torch.lerp(fused, self._own(part, scale, band), self._own("attention", scale, band))

    def remaining_weight(self) -> Tensor | None:
        """(B, 1, H, W) in (0, 1): the weight that the scales added so far leave to larger ones;
        None before the first scale, when it is 1.
        """
        rest: Tensor | None = None
        for scale in sorted(self.outputs, reverse=True):
            gate = 1 - self._own("attention", scale, Band.whole(scaled_size(self.size, scale)))
            if rest is not None:
                size = self.size if scale < 1 else scaled_size(self.size, scale)
                rest = resize_to(rest, size, self.align_corners)
            if scale < 1:
                gate = resize_to(gate, self.size, self.align_corners)
            rest = gate if rest is None else gate * rest
        return None if rest is None else resize_to(rest, self.size, self.align_corners)
