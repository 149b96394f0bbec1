"""The original's own head on HRNet, with ASPP or without (METHOD section 3).

Shape letters: B batch, K classes, h and v height and width at the trunk's finest stride.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hierseg.layers import ConvNormAct
from hierseg.models.aspp import ASPP
from hierseg.models.ocr import FeatureJoin
from hierseg.models.outputs import HeadOutput


class BasicHead(nn.Module):
    """All features joined, two 3x3 conv-BN-ReLU, 1x1 conv; without biases.

    With ASPP the joined features go through it and a 1x1 convolution first. The attention over
    scales sees what the first 3x3 convolution sees.

    Args:
        channels: Channels of the trunk's features, fine to coarse.
        num_classes: K.
        mid_channels: Channels of the 3x3 convolutions, and of the 1x1 convolution behind ASPP.
        aspp: Whether ASPP comes first.
        context_channels: Channels of each branch of ASPP; None for ``mid_channels``.
        pool: Side of the window that ASPP pools; None for the whole feature.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 256,
        *,
        aspp: bool = False,
        context_channels: int | None = None,
        pool: int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.join = FeatureJoin(channels, None, align_corners)
        self.out_channels = self.join.out_channels
        self.context: ASPP | None = None
        self.reduce_context: nn.Conv2d | None = None
        if aspp:
            self.context = ASPP(
                self.out_channels,
                context_channels or mid_channels,
                pool=pool,
                align_corners=align_corners,
            )
            self.reduce_context = nn.Conv2d(self.context.out_channels, mid_channels, 1, bias=False)
            self.out_channels = mid_channels
        self.decode = nn.Sequential(
            ConvNormAct(self.out_channels, mid_channels, 3),
            ConvNormAct(mid_channels, mid_channels, 3),
        )
        self.classify = nn.Conv2d(mid_channels, num_classes, 1, bias=False)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the finest feature's size."""
        joined: Tensor = self.join(features)
        if self.context is not None and self.reduce_context is not None:
            joined = self.reduce_context(self.context(joined))
        return HeadOutput(self.classify(self.decode(joined)), None, joined, None)
