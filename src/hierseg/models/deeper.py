"""A decoder that upsamples ASPP to stride 2 in two steps (METHOD section 3, Deeper).

Shape letters: B batch, K classes, h and v height and width at the fine feature.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.layers import ConvNormAct, resize_to
from hierseg.models.aspp import ASPP
from hierseg.models.outputs import HeadOutput


class DeeperHead(nn.Module):
    """ASPP, concatenated with the middle and then with the fine feature; a 5x5 convolution follows
    each.

    The published form upsamples by 2 at each step, so that sides must be multiples of 8. Here a map
    is resized to the feature that it joins: the same for such sides, and any size works.

    Args:
        channels: Channels of the trunk's features: fine, middle, deep.
        num_classes: K.
        mid_channels: Channels of the decoder.
        fine_channels: Channels that the fine feature is reduced to.
        middle_channels: Channels that the middle feature is reduced to.
        context_channels: Channels of each branch of ASPP; None for ``mid_channels``.
        pool: Side of the window that ASPP pools; None for the whole feature.
        align_corners: Whether features are resized with aligned corners.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        mid_channels: int = 256,
        fine_channels: int = 32,
        middle_channels: int = 64,
        *,
        context_channels: int | None = None,
        pool: int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        fine, middle, deep = channels
        self.align_corners = align_corners
        self.out_channels = mid_channels
        self.context = ASPP(
            deep, context_channels or mid_channels, pool=pool, align_corners=align_corners
        )
        self.reduce_context = nn.Conv2d(self.context.out_channels, mid_channels, 1, bias=False)
        self.reduce_middle = nn.Conv2d(middle, middle_channels, 1, bias=False)
        self.reduce_fine = nn.Conv2d(fine, fine_channels, 1, bias=False)
        self.decode_middle = ConvNormAct(mid_channels + middle_channels, mid_channels, 5)
        self.decode_fine = ConvNormAct(mid_channels + fine_channels, mid_channels, 5)
        self.classify = nn.Conv2d(mid_channels, num_classes, 1, bias=False)

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the fine feature's size."""
        fine, middle, deep = features
        decoded: Tensor = self.reduce_context(self.context(deep))
        decoded = self.decode_middle(self._join(decoded, self.reduce_middle(middle)))
        decoded = self.decode_fine(self._join(decoded, self.reduce_fine(fine)))
        return HeadOutput(self.classify(decoded), None, decoded, None)

    def _join(self, decoded: Tensor, feature: Tensor) -> Tensor:
        size = (feature.shape[-2], feature.shape[-1])
        return torch.cat([resize_to(decoded, size, self.align_corners), feature], dim=1)
