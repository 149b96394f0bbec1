"""Object-contextual head (Yuan et al., arXiv 1909.11065), METHOD section 1.

Shape letters: B batch, K classes, X channels of the joined features, C of the head, D of the keys,
h and w height and width at the trunk's finest stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.layers import ConvNormAct, resize_to
from hierseg.models.outputs import HeadOutput

if TYPE_CHECKING:
    from hierseg.models.aspp import ASPP


class FeatureJoin(nn.Module):
    """Features resized to the finest one's size and concatenated.

    Args:
        channels: Channels of each feature.
        reduced: Channels that a 1x1 conv-BN-ReLU brings each feature to before it is resized;
            None for no such convolution.
        align_corners: How features are resized.
    """

    def __init__(
        self, channels: Sequence[int], reduced: int | None = None, align_corners: bool = False
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.reduce = nn.ModuleList(
            nn.Identity() if reduced is None else ConvNormAct(count, reduced) for count in channels
        )
        self.out_channels = sum(channels) if reduced is None else reduced * len(channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features (B, channels[i], h_i, w_i), fine to coarse, to (B, X, h, w)."""
        size = (features[0].shape[-2], features[0].shape[-1])
        return torch.cat(
            [
                resize_to(reduce(feature), size, self.align_corners)
                for reduce, feature in zip(self.reduce, features, strict=True)
            ],
            dim=1,
        )


class RegionAttention(nn.Module):
    """Pixels attend to the regions' vectors; each pixel's context comes out."""

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        self.query = nn.Sequential(
            ConvNormAct(channels, key_channels), ConvNormAct(key_channels, key_channels)
        )
        self.key = nn.Sequential(
            ConvNormAct(channels, key_channels), ConvNormAct(key_channels, key_channels)
        )
        self.value = ConvNormAct(channels, key_channels)
        self.expand = ConvNormAct(key_channels, channels)

    def forward(self, pixels: Tensor, regions: Tensor) -> Tensor:
        """(B, C, h, w) pixels and (B, C, K) regions to (B, C, h, w) context."""
        vectors = regions.unsqueeze(-1)
        key: Tensor = self.key(vectors).squeeze(-1)  # (B, D, K)
        value: Tensor = self.value(vectors).squeeze(-1)  # (B, D, K)
        # Pixels before channels, as they lie in memory where channels are last: no product then has
        # to transpose what is as large as the image, nor has its gradient.
        query: Tensor = self.query(pixels).flatten(2).mT  # (B, h*w, D)
        similarity = query @ key * key.shape[1] ** -0.5  # (B, h*w, K)
        del query
        weights = similarity.softmax(dim=2)
        context = weights.to(value.dtype) @ value.mT  # (B, h*w, D)
        expanded: Tensor = self.expand(context.mT.unflatten(2, pixels.shape[-2:]))
        return expanded


class OCRHead(nn.Module):
    """Logits from pixels and the context of their objects.

    Args:
        channels: Channels of the trunk's features, fine to coarse.
        num_classes: K.
        mid_channels: C.
        key_channels: D.
        reduced: Channels of each feature before joining, None for all of them.
        context: What is applied to the pixel features and joins them (OCR-ASPP), with
            ``out_channels``; None for nothing.
        dropout: Probability of dropping a channel of the output features, in training.
        align_corners: How features are resized.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 512,
        key_channels: int = 256,
        *,
        reduced: int | None = None,
        context: ASPP | None = None,
        dropout: float = 0.05,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.join = FeatureJoin(channels, reduced, align_corners)
        joined = self.join.out_channels
        self.out_channels = mid_channels
        self.pixels = ConvNormAct(joined, mid_channels, 3, bias=True)
        self.auxiliary = nn.Sequential(
            ConvNormAct(joined, joined, bias=True), nn.Conv2d(joined, num_classes, 1)
        )
        self.attend = RegionAttention(mid_channels, key_channels)
        self.context = context
        between = 0 if context is None else context.out_channels
        self.merge = ConvNormAct(2 * mid_channels + between, mid_channels)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(mid_channels, num_classes, 1)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features to logits.

        Args:
            features: (B, channels[i], h_i, w_i), fine to coarse.
            regions: (B, C, K) region vectors to use instead of the ones of these features.
        """
        joined = self.join(features)
        auxiliary: Tensor = self.auxiliary(joined)
        pixels: Tensor = self.pixels(joined)
        del joined
        if regions is None:
            regions = gather_regions(pixels, auxiliary)
        parts: list[Tensor] = [self.attend(pixels, regions)]
        if self.context is not None:
            parts.append(self.context(pixels))
        merged = self.dropout(self._merge([*parts, pixels]))
        return HeadOutput(self.classify(merged), auxiliary, merged, regions)

    def _merge(self, parts: list[Tensor]) -> Tensor:
        """1x1 conv-BN-ReLU of the parts, context first, without concatenating them.

        At 2048x4096 the concatenation alone would be 2 GB.
        """
        weights = torch.split(self.merge.conv.weight, [part.shape[1] for part in parts], dim=1)
        summed = reduce(
            torch.add, (F.conv2d(part, weight) for part, weight in zip(parts, weights, strict=True))
        )
        merged: Tensor = self.merge.act(self.merge.norm(summed))
        return merged


def gather_regions(pixels: Tensor, auxiliary: Tensor) -> Tensor:
    """Region vectors: pixel features weighted by the softmax of each class map over all pixels.

    Args:
        pixels: (B, C, h, w).
        auxiliary: (B, K, h, w) logits of the soft object regions.

    Returns:
        (B, C, K).
    """
    # In float32 at least: each weight is a share of as many pixels as the image has.
    exact = auxiliary.to(torch.promote_types(auxiliary.dtype, torch.float32))
    weights = exact.flatten(2).softmax(dim=2).to(pixels.dtype)
    return (weights @ pixels.flatten(2).mT).mT
