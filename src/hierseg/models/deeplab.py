"""Heads: DeepLabV3+, DeepLabV3 (Chen et al., arXiv 1802.02611, 1706.05587) and a plain one.

Shape letters: B batch, K classes, h and v height and width at the finest feature that is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.layers import ConvNormAct, resize_to
from hierseg.models.aspp import build_context
from hierseg.models.ocr import FeatureJoin
from hierseg.models.outputs import HeadOutput


class DeepLabV3PlusHead(nn.Module):
    """DeepLabV3+ (arXiv 1802.02611; METHOD section 3): context of the coarsest feature, refined by
    the finest one.

    Args:
        channels: Channels of the trunk's features, fine to coarse; first and last are used.
        num_classes: K.
        mid_channels: Channels of the decoder.
        fine_channels: Channels that the fine feature is reduced to.
        cell: Take a dense prediction cell for the context instead of ASPP.
        context_channels: Channels of each branch of the context; None for ``mid_channels``.
        pool: Side of the window that ASPP pools; None for the whole feature.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 256,
        fine_channels: int = 48,
        *,
        cell: bool = False,
        context_channels: int | None = None,
        pool: int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.context = build_context(
            channels[-1],
            context_channels or mid_channels,
            cell=cell,
            pool=pool,
            align_corners=align_corners,
        )
        self.reduce_context = nn.Conv2d(self.context.out_channels, mid_channels, 1, bias=False)
        self.reduce_fine = nn.Conv2d(channels[0], fine_channels, 1, bias=False)
        self.out_channels = fine_channels + mid_channels
        self.decode = nn.Sequential(
            ConvNormAct(self.out_channels, mid_channels, 3),
            ConvNormAct(mid_channels, mid_channels, 3),
        )
        self.classify = nn.Conv2d(mid_channels, num_classes, 1, bias=False)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the finest feature's size.

        ``regions`` are OCR's; this head ignores them. The output's features are the concatenation
        that the decoder takes.
        """
        return self.refine(features[0], self.reduce_context(self.context(features[-1])))

    def refine(self, fine: Tensor, context: Tensor) -> HeadOutput:
        """A trunk's fine feature and the context (B, mid_channels, h_c, w_c) to logits."""
        fine = self.reduce_fine(fine)
        size = (fine.shape[-2], fine.shape[-1])
        joined = torch.cat([fine, resize_to(context, size, self.align_corners)], dim=1)
        return HeadOutput(self.classify(self.decode(joined)), None, joined, None)


class DeepLabV3Head(nn.Module):
    """DeepLabV3 (arXiv 1706.05587) on the coarsest feature: ASPP, 1x1 conv-BN-ReLU, 1x1 conv.

    Args:
        channels: Channels of the trunk's features, fine to coarse; the last one is used.
        num_classes: K.
        mid_channels: Channels of the 1x1 convolution behind the context.
        cell: Take a dense prediction cell for the context instead of ASPP.
        context_channels: Channels of each branch of the context; None for ``mid_channels``.
        pool: Side of the window that ASPP pools; None for the whole feature.
        align_corners: Whether the means of ASPP's windows are resized with aligned corners.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 256,
        *,
        cell: bool = False,
        context_channels: int | None = None,
        pool: int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.context = build_context(
            channels[-1],
            context_channels or mid_channels,
            cell=cell,
            pool=pool,
            align_corners=align_corners,
        )
        self.out_channels = mid_channels
        self.project = ConvNormAct(self.context.out_channels, mid_channels)
        self.classify = nn.Conv2d(mid_channels, num_classes, 1)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the coarsest feature's size."""
        projected: Tensor = self.project(self.context(features[-1]))
        return HeadOutput(self.classify(projected), None, projected, None)


class PlainHead(nn.Module):
    """The HRNet authors' head (arXiv 1908.07919): all features joined, 1x1 conv-BN-ReLU, 1x1 conv,
    both with bias.

    OCR's auxiliary head has the same form. The attention over scales sees the joined features.

    Args:
        channels: Channels of the trunk's features, fine to coarse.
        num_classes: K.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self, channels: Sequence[int], num_classes: int, *, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.join = FeatureJoin(channels, None, align_corners)
        self.out_channels = self.join.out_channels
        self.mix = ConvNormAct(self.out_channels, self.out_channels, bias=True)
        self.classify = nn.Conv2d(self.out_channels, num_classes, 1)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the finest feature's size."""
        joined: Tensor = self.join(features)
        return HeadOutput(self.classify(self.mix(joined)), None, joined, None)
